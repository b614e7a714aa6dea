"""The event lake: canonical events as Parquet, one folder a day, written by many and read by many.

What holds at any instant, crashes included:

- A file appears whole or not at all: it is written under a hidden name, flushed to the disk and renamed.
- Appends never touch a file that exists, so no writer can lose another's rows and none needs a lock.
- Compaction writes one file that names those it replaces, and only then deletes them. A reader skips
  what another file replaces, so it never sees a row twice; it opens all files of a day before it reads
  and looks again whether the folder is still the same, so it never misses one.
"""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, combined
from recsys.dataset.schemas import EVENT_SCHEMA, conform_table
from recsys.errors import DataError
from recsys.home import HomePaths
from recsys.ingest.cleaning.hashing import hash_texts
from recsys.instants import DAY, SECOND, to_micros
from recsys.stores.lake.day import (
    BY_CONTENT,
    ORDER,
    compact_day,
    file_names,
    open_day,
    row_count,
    sort_events,
    write_day_file,
)
from recsys.stores.lake.same_events import identity_words, said_by, with_identity

_PREFIX = "day="
RETURNED_FOLDER = "returned"  # beside items and users: see `JoinedLake`
AS_THEY_CAME = "as-they-came"  # a file in it, which those of earlier versions lack
_MARGIN = timedelta(seconds=1)
_MINUTE = 60 * SECOND
_WRITERS = 2  # a day's file is a few milliseconds of work and a wait for the disk


class EventLake:
    """Events by UTC day under `root`; nothing is created before the first append."""

    def __init__(self, root: Path, durable: bool = True) -> None:
        """Opens nothing.

        Args:
            durable: False = a caller writes a whole lake at once, no row of it twice, and does the flushing.
                Files are named by their content then: a day that is the same as before has the same file.
        """
        self.root = root
        self._durable = durable
        self._name = None if durable else BY_CONTENT

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
        table = conform_table(table, EVENT_SCHEMA, "events")
        if not len(table):
            return
        table = sort_events(table)
        days = table[columns.AT].cast(pa.int64()).to_numpy() // DAY
        starts = np.flatnonzero(np.r_[True, days[1:] != days[:-1]])
        ends = np.r_[starts[1:], len(days)]

        def write(start: int, end: int) -> None:
            day = date(1970, 1, 1) + timedelta(days=int(days[start]))
            part, folder = table.slice(start, end - start), self.root / _folder_name(day)
            write_day_file(part, folder, durable=self._durable, name=name or self._name)

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
            DataError: a file is not a Parquet file of events; the message names it.
        """
        names = list(EVENT_SCHEMA.names if columns is None else columns)
        needed = list(dict.fromkeys([*names, *(name for name, _ in ORDER)]))
        tables = [pa.schema([EVENT_SCHEMA.field(name) for name in needed]).empty_table()]
        for folder in self._folders(start, end):
            with open_day(folder) as day:
                tables.append(day.read(needed, folder))
        return _between(pa.concat_tables(tables), start, end).select(names)

    def columns_of(self, name: str) -> Iterator[pa.ChunkedArray]:
        """One column, day by day, in no order: less work than `read`."""
        for folder in self._folders(None, None):
            with open_day(folder) as day:
                yield day.column(name, folder)

    def days(self) -> list[date]:
        """The days that have events, oldest first."""
        return [_day(folder) for folder in self._folders(None, None) if file_names(folder)]

    def compact(self, files: int = 2, largest_bytes: int | None = None) -> int:
        """Merges the files of each day that has several; returns how many files that replaced.

        Safe beside appends and reads. A day that another process is compacting is skipped.

        Args:
            files: days with fewer of them are left alone.
            largest_bytes: larger files are left alone and not counted; by default none is.
        """
        most = largest_bytes or sys.maxsize
        return sum(
            compact_day(folder, files, most, self._durable, self._name)
            for folder in self._folders(None, None)
        )

    def sizes(self, first: date = date.min, last: date = date.max) -> dict[date, int]:
        """How many rows the files of each day hold; those that a compaction replaced count until they go."""
        folders = (each for each in self._folders(None, None) if first <= _day(each) <= last)
        return {
            _day(folder): sum(row_count(folder / name) for name in file_names(folder)) for folder in folders
        }

    def _folders(self, start: datetime | None, end: datetime | None) -> list[Path]:
        first = start.astimezone(UTC).date() if start else date.min
        last = end.astimezone(UTC).date() if end else date.max
        folders = self.root.glob(f"{_PREFIX}*") if self.root.is_dir() else ()
        return sorted(folder for folder in folders if first <= _day(folder) <= last)


@dataclass(frozen=True)
class CountedOnce:
    """Events of the stream that the imported files hold too, by how they were known.

    Attributes:
        alike: further ones that the files may hold by the minute or the day only: they count beside those.
    """

    by_id: int
    by_content: int
    alike: int = 0


class JoinedLake:
    """The imported events and those that came by the stream, read as one; each event once.

    A streamed event is an imported one if it has its id, or else, beside imported events that no streamed one
    has the id of, if it has the user, item, kind and instant of one; to the second where either instant is a
    whole one. What an import took back already is known by the same rule: a cancellation that a file and the
    stream tell of counts once too.

    There are two views of the imported events. `read` is net of what the import took back: undone purchases
    are not there, partly returned ones are reduced, and neither are the cancellations. `read_as_happened` has
    purchases as they came and cancellations at their own instants, so that it says of any instant what was
    known then.
    """

    def __init__(self, imported: EventLake, live: EventLake, returned: EventLake | None = None) -> None:
        """Opens nothing; `returned` has the cancellations that took something back at the import, and the
        purchases that they took it from, as they came.
        """
        self._imported, self._live = imported, live
        self._returned = returned or EventLake(imported.root / RETURNED_FOLDER)

    def read(
        self,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> pa.Table:
        """As `EventLake.read`. Of one event the imported one counts, else the first to arrive."""
        names = list(EVENT_SCHEMA.names if columns is None else columns)
        if not self._live.days():
            return self._imported.read(names, start, end)
        needed, wider = with_identity(names), _widened(start, end)
        imported, live = (lake.read(needed, *wider) for lake in (self._imported, self._live))
        joined = _once(imported, live, self._returned.read(with_identity([])))[0]
        return _between(joined, start, end).select(names)

    def read_as_happened(
        self,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> pa.Table:
        """As `read`, with every purchase as it came and every cancellation at its own instant.

        A home that an earlier version imported has no purchases that were partly returned as they came; what
        it says is what `read` says.
        """
        names = list(EVENT_SCHEMA.names if columns is None else columns)
        if not self.knows_what_happened:
            return self.read(names, start, end)
        needed, wider = with_identity(names), _widened(start, end)
        net, returned, live = (
            lake.read(needed, *wider) for lake in (self._imported, self._returned, self._live)
        )
        came = pa.concat_tables([net.filter(pa.array(~_listed(net, returned))), returned])
        joined = _once(came, live, returned.slice(0, 0))[0] if len(live) else sort_events(came)
        return _between(joined, start, end).select(names)

    @property
    def lakes(self) -> tuple[EventLake, EventLake, EventLake]:
        """The imported one, that of the stream, and what the import took back."""
        return self._imported, self._live, self._returned

    @property
    def knows_what_happened(self) -> bool:
        """Whether purchases are kept as they came, see `read_as_happened`."""
        return (self._returned.root / AS_THEY_CAME).exists()

    def event_ids(self, start: datetime) -> pa.ChunkedArray:
        """The ids of all events since `start`, of those too that count as another."""
        lakes = (self._imported, self._live, self._returned)
        return pa.concat_tables([lake.read([columns.EVENT_ID], start) for lake in lakes])[columns.EVENT_ID]

    def counted_once(self) -> CountedOnce:
        """How many events are in both lakes and count once."""
        if not self._live.days():
            return CountedOnce(0, 0)
        lakes = (self._imported, self._live, self._returned)
        imported, live, returned = (lake.read(with_identity([])) for lake in lakes)
        joined, counted = _once(imported, live, returned)
        return replace(counted, alike=_alike(joined, imported, live))

    def days(self) -> list[date]:
        """The days that have events, oldest first."""
        return sorted({*self._imported.days(), *self._live.days()})


def open_lake(paths: HomePaths) -> JoinedLake:
    """All events of a home: what everything reads that wants to know what happened."""
    returned = EventLake(paths.data / RETURNED_FOLDER)
    return JoinedLake(EventLake(paths.lake), EventLake(paths.live), returned)


def _once(imported: pa.Table, live: pa.Table, returned: pa.Table) -> tuple[pa.Table, CountedOnce]:
    """Both, sorted by (at, sequence), each event once; and how many of `live` are in `imported`.

    Args:
        returned: what the import left out because it undoes each other; `live` is compared with it too.
    """
    live = live.take(pc.sort_indices(live, sort_keys=[(columns.SEQUENCE, "ascending")]))
    identity = with_identity([])
    read = pa.concat_tables([imported.select(identity), returned.select(identity)])
    theirs, own = hash_texts(read[columns.EVENT_ID]), hash_texts(live[columns.EVENT_ID])
    by_id = np.isin(own, theirs)
    rest = np.flatnonzero(~by_id)
    _, first = np.unique(own[rest], return_index=True)
    rest = rest[np.sort(first)]
    # An event that a streamed one has the id of is that one; two lines of an order may say the same.
    alone = read.filter(pa.array(~np.isin(theirs, own)))
    by_content = said_by(live.take(pa.array(rest)), alone)
    joined = pa.concat_tables([imported, live.take(pa.array(rest[~by_content]))])
    return sort_events(joined), CountedOnce(int(by_id.sum()), int(by_content.sum()))


def _alike(joined: pa.Table, imported: pa.Table, live: pa.Table) -> int:
    """How many streamed events count that came within a day after one of a whole minute in the files.

    Both have the same user, item and kind, and no streamed event is known to be the one of the files.
    """
    counting = live.filter(pc.is_in(live[columns.EVENT_ID], value_set=_ids(joined, beside=imported)))
    at = imported[columns.AT].cast(pa.int64()).to_numpy()
    near = pc.is_in(imported[columns.USER_ID], value_set=combined(counting[columns.USER_ID]))
    coarse = imported.filter(pc.and_(near, pa.array(at % _MINUTE == 0)))
    known = pc.is_in(coarse[columns.EVENT_ID], value_set=combined(live[columns.EVENT_ID]))
    coarse = coarse.filter(pc.invert(known))
    coarse = coarse.filter(pa.array(~said_by(coarse, live)))
    told: dict[tuple[str, ...], list[int]] = {}
    for words, instant in zip(
        identity_words(coarse), coarse[columns.AT].cast(pa.int64()).to_pylist(), strict=True
    ):
        told.setdefault(words, []).append(instant)
    instants = counting[columns.AT].cast(pa.int64()).to_pylist()
    return sum(
        any(0 <= instant - other < DAY for other in told.get(words, ()))
        for words, instant in zip(identity_words(counting), instants, strict=True)
    )


def _widened(start: datetime | None, end: datetime | None) -> tuple[datetime | None, datetime | None]:
    """What is the same event may lie on both sides of a bound."""
    return start and start - _MARGIN, end and end + _MARGIN


def _listed(events: pa.Table, others: pa.Table) -> BoolArray:
    """(N,) which of `events` have the id of one of `others`."""
    own, their = (hash_texts(each[columns.EVENT_ID]) for each in (events, others))
    return np.isin(own, their)


def _ids(joined: pa.Table, beside: pa.Table) -> pa.Array:
    """The event ids of `joined` that `beside` does not have."""
    ids = joined[columns.EVENT_ID]
    return combined(ids.filter(pc.invert(pc.is_in(ids, value_set=combined(beside[columns.EVENT_ID])))))


def _folder_name(day: date) -> str:
    return f"{_PREFIX}{day.isoformat()}"


def _day(folder: Path) -> date:
    try:
        return date.fromisoformat(folder.name.removeprefix(_PREFIX))
    except ValueError as error:
        raise DataError(
            f"{folder} is not a day of the event lake. Move it out of {folder.parent}."
        ) from error


def _between(table: pa.Table, start: datetime | None, end: datetime | None) -> pa.Table:
    """The rows of `table`, which are in order of time, with start <= at < end."""
    at = table[columns.AT].cast(pa.int64()).to_numpy()
    first = 0 if start is None else int(np.searchsorted(at, to_micros(start)))
    last = len(at) if end is None else int(np.searchsorted(at, to_micros(end)))
    return table.slice(first, last - first)
