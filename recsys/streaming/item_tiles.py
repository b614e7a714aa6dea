"""What a stream remembers of items: additive tiles, a row a day, and a popularity that decays.

Tiles of several partitions add up in any order: `ItemTiles` are both the state and what a batch adds to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recsys.features.event_log import IntArray


@dataclass(frozen=True)
class ItemTiles:
    """D items with T tiles, sorted by item and day; no (item, day) twice.

    Attributes:
        items: external ids, sorted.
        item: (T,) place of each tile's item in `items`.
        day: (T,) days since 1970.
        counts: (T, 6) events that stand, in the order of TILE_KINDS; negative in a delta that takes back.
        newest_at: (D,) microseconds of the newest event of any kind, 0 = none.
        last_at: (D,) microseconds of the newest action or cancellation, 0 = none.
        popularity: (D,) float64, forward-decayed weight, see `decayed`.
    """

    items: tuple[str, ...]
    item: IntArray
    day: IntArray
    counts: IntArray
    newest_at: IntArray
    last_at: IntArray
    popularity: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class ItemRows:
    """item_engagement rows of items, and for each item the midnight at which its row changes next.

    Attributes:
        engagement: rows of VIEW_SCHEMAS[item_engagement], one an item, valid at the instant asked.
        expires: item id -> microseconds; None = nothing changes until a new event comes.
    """

    engagement: pa.Table
    expires: dict[str, int | None]


def encode_tiles(tiles: ItemTiles) -> dict[str, bytes]:
    """Item id -> its tiles as bytes, with a version."""
    raise NotImplementedError


def decode_tiles(stored: Mapping[str, bytes]) -> ItemTiles:
    """What `encode_tiles` made; the items of `stored`."""
    raise NotImplementedError


def added(stored: ItemTiles, deltas: ItemTiles, now: int) -> ItemTiles:
    """The sum; tiles that no window can hold any more at `now` are forgotten. Commutative and associative."""
    raise NotImplementedError


def item_rows(tiles: ItemTiles, *, now: int, created: int) -> ItemRows:
    """The item_engagement row of every item of `tiles` valid at `now`, as the batch table has it.

    Its event timestamp is the newest event's instant or the latest midnight up to `now` at which a window
    lost a tile, whichever is later.

    Args:
        created: microseconds, the rows' created timestamp.
    """
    raise NotImplementedError


def decayed(popularity: npt.NDArray[np.float64], now: int) -> npt.NDArray[np.float32]:
    """Popularity at `now`, as `recsys.retrieval.popularity.decayed_popularity` defines it."""
    raise NotImplementedError
