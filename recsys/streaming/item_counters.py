"""What a stream remembers of items: additive counters, a row a day, and a popularity that decays.

Those of several partitions add up in any order: `ItemCounters` are both the state and what a batch adds.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.errors import DataError
from recsys.features.event_log import NEVER
from recsys.features.item_engagement import COUNT_NAME, COUNTED_KINDS, engagement_table
from recsys.features.timeline import validity
from recsys.features.windows import LONGEST_WINDOW, first_day
from recsys.instants import DAY, SECOND
from recsys.retrieval.popularity import POPULARITY_HALF_LIFE_DAYS, POPULARITY_ORIGIN

TILE_VERSION = 1
TILE_DTYPE = np.dtype([("day", "<i4"), ("counts", "<i4", (len(COUNTED_KINDS),))])
_HEAD = struct.Struct("<Bqqd")  # version, newest_at, last_at, popularity


# By kind's code the column of `ItemCounters.counts`; -1 = not counted.
TILE_COLUMNS = np.full(len(columns.KINDS) + 1, -1)
TILE_COLUMNS[[columns.KIND_CODES[kind] for kind in COUNTED_KINDS]] = np.arange(len(COUNTED_KINDS))


@dataclass(frozen=True)
class ItemCounters:
    """D items with T tiles, sorted by item and day; no (item, day) twice.

    Attributes:
        items: external ids, sorted.
        item: (T,) place of each tile's item in `items`.
        day: (T,) days since 1970.
        counts: (T, 6) events that stand, in the order of COUNTED_KINDS; negative in a delta that takes back.
        newest_at: (D,) microseconds of the newest event of any kind, 0 = none.
        last_at: (D,) microseconds of the newest action or cancellation, 0 = none.
        popularity: (D,) weight as of POPULARITY_ORIGIN, see `decayed`.
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
        engagement: rows of VIEW_SCHEMAS[item_engagement], one an item, in the order of the tiles' items.
        expires: item id -> microseconds; None = nothing changes until a new event comes.
    """

    engagement: pa.Table
    expires: dict[str, int | None]


def weight_at_origin(at: IntArray, weight: FloatArray) -> DoubleArray:
    """(N,) what actions of `weight` at `at` add to a popularity."""
    age = (at - POPULARITY_ORIGIN) / (POPULARITY_HALF_LIFE_DAYS * DAY)
    return np.asarray(weight * np.exp2(age), np.float64)


def decayed(popularity: DoubleArray, now: int) -> FloatArray:
    """Popularity at `now`, as `recsys.retrieval.popularity.decayed_popularity` defines it."""
    age = (now - POPULARITY_ORIGIN) / (POPULARITY_HALF_LIFE_DAYS * DAY)
    return np.asarray(popularity * 2.0**-age, np.float32)


def summed(
    items: tuple[str, ...],
    item: IntArray,
    day: IntArray,
    counts: IntArray,
    newest_at: IntArray,
    last_at: IntArray,
    popularity: DoubleArray,
) -> ItemCounters:
    """Tiles out of parts (K,) that may be about the same item and day; `items` in any order, distinct.

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
    tile = key[first]
    total = np.add.reduceat(counts[by_key], first) if len(first) else counts
    return ItemCounters(
        items=tuple(items[place] for place in order.tolist()),
        item=tile // width,
        day=tile % width + oldest,
        counts=total,
        newest_at=newest_at[order],
        last_at=last_at[order],
        popularity=popularity[order],
    )


def added(stored: ItemCounters, deltas: ItemCounters) -> ItemCounters:
    """The sum of both, of all their items; commutative and, but for the rounding of popularity, associative.

    Tiles that left every window before their item's newest event are forgotten.
    """
    items = tuple(dict.fromkeys((*stored.items, *deltas.items)))
    place = {item: rank for rank, item in enumerate(items)}
    parts = [
        (tiles, np.fromiter((place[item] for item in tiles.items), np.int64, len(tiles)))
        for tiles in (stored, deltas)
    ]
    newest, last = np.zeros(len(items), np.int64), np.zeros(len(items), np.int64)
    popularity = np.zeros(len(items))
    for tiles, places in parts:
        newest[places] = np.maximum(newest[places], tiles.newest_at)
        last[places] = np.maximum(last[places], tiles.last_at)
        popularity[places] += tiles.popularity
    item = np.concatenate([places[tiles.item] for tiles, places in parts])
    day = np.concatenate([tiles.day for tiles, _ in parts])
    counts = np.concatenate([tiles.counts for tiles, _ in parts])
    kept = day >= first_day(newest, LONGEST_WINDOW)[item]
    return summed(items, item[kept], day[kept], counts[kept], newest, last, popularity)


def encode_tiles(tiles: ItemCounters) -> dict[str, bytes]:
    """Item id -> its tiles as bytes, with a version."""
    rows = np.empty(len(tiles.day), TILE_DTYPE)
    rows["day"], rows["counts"] = tiles.day, tiles.counts
    data = rows.tobytes()
    places = (_starts(tiles) * TILE_DTYPE.itemsize).tolist()
    heads = zip(tiles.newest_at.tolist(), tiles.last_at.tolist(), tiles.popularity.tolist(), strict=True)
    return {
        item: _HEAD.pack(TILE_VERSION, *head) + data[start:end]
        for item, head, start, end in zip(tiles.items, heads, places[:-1], places[1:], strict=True)
    }


def decode_tiles(stored: Mapping[str, bytes]) -> ItemCounters:
    """What `encode_tiles` made; the items of `stored`.

    Raises:
        DataError: tiles are of another version.
    """
    items = tuple(sorted(stored))
    blobs = [stored[item] for item in items]
    heads = [_HEAD.unpack_from(blob) for blob in blobs]
    for item, head in zip(items, heads, strict=True):
        if head[0] != TILE_VERSION:
            raise DataError(
                f"the tiles of item {item!r} have version {head[0]}, not {TILE_VERSION}. "
                "Remove the stream's state: the next worker builds it anew from the event lake."
            )
    lengths = np.fromiter((len(blob) - _HEAD.size for blob in blobs), np.int64, len(blobs))
    rows = np.frombuffer(b"".join([memoryview(blob)[_HEAD.size :] for blob in blobs]), TILE_DTYPE)
    return ItemCounters(
        items=items,
        item=np.repeat(np.arange(len(items)), lengths // TILE_DTYPE.itemsize),
        day=rows["day"].astype(np.int64),
        counts=rows["counts"].astype(np.int64),
        newest_at=np.array([head[1] for head in heads], np.int64),
        last_at=np.array([head[2] for head in heads], np.int64),
        popularity=np.array([head[3] for head in heads], np.float64),
    )


def item_rows(tiles: ItemCounters, *, now: int, created: int) -> ItemRows:
    """The item_engagement row of every item of `tiles` valid at `now`, as the batch table has it.

    Its event timestamp is the newest event's instant or the latest midnight up to `now` at which a window
    lost a tile, whichever is later.

    Args:
        created: microseconds, the rows' created timestamp.
    """
    valid = validity(tiles.newest_at, tiles.item, tiles.day, now)
    counts = {}
    for days in columns.WINDOW_DAYS:
        held = np.flatnonzero(tiles.day >= first_day(valid.since, days)[tiles.item])
        sums = np.zeros((len(held) + 1, len(COUNTED_KINDS)), np.int64)
        np.cumsum(tiles.counts[held], axis=0, out=sums[1:])
        starts = np.searchsorted(tiles.item[held], np.arange(len(tiles) + 1))
        within = (sums[starts[1:]] - sums[starts[:-1]]).astype(np.int32)  # (D, 6)
        for place, kind in enumerate(COUNTED_KINDS):
            counts[COUNT_NAME.format(kind=kind, days=days)] = pa.array(within[:, place])
    engagement = engagement_table(
        counts, tiles.last_at // SECOND, pa.array(tiles.items, pa.string()), valid.since, created
    )
    return ItemRows(engagement, dict(zip(tiles.items, or_none(valid.until), strict=True)))


def or_none(until: IntArray) -> list[int | None]:
    """The instants of `until`, None for NEVER."""
    return [None if at == NEVER else at for at in until.tolist()]


def _starts(tiles: ItemCounters) -> IntArray:
    """(D + 1,) first tile of each item."""
    return np.searchsorted(tiles.item, np.arange(len(tiles) + 1))
