"""The items of one step: their counters brought up to date, the rows of it, and which are unknown."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.catalog import stable_key
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.instants import NEVER
from recsys.streaming.item_counters import (
    ItemCounters,
    add_counters,
    decode_counters,
    encode_counters,
    item_rows,
)
from recsys.streaming.state import ItemState


class ItemUpdate:
    """A `Step.merge` that keeps what it made.

    Attributes:
        engagement: item_engagement rows of the items.
        popularity: item id -> forward-decayed popularity.
    """

    def __init__(self, deltas: ItemCounters | None, now: int) -> None:
        """Args:
        deltas: what a batch adds; None where only time has passed.
        now: microseconds at which the rows are valid.
        """
        self._deltas, self._now = deltas, now
        self.engagement: pa.Table = VIEW_SCHEMAS[columns.ITEM_ENGAGEMENT].empty_table()
        self.popularity: dict[str, float] = {}

    def __call__(self, stored: Mapping[str, ItemState], created: int) -> dict[str, ItemState]:
        """The new states of the items, from those that are stored."""
        counters = decode_counters({item: state.counters for item, state in stored.items()})
        if self._deltas is not None:
            counters = add_counters(counters, self._deltas)
        if not len(counters):
            return {}
        rows = item_rows(counters, now=self._now, created=created)
        self.engagement = rows.engagement
        self.popularity = dict(zip(counters.items, counters.popularity.tolist(), strict=True))
        return {
            item: ItemState(blob, rows.expires[item] or NEVER)
            for item, blob in encode_counters(counters).items()
        }


KnownItems = Callable[[IntArray], BoolArray]
"""Item keys (see `recsys.catalog.stable_key`) -> whether the catalog has them."""


def all_known(item_keys: IntArray) -> BoolArray:
    """(N,) true: where there is no catalog to ask."""
    return np.ones(len(item_keys), bool)


def unknown_items(events: pa.Table, is_known: KnownItems) -> dict[str, int]:
    """Items that canonical `events` are about and the catalog does not know -> how many events those are."""
    counted = pc.value_counts(events[columns.ITEM_ID].drop_null().combine_chunks())
    items: list[str] = counted.field("values").to_pylist()
    unknown = ~is_known(np.fromiter(map(stable_key, items), np.int64, len(items)))
    counts = counted.field("counts").to_numpy()
    return {items[place]: int(counts[place]) for place in np.flatnonzero(unknown)}
