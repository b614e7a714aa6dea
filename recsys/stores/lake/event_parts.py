"""The events of a home part by part, each of whole days: what is too large to be read at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.ingest.cleaning.hashing import HashArray, hash_texts
from recsys.stores.lake.day import sort_events
from recsys.stores.lake.event_lake import EventLake, JoinedLake
from recsys.stores.lake.same_events import said_by, with_identity

PART_EVENTS = 500_000
_MARGIN = timedelta(seconds=1)
_DAY = timedelta(days=1)
_Range = tuple[datetime, datetime]


def whole_days(first: date, last: date) -> tuple[datetime, datetime]:
    """The midnights, in UTC, at which `first` begins and `last` ends.

    >>> [each.isoformat() for each in whole_days(date(2026, 5, 1), date(2026, 5, 1))]
    ['2026-05-01T00:00:00+00:00', '2026-05-02T00:00:00+00:00']
    """
    begin, end = (datetime.combine(day, time(0), UTC) for day in (first, last))
    return begin, end + _DAY


def count_events(lake: JoinedLake, first: date = date.min, last: date = date.max) -> dict[date, int]:
    """How many events each day has at most: those that are in two lakes count twice. Reads no row."""
    sizes: dict[date, int] = {}
    for each in lake.lakes:
        for day, rows in each.sizes(first, last).items():
            sizes[day] = sizes.get(day, 0) + rows
    return sizes


def parts_as_happened(
    lake: JoinedLake,
    names: Sequence[str],
    most: int = PART_EVENTS,
    first: date = date.min,
    last: date = date.max,
) -> Iterator[pa.Table]:
    """The rows of `lake.read_as_happened(names)` of the days `first` to `last`, in their order, in parts.

    Beside a part, memory holds about twenty bytes an event of the stream.

    Args:
        most: events of a part; a single day may have more.
    """
    imported, live, returned = lake.lakes
    takes = returned if lake.knows_what_happened else None
    # A home of an earlier version does not say which imported events the returned ones stand for.
    undone = np.zeros(0, np.uint64) if takes is None else _ids(takes.read([columns.EVENT_ID]))
    streamed = _find_streamed(lake, most)
    joined = bool(len(streamed.ids))
    needed = with_identity(names) if joined or len(undone) else list(names)
    for within in _ranges(count_events(lake, first, last), most):
        came = _as_they_came(imported, takes, undone, needed, within)
        if joined:
            own = live.read(needed, *within)
            own = own.filter(pa.array(streamed.counts(own)))
            if len(own):
                own = own.filter(pa.array(~_told(own, imported, returned, undone, streamed.ids, within)))
            came = sort_events(pa.concat_tables([came, own]))
        yield came.select(names)


@dataclass(frozen=True)
class _Streamed:
    """The ids of the stream's events, when they were read first: later ones do not count yet.

    Attributes:
        ids: (S,) sorted distinct hashes.
        first: (S,) sequence of the first event to arrive with each id.
        told: (S,) which ids the imported files have too.
    """

    ids: HashArray
    first: IntArray
    told: BoolArray

    def counts(self, events: pa.Table) -> BoolArray:
        """(N,) which of the stream's `events` count as far as their ids say: of one id one."""
        hashes = _ids(events)
        place = np.minimum(np.searchsorted(self.ids, hashes), len(self.ids) - 1)
        sequence = events[columns.SEQUENCE].to_numpy()
        counts = (self.ids[place] == hashes) & ~self.told[place] & (self.first[place] == sequence)
        rows = np.flatnonzero(counts)
        counts[:] = False
        counts[rows[np.unique(hashes[rows], return_index=True)[1]]] = True
        return np.asarray(counts)


def _find_streamed(lake: JoinedLake, most: int) -> _Streamed:
    imported, live, returned = lake.lakes
    if not live.days():
        return _Streamed(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, bool))
    parts = []
    for within in _ranges(count_events(lake), most):
        own = live.read([columns.EVENT_ID, columns.SEQUENCE], *within)
        parts.append((_ids(own), own[columns.SEQUENCE].to_numpy()))
    hashes, arrived = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(arrived, kind="stable")
    ids, first = np.unique(hashes[order], return_index=True)
    told = np.zeros(len(ids), bool)
    for each in (imported, returned):
        for column in each.columns_of(columns.EVENT_ID):
            found = hash_texts(column)
            told[np.searchsorted(ids, found[_among(found, ids)])] = True
    return _Streamed(ids, arrived[order][first], told)


def _told(
    events: pa.Table,
    imported: EventLake,
    returned: EventLake,
    undone: HashArray,
    ids: HashArray,
    within: _Range,
) -> BoolArray:
    """(N,) which of the stream's `events` the imported files tell of by content."""
    wider = (within[0] - _MARGIN, within[1] + _MARGIN)
    others = _as_they_came(imported, returned, undone, with_identity([]), wider)
    # An event that a streamed one has the id of is that one; two lines of an order may say the same.
    return said_by(events, others.filter(pa.array(~_among(_ids(others), ids))))


def _as_they_came(
    imported: EventLake, returned: EventLake | None, undone: HashArray, names: Sequence[str], within: _Range
) -> pa.Table:
    """Imported events and those of `returned`, in the place of those whose ids are `undone`."""
    events = imported.read(names, *within)
    if returned is None:
        return events
    if len(undone):
        events = events.filter(pa.array(~np.isin(_ids(events), undone)))
    back = returned.read(names, *within)
    return sort_events(pa.concat_tables([events, back])) if len(back) else events


def _ids(events: pa.Table) -> HashArray:
    return hash_texts(events[columns.EVENT_ID])


def _among(hashes: HashArray, ids: HashArray) -> BoolArray:
    """(N,) which of `hashes` are in `ids`, which are sorted."""
    place = np.minimum(np.searchsorted(ids, hashes), max(len(ids) - 1, 0))
    return ids[place] == hashes if len(ids) else np.zeros(len(hashes), bool)


def _ranges(sizes: Mapping[date, int], most: int) -> list[_Range]:
    """Runs of days that have at most `most` rows together."""
    runs: list[tuple[date, date]] = []
    held = 0
    for day in sorted(sizes):
        if runs and held + sizes[day] <= most:
            runs[-1] = (runs[-1][0], day)
            held += sizes[day]
        else:
            runs.append((day, day))
            held = sizes[day]
    return [whole_days(begin, end) for begin, end in runs]
