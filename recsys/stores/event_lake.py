"""The event lake: canonical events as Parquet, one folder a day, written by many and read by many.

What holds at any instant, crashes included:

- A file appears whole or not at all: it is written under a hidden name, flushed to the disk and renamed.
- Appends never touch a file that exists, so no writer can lose another's rows and none needs a lock.
- Compaction writes one file that names those it replaces, and only then deletes them. A reader skips
  what another file replaces, so it never sees a row twice; it opens all files of a day before it reads
  and looks again whether the folder is still the same, so it never misses one.
"""

import fcntl
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys import columns
from recsys.config import HomePaths
from recsys.dataset.hashing import hash_texts
from recsys.dataset.schemas import EVENT_SCHEMA, conform
from recsys.errors import DataError, SchemaMismatchError, StoreUnavailableError

_PREFIX = "day="
_REPLACES = b"recsys.replaces"
_LOCK = ".compaction.lock"
_ORDER: list[tuple[str, Literal["ascending"]]] = [(columns.AT, "ascending"), (columns.SEQUENCE, "ascending")]
_REPETITIVE = [columns.KIND]  # ids of one day repeat too little for a dictionary to pay
_ATTEMPTS = 100
_WRITERS = 2  # a day's file is a few milliseconds of work and a wait for the disk
_DAY_MICROS = 86_400_000_000


class EventLake:
    """Events by UTC day under `root`; nothing is created before the first append."""

    def __init__(self, root: Path, durable: bool = True) -> None:
        """Opens nothing; `durable=False` leaves the flushing to whoever writes a whole lake at once."""
        self.root = root
        self._durable = durable

    def append(self, table: pa.Table, name: str | None = None) -> None:
        """Adds canonical events, one new file a day that they touch.

        Returns when everything is on the disk. If it raises, some days may have been written.

        Args:
            name: what to call the files, without an ending. The same rows under the same name again are there
                once, however often they are written, so a writer that was killed may begin anew.

        Raises:
            SchemaMismatchError: `table` is not a table of canonical events.
            StoreUnavailableError: the disk refused.
        """
        table = conform(table, EVENT_SCHEMA, "events")
        if not len(table):
            return
        table = _sorted(table)
        days = table[columns.AT].cast(pa.int64()).to_numpy() // _DAY_MICROS
        starts = np.flatnonzero(np.r_[True, days[1:] != days[:-1]])
        ends = np.r_[starts[1:], len(days)]

        def write(start: int, end: int) -> None:
            day = date(1970, 1, 1) + timedelta(days=int(days[start]))
            part, folder = table.slice(start, end - start), self.root / _folder_name(day)
            _write(part, folder, durable=self._durable, name=name)

        with ThreadPoolExecutor(_WRITERS) as pool:
            for _ in pool.map(write, starts.tolist(), ends.tolist()):
                pass

    def read(
        self,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> pa.Table:
        """Events with start <= at < end, sorted by (at, sequence); an empty table where there are none.

        Args:
            columns: the columns to return, all by default.
            start: aware, from the beginning by default.
            end: aware, to the end by default.

        Raises:
            DataError: a file is no Parquet file of events; the message names it.
        """
        names = list(EVENT_SCHEMA.names if columns is None else columns)
        needed = list(dict.fromkeys([*names, *(name for name, _ in _ORDER)]))
        tables = [pa.schema([EVENT_SCHEMA.field(name) for name in needed]).empty_table()]
        for folder in self._folders(start, end):
            with _opened(folder) as day:
                tables.append(day.read(needed, folder))
        return _between(pa.concat_tables(tables), start, end).select(names)

    def days(self) -> list[date]:
        """The days that have events, oldest first."""
        return [_day(folder) for folder in self._folders(None, None) if _names(folder)]

    def compact(self, files: int = 2, largest_bytes: int | None = None) -> int:
        """Merges the files of each day that has several; returns how many files that replaced.

        Safe beside appends and reads. A day that another process is compacting is skipped.

        Args:
            files: days with fewer of them are left alone.
            largest_bytes: larger files are left alone and not counted; by default none is.
        """
        most = largest_bytes or sys.maxsize
        return sum(_compact_day(folder, files, most, self._durable) for folder in self._folders(None, None))

    def _folders(self, start: datetime | None, end: datetime | None) -> list[Path]:
        first = start.astimezone(UTC).date() if start else date.min
        last = end.astimezone(UTC).date() if end else date.max
        folders = self.root.glob(f"{_PREFIX}*") if self.root.is_dir() else ()
        return sorted(folder for folder in folders if first <= _day(folder) <= last)


class JoinedLake:
    """The imported events and those that came by the stream, read as one; each event id once."""

    def __init__(self, imported: EventLake, live: EventLake) -> None:
        self._imported, self._live = imported, live

    def read(
        self,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> pa.Table:
        """As `EventLake.read`. Of events with one id the imported one counts, else the first to arrive."""
        names = list(EVENT_SCHEMA.names if columns is None else columns)
        if not self._live.days():
            return self._imported.read(names, start, end)
        needed = _with_identity(names)
        parts = (lake.read(needed, start, end) for lake in (self._imported, self._live))
        return _once(*parts).select(names)

    def days(self) -> list[date]:
        """The days that have events, oldest first."""
        return sorted({*self._imported.days(), *self._live.days()})


def open_lake(paths: HomePaths) -> JoinedLake:
    """All events of a home: what everything reads that wants to know what happened."""
    return JoinedLake(EventLake(paths.lake), EventLake(paths.live))


def _with_identity(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*names, columns.EVENT_ID, columns.AT, columns.SEQUENCE]))


def _once(imported: pa.Table, live: pa.Table) -> pa.Table:
    """Both, sorted by (at, sequence), each event id once."""
    arrival = pc.sort_indices(live, sort_keys=[(columns.SEQUENCE, "ascending")])
    joined = pa.concat_tables([imported, live.take(arrival)])
    _, first = np.unique(hash_texts(joined[columns.EVENT_ID]), return_index=True)
    return _sorted(joined if len(first) == len(joined) else joined.take(np.sort(first)))


def _folder_name(day: date) -> str:
    return f"{_PREFIX}{day.isoformat()}"


def _day(folder: Path) -> date:
    try:
        return date.fromisoformat(folder.name.removeprefix(_PREFIX))
    except ValueError as error:
        raise DataError(f"{folder} is no day of the event lake. Move it out of {folder.parent}.") from error


def _sorted(table: pa.Table) -> pa.Table:
    """`table` by (at, sequence); the common case, sorted already, costs one comparison a row."""
    at = table[columns.AT].cast(pa.int64()).to_numpy()
    sequence = table[columns.SEQUENCE].to_numpy()
    later = (at[1:] > at[:-1]) | ((at[1:] == at[:-1]) & (sequence[1:] >= sequence[:-1]))
    return table if later.all() else table.take(pc.sort_indices(table, sort_keys=_ORDER))


def _between(table: pa.Table, start: datetime | None, end: datetime | None) -> pa.Table:
    for bound, compare in ((start, pc.greater_equal), (end, pc.less)):
        if bound is not None:
            instant = pa.scalar(bound, EVENT_SCHEMA.field(columns.AT).type)
            table = table.filter(compare(table[columns.AT], instant))
    return table


# -- files of one day ---------------------------------------------------------------------------


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in os.scandir(folder) if entry.name.endswith(".parquet"))
    except FileNotFoundError:
        return frozenset()


def _write(
    table: pa.Table,
    folder: Path,
    replaces: Sequence[str] = (),
    durable: bool = True,
    name: str | None = None,
) -> None:
    """A new file of `folder`: hidden, flushed, then renamed, then the folder itself flushed."""
    name = f"{name or uuid4().hex}.parquet"
    hidden = folder / f".{name}.tmp"
    if replaces:
        table = table.replace_schema_metadata({_REPLACES: json.dumps(sorted(replaces)).encode()})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sink = pa.BufferOutputStream()  # a day fits in memory, and Arrow fills it without the interpreter
        pq.write_table(
            table, sink, compression="lz4", use_dictionary=_REPETITIVE, write_statistics=[columns.AT]
        )
        with hidden.open("wb") as file:
            file.write(sink.getvalue())
            file.flush()
            if durable:
                os.fsync(file.fileno())
        hidden.rename(folder / name)
        if durable:
            _flush(folder)
    except OSError as error:
        hidden.unlink(missing_ok=True)
        raise StoreUnavailableError(
            "event lake", f"write {folder / name} ({error.strerror or error})", 0.0, "Free some disk space."
        ) from error


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class _OpenDay:
    """Files of one day that stay readable when they are deleted."""

    files: dict[str, pq.ParquetFile]

    @property
    def replaced(self) -> set[str]:
        """Names that a compacted file of this day stands for."""
        metadata = (file.metadata.metadata or {} for file in self.files.values())
        return {name for found in metadata for name in json.loads(found.get(_REPLACES, b"[]"))}

    def read(self, names: Sequence[str], folder: Path) -> pa.Table:
        """The rows of the day by (at, sequence), each once."""
        replaced = self.replaced
        tables = [
            _rows(file, names, folder / name)
            for name, file in sorted(self.files.items())
            if name not in replaced
        ]
        schema = pa.schema([EVENT_SCHEMA.field(name) for name in names])
        return _sorted(pa.concat_tables([schema.empty_table(), *tables]))


@contextmanager
def _opened(folder: Path) -> Iterator[_OpenDay]:
    """All files of the day, open.

    A listing of a folder that changes meanwhile may show neither the old files nor the new one, so
    it counts only if a second listing, after all are open, shows the same names.
    """
    for _ in range(_ATTEMPTS):
        with ExitStack() as stack:
            names = _names(folder)
            try:
                files = {name: stack.enter_context(_open(folder / name)) for name in names}
            except FileNotFoundError:
                continue  # compacted away between the listing and the opening
            if _names(folder) == names:
                yield _OpenDay(files)
                return
    raise StoreUnavailableError(
        "event lake", f"read {folder}", 0.0, f"The folder changed during each of {_ATTEMPTS} attempts."
    )


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _rows(file: pq.ParquetFile, names: Sequence[str], path: Path) -> pa.Table:
    try:
        table = file.read(columns=list(names), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    try:
        return conform(table, pa.schema([EVENT_SCHEMA.field(name) for name in names]), "events")
    except SchemaMismatchError as error:
        raise SchemaMismatchError(f"{path}: {error}") from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is no readable Parquet file: {error}. Move it away, or run `recsys data import` again."
    )


def _compact_day(folder: Path, files: int, largest_bytes: int, durable: bool) -> int:
    if len(_names(folder)) < files:
        return 0
    with _compaction_lock(folder) as held:
        if not held:
            return 0
        with _opened(folder) as day:
            gone = day.replaced & set(day.files)  # a compaction that died before it deleted them
            standing = {name: file for name, file in day.files.items() if name not in gone}
            small = {name: file for name, file in standing.items() if _bytes(folder / name) <= largest_bytes}
            if len(small) >= files:
                gone |= set(small)
                _write(_OpenDay(small).read(EVENT_SCHEMA.names, folder), folder, sorted(gone), durable)
        for name in gone:
            (folder / name).unlink(missing_ok=True)
        return len(gone)


def _bytes(path: Path) -> int:
    return path.stat().st_size


@contextmanager
def _compaction_lock(folder: Path) -> Iterator[bool]:
    """True if this process is the only one that compacts `folder`; the kernel frees it at a crash."""
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
