"""Canonical events as arrays: what cleaning, logs and counters take of a batch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.catalog import stable_key
from recsys.dataset.cancellations import read_amounts
from recsys.features.event_log import CANCEL_CODE, is_counted, is_unseen, kind_codes, with_viewable
from recsys.ingest.cleaning.hashing import hash_texts

SEARCH_CODE = columns.KIND_CODES[columns.SEARCH]


@dataclass(frozen=True)
class EventBatch:
    """N events in the order of arrival; arrays are (N,).

    Attributes:
        users: external ids; `user` indexes it.
        items: external ids; `item` indexes it, -1 = the event is about none.
        item_keys: (len(items),) stable keys.
        kind: codes of `recsys.columns.KIND_CODES`.
        quantity, value: as `recsys.features.event_log.EventLog` has them.
        counted: features count it: an action of weight above 0, an impression that was not unseen, or a
            cancellation of an item.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    item_keys: IntArray
    user: IntArray
    item: IntArray
    kind: IntArray
    at: IntArray
    sequence: IntArray
    quantity: IntArray
    value: IntArray
    weight: FloatArray
    counted: BoolArray

    def __len__(self) -> int:
        return len(self.at)

    @property
    def is_search(self) -> BoolArray:
        """(N,) which events are searches."""
        return np.asarray(self.kind == SEARCH_CODE)

    def users_at(self, names: Iterable[str]) -> IntArray:
        """Where these users, who are all in the batch, stand in `users`."""
        place = {user: at for at, user in enumerate(self.users)}
        return np.array([place[name] for name in names], np.int64)

    @property
    def item_key(self) -> IntArray:
        """(N,) stable key of each event's item, 0 = none."""
        return np.append(self.item_keys, 0)[self.item]


def read_batch(events: pa.Table, key_of: Callable[[str], int] = stable_key) -> EventBatch:
    """The arrays of canonical `events`; queries and ids of events are no part of them.

    Args:
        key_of: `stable_key`, or one that remembers what it answered.
    """
    users, user = _encoded(events[columns.USER_ID])
    items, item = _encoded(events[columns.ITEM_ID])
    kind = kind_codes(events[columns.KIND])
    quantity, value = read_amounts(events, kind == CANCEL_CODE)
    weight = np.nan_to_num(events[columns.WEIGHT].to_numpy()).astype(np.float32)
    return EventBatch(
        users=users,
        items=items,
        item_keys=np.fromiter(map(key_of, items), np.int64, len(items)),
        user=user,
        item=item,
        kind=kind,
        at=events[columns.AT].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy(),
        sequence=events[columns.SEQUENCE].to_numpy(),
        quantity=quantity,
        value=value,
        weight=weight,
        counted=is_counted(kind, weight)
        & ~is_unseen(kind, with_viewable(events))
        & (item >= 0)
        & (user >= 0),
    )


def event_keys(events: pa.Table, batch: EventBatch) -> IntArray:
    """(N,) what an event is about, to the rules of cleaning: its item's key; of a search the query too."""
    keys = batch.item_key
    searches = np.flatnonzero(batch.is_search)
    if len(searches):
        queries = events[columns.QUERY].combine_chunks().take(pa.array(searches))
        keys[searches] ^= hash_texts(queries).view(np.int64)
    return keys


def _encoded(column: Any) -> tuple[tuple[str, ...], IntArray]:
    encoded = pc.dictionary_encode(column.combine_chunks())
    return tuple(encoded.dictionary.to_pylist()), encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
