"""What a stream remembers of items: additive counters, a row a day, and a popularity that decays.

Those of several partitions add up in any order: `ItemCounters` are both the state and what a batch adds.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.errors import DataError
from recsys.features.item_engagement import COUNT_NAME, COUNTED_KINDS, engagement_table
from recsys.features.timeline import find_validity
from recsys.features.windows import LONGEST_WINDOW, first_day
from recsys.instants import DAY, NEVER, SECOND
from recsys.retrieval.popularity import POPULARITY_HALF_LIFE_DAYS, POPULARITY_ORIGIN

COUNTER_VERSION = 1
COUNTER_DTYPE = np.dtype([("day", "<i4"), ("counts", "<i4", (len(COUNTED_KINDS),))])
_HEAD = struct.Struct("<Bqqd")  # version, newest_at, last_at, popularity


# By kind's code the column of `ItemCounters.counts`; -1 = not counted.
TILE_COLUMNS = np.full(len(columns.KINDS) + 1, -1)
TILE_COLUMNS[[columns.KIND_CODES[kind] for kind in COUNTED_KINDS]] = np.arange(len(COUNTED_KINDS))


@dataclass(frozen=True)
class ItemCounters:
    """D items with T counters, sorted by item and day; no (item, day) twice.

    Attributes:
        items: external ids, sorted.
        item: (T,) place of each counter's item in `items`.
        day: (T,) days since 1970.
        counts: (T, 6) events that stand, in the order of COUNTED_KINDS; negative in a delta that takes back.
        newest_at: (D,) microseconds of the newest event of any kind, 0 = none.
        last_at: (D,) microseconds of the newest action or cancellation, 0 = none.
        popularity: (D,) weight as of POPULARITY_ORIGIN, see `decay_popularity`.
    """

    items: tuple[str, ...]
    item: IntArray
    day: IntArray
    counts: IntArray
    newest_at: IntArray
    last_at: IntArray
    popularity: DoubleArray

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class ItemRows:
    """item_engagement rows of items, and for each item the midnight at which its row changes next.

    Attributes:
        engagement: rows of VIEW_SCHEMAS[item_engagement], one an item, in the order of the counters' items.
        expires: item id -> microseconds; None = nothing changes until a new event comes.
    """

    engagement: pa.Table
    expires: dict[str, int | None]


def weight_at_origin(at: IntArray, weight: FloatArray) -> DoubleArray:
    """(N,) what actions of `weight` at `at` add to a popularity."""
    age = (at - POPULARITY_ORIGIN) / (POPULARITY_HALF_LIFE_DAYS * DAY)
    return np.asarray(weight * np.exp2(age), np.float64)


def decay_popularity(popularity: DoubleArray, now: int) -> FloatArray:
    """Popularity at `now`, as `recsys.retrieval.popularity.decayed_popularity` defines it."""
    age = (now - POPULARITY_ORIGIN) / (POPULARITY_HALF_LIFE_DAYS * DAY)
    return np.asarray(popularity * 2.0**-age, np.float32)


def sum_counters(
    items: tuple[str, ...],
    item: IntArray,
    day: IntArray,
    counts: IntArray,
    newest_at: IntArray,
    last_at: IntArray,
    popularity: DoubleArray,
) -> ItemCounters:
    """Counters out of parts (K,) that may be about the same item and day; `items` in any order, distinct.

    Args:
        counts: (K, 6).
        newest_at, last_at, popularity: (len(items),).
    """
    order = np.array(sorted(range(len(items)), key=items.__getitem__), np.int64)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    oldest = int(day.min()) if len(day) else 0
    width = (int(day.max()) if len(day) else 0) - oldest + 1
    key = rank[item] * width + (day - oldest)
    by_key = np.argsort(key, kind="stable")  # of sorted parts behind each other: hardly more than a merge
    key = key[by_key]
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
    counter = key[first]
    total = np.add.reduceat(counts[by_key], first) if len(first) else counts
    return ItemCounters(
        items=tuple(items[place] for place in order.tolist()),
        item=counter // width,
        day=counter % width + oldest,
        counts=total,
        newest_at=newest_at[order],
        last_at=last_at[order],
        popularity=popularity[order],
    )


def add_counters(stored: ItemCounters, deltas: ItemCounters) -> ItemCounters:
    """The sum of both, of all their items; commutative and, but for the rounding of popularity, associative.

    Counters that left every window before their item's newest event are forgotten.
    """
    return sum_parts([stored, deltas])


def sum_parts(parts: Sequence[ItemCounters]) -> ItemCounters:
    """The sum of all `parts`, see `add_counters`; an item may come several times in one of them."""
    items = tuple(dict.fromkeys(chain.from_iterable(part.items for part in parts)))
    place = {item: rank for rank, item in enumerate(items)}
    newest, last = np.zeros(len(items), np.int64), np.zeros(len(items), np.int64)
    popularity = np.zeros(len(items))
    of_parts = []
    for part in parts:
        places = np.fromiter((place[item] for item in part.items), np.int64, len(part))
        np.maximum.at(newest, places, part.newest_at)
        np.maximum.at(last, places, part.last_at)
        np.add.at(popularity, places, part.popularity)
        of_parts.append(places[part.item])
    item = np.concatenate([np.zeros(0, np.int64), *of_parts])
    day = np.concatenate([np.zeros(0, np.int64), *(part.day for part in parts)])
    counts = np.concatenate([np.zeros((0, len(COUNTED_KINDS)), np.int64), *(part.counts for part in parts)])
    kept = day >= first_day(newest, LONGEST_WINDOW)[item]
    return sum_counters(items, item[kept], day[kept], counts[kept], newest, last, popularity)


def encode_counters(counters: ItemCounters) -> dict[str, bytes]:
    """Item id -> its counters as bytes, with a version."""
    rows = np.empty(len(counters.day), COUNTER_DTYPE)
    rows["day"], rows["counts"] = counters.day, counters.counts
    data = rows.tobytes()
    places = (_starts(counters) * COUNTER_DTYPE.itemsize).tolist()
    heads = zip(
        counters.newest_at.tolist(), counters.last_at.tolist(), counters.popularity.tolist(), strict=True
    )
    return {
        item: _HEAD.pack(COUNTER_VERSION, *head) + data[start:end]
        for item, head, start, end in zip(counters.items, heads, places[:-1], places[1:], strict=True)
    }


def decode_counters(stored: Mapping[str, bytes]) -> ItemCounters:
    """What `encode_counters` made; the items of `stored`.

    Raises:
        DataError: counters are of another version.
    """
    items = sorted(stored)
    return decode_parts(items, [stored[item] for item in items])


def decode_parts(items: Sequence[str], blobs: Sequence[bytes]) -> ItemCounters:
    """The counters in `blobs` of these items, in their order; one item may come several times.

    Raises:
        DataError: counters are of another version.
    """
    heads = [_HEAD.unpack_from(blob) for blob in blobs]
    for item, head in zip(items, heads, strict=True):
        if head[0] != COUNTER_VERSION:
            raise DataError(
                f"the counters of item {item!r} have version {head[0]}, not {COUNTER_VERSION}. "
                "Remove the stream's state: the next worker builds it anew from the event lake."
            )
    lengths = np.fromiter((len(blob) - _HEAD.size for blob in blobs), np.int64, len(blobs))
    rows = np.frombuffer(b"".join([memoryview(blob)[_HEAD.size :] for blob in blobs]), COUNTER_DTYPE)
    return ItemCounters(
        items=tuple(items),
        item=np.repeat(np.arange(len(items)), lengths // COUNTER_DTYPE.itemsize),
        day=rows["day"].astype(np.int64),
        counts=rows["counts"].astype(np.int64),
        newest_at=np.array([head[1] for head in heads], np.int64),
        last_at=np.array([head[2] for head in heads], np.int64),
        popularity=np.array([head[3] for head in heads], np.float64),
    )


def item_rows(counters: ItemCounters, *, now: int, created: int) -> ItemRows:
    """The item_engagement row of every item of `counters` valid at `now`, as the batch table has it.

    Its event timestamp is the newest event's instant or the latest midnight up to `now` at which a window
    lost a counter, whichever is later.

    Args:
        created: microseconds, the rows' created timestamp.
    """
    valid = find_validity(counters.newest_at, counters.item, counters.day, now)
    counts = {}
    for days in columns.WINDOW_DAYS:
        held = np.flatnonzero(counters.day >= first_day(valid.since, days)[counters.item])
        sums = np.zeros((len(held) + 1, len(COUNTED_KINDS)), np.int64)
        np.cumsum(counters.counts[held], axis=0, out=sums[1:])
        starts = np.searchsorted(counters.item[held], np.arange(len(counters) + 1))
        within = (sums[starts[1:]] - sums[starts[:-1]]).astype(np.int32)  # (D, 6)
        for place, kind in enumerate(COUNTED_KINDS):
            counts[COUNT_NAME.format(kind=kind, days=days)] = pa.array(within[:, place])
    engagement = engagement_table(
        counts, counters.last_at // SECOND, pa.array(counters.items, pa.string()), valid.since, created
    )
    return ItemRows(engagement, dict(zip(counters.items, or_none(valid.until), strict=True)))


def or_none(until: IntArray) -> list[int | None]:
    """The instants of `until`, None for NEVER."""
    return [None if at == NEVER else at for at in until.tolist()]


def _starts(counters: ItemCounters) -> IntArray:
    """(D + 1,) first tile of each item."""
    return np.searchsorted(counters.item, np.arange(len(counters) + 1))
