"""The files of one day of the event lake: written whole or not at all, read and merged while others write."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys import atomic, columns
from recsys.dataset.schemas import EVENT_SCHEMA, conform_table, upgrade_events
from recsys.errors import DataError, SchemaMismatchError, StoreUnavailableError
from recsys.home import LIVE
from recsys.stores.locks import try_lock

_REPLACES = b"recsys.replaces"
_LOCK = ".compaction.lock"
ORDER: list[tuple[str, Literal["ascending"]]] = [(columns.AT, "ascending"), (columns.SEQUENCE, "ascending")]
_REPETITIVE = [columns.KIND]  # ids of one day repeat too little for a dictionary to pay
_ATTEMPTS = 100
BY_CONTENT = "by content"  # instead of a file's name


def sort_events(table: pa.Table) -> pa.Table:
    """`table` by (at, sequence); the common case, sorted already, costs one comparison a row."""
    at = table[columns.AT].cast(pa.int64()).to_numpy()
    sequence = table[columns.SEQUENCE].to_numpy()
    later = (at[1:] > at[:-1]) | ((at[1:] == at[:-1]) & (sequence[1:] >= sequence[:-1]))
    return table if later.all() else table.take(pc.sort_indices(table, sort_keys=ORDER))


def file_names(folder: Path) -> frozenset[str]:
    """The names of the day's files; none where there is no folder."""
    try:
        return frozenset(entry.name for entry in os.scandir(folder) if entry.name.endswith(".parquet"))
    except FileNotFoundError:
        return frozenset()


def row_count(path: Path) -> int:
    """How many rows a file has; 0 where a compaction has just deleted it.

    Raises:
        DataError: it is not a Parquet file.
    """
    try:
        with _open(path) as file:
            return int(file.metadata.num_rows)
    except FileNotFoundError:
        return 0


def merged_names(path: Path) -> list[str]:
    """The names of the files that a compaction merged into this one; none for any other."""
    try:
        with _open(path) as file:
            return list(json.loads((file.metadata.metadata or {}).get(_REPLACES, b"[]")))
    except FileNotFoundError:
        return []


def write_day_file(
    table: pa.Table,
    folder: Path,
    replaces: Sequence[str] = (),
    durable: bool = True,
    name: str | None = None,
) -> None:
    """A new file of `folder`, there whole or not at all; on the disk when this returns, if `durable`.

    Args:
        name: without an ending; BY_CONTENT = one that equal rows have again. None = one that no file has.
    """
    path = folder / f"{name or uuid4().hex}.parquet"
    if name == BY_CONTENT:
        table = table.combine_chunks()  # pages end where chunks do
    if replaces:
        table = table.replace_schema_metadata({_REPLACES: json.dumps(sorted(replaces)).encode()})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sink = pa.BufferOutputStream()  # a day fits in memory, and Arrow fills it without the interpreter
        pq.write_table(
            table, sink, compression="lz4", use_dictionary=_REPETITIVE, write_statistics=[columns.AT]
        )
        content = sink.getvalue()
        if name == BY_CONTENT:
            path = folder / f"{_hash_of_pages(content)}.parquet"
        atomic.write_bytes(path, content, durable)
    except OSError as error:
        raise StoreUnavailableError(
            "event lake", f"write {path} ({error.strerror or error})", 0.0, "Free some disk space."
        ) from error


def _hash_of_pages(content: pa.Buffer) -> str:
    """A hash of a Parquet file without its footer, which may name other files."""
    footer = int.from_bytes(content[-8:-4].to_pybytes(), "little") + 8
    return hashlib.blake2b(content[:-footer], digest_size=16).hexdigest()


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
        return sort_events(pa.concat_tables([schema.empty_table(), *tables]))

    def column(self, name: str, folder: Path) -> pa.ChunkedArray:
        """One column of the day, in no order."""
        standing = {each: file for each, file in self.files.items() if each not in self.replaced}
        tables = [_rows(file, [name], folder / each) for each, file in standing.items()]
        return pa.concat_tables([pa.schema([EVENT_SCHEMA.field(name)]).empty_table(), *tables])[name]


@contextmanager
def open_day(folder: Path) -> Iterator[_OpenDay]:
    """All files of the day, open.

    A listing of a folder that changes meanwhile may show neither the old files nor the new one, so
    it counts only if a second listing, after all are open, shows the same names.
    """
    for _ in range(_ATTEMPTS):
        with ExitStack() as stack:
            names = file_names(folder)
            try:
                files = {name: stack.enter_context(_open(folder / name)) for name in names}
            except FileNotFoundError:
                continue  # compacted away between the listing and the opening
            if file_names(folder) == names:
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
    stored = list(names)
    if columns.QUANTITY in names and columns.EVENT_QUANTITY in file.schema_arrow.names:  # of earlier versions
        stored += [columns.EVENT_QUANTITY, columns.KIND]
    try:
        table = file.read(columns=list(dict.fromkeys(stored)), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    try:
        table = upgrade_events(table)
        table = table.select([name for name in names if name in table.column_names])
        return conform_table(table, pa.schema([EVENT_SCHEMA.field(name) for name in names]), "events")
    except SchemaMismatchError as error:
        raise SchemaMismatchError(f"{path}: {error}") from error


def _damaged(path: Path, error: Exception) -> DataError:
    said = f"{path} is not a readable Parquet file: {error}."
    if path.parent.parent.name == LIVE:
        return DataError(
            f"{said} It holds events of the stream, and no import brings them back: put a back-up of it "
            "in its place, or move it away; then its events are lost, unless the shop's files have them too."
        )
    return DataError(
        f"{said} Run `recsys data import` again: it writes all files of {path.parent.parent} anew."
    )


def compact_day(folder: Path, files: int, largest_bytes: int, durable: bool, name: str | None = None) -> int:
    """Merges files of at most `largest_bytes` if there are at least `files`; returns how many are gone.

    Args:
        name: of the merged file, see `write_day_file`.
    """
    if len(file_names(folder)) < files:
        return 0
    lock = try_lock(folder / _LOCK)
    if lock is None:  # another process compacts this day
        return 0
    with lock:
        with open_day(folder) as day:
            gone = day.replaced & set(day.files)  # a compaction that died before it deleted them
            standing = {name: file for name, file in day.files.items() if name not in gone}
            small = {name: file for name, file in standing.items() if _bytes(folder / name) <= largest_bytes}
            if len(small) >= files:
                gone |= set(small)
                merged = _OpenDay(small).read(EVENT_SCHEMA.names, folder)
                write_day_file(merged, folder, sorted(gone), durable, name)
        for name in gone:
            (folder / name).unlink(missing_ok=True)
        return len(gone)


def _bytes(path: Path) -> int:
    return path.stat().st_size
