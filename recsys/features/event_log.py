"""Events as integer arrays: those that features count, with cancellations matched to their purchases."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.catalog import stable_key
from recsys.errors import SchemaMismatchError

NEVER = np.iinfo(np.int64).max
IS_ACTION = np.array([False, *(kind in columns.ACTION_KINDS for kind in columns.KINDS)])  # by kind's code
IMPRESSION_CODE = columns.KIND_CODES[columns.IMPRESSION]
PURCHASE_CODE = columns.KIND_CODES[columns.PURCHASE]
CANCEL_CODE = columns.KIND_CODES[columns.CANCEL]

EVENT_COLUMNS_READ = (
    columns.USER_ID,
    columns.ITEM_ID,
    columns.KIND,
    columns.AT,
    columns.SEQUENCE,
    columns.QUANTITY,
    columns.VALUE_MICROS,
    columns.WEIGHT,
)


@dataclass(frozen=True)
class EventLog:
    """M events that features are made of, each user's in order of instant and arrival; arrays are (M,) int64.

    Actions of weight 0 do not count and are left out; impressions and cancellations stay at any weight.

    Attributes:
        users: external ids; `user` indexes it.
        items: external ids; `item` indexes it. Empty in a stream, which knows keys only.
        item_keys: stable keys; `item` indexes it.
        kind: codes of `recsys.columns.KIND_CODES`.
        at: microseconds.
        quantity: pieces, 1 where unknown.
        value: micros of the whole line, -1 where unknown.
        undone_at: instant of the cancellation that undid this purchase; NEVER for everything else.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    item_keys: IntArray
    user: IntArray
    item: IntArray
    kind: IntArray
    at: IntArray
    quantity: IntArray
    value: IntArray
    undone_at: IntArray

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def is_action(self) -> BoolArray:
        """(M,) whether an event is an action: neither an impression nor a cancellation."""
        return np.asarray(IS_ACTION[self.kind])


def read_log(events: pa.Table) -> EventLog:
    """The event log of canonical `events`, which may come in any order; sorted by instant and arrival.

    Raises:
        SchemaMismatchError: a column is missing.
    """
    lacking = [name for name in EVENT_COLUMNS_READ if name not in events.column_names]
    if lacking:
        raise SchemaMismatchError(f"events have no column {lacking[0]!r}. Run `recsys data import` again.")
    events = events.select(EVENT_COLUMNS_READ)
    kind = kind_codes(events[columns.KIND])
    kept = is_counted(kind, np.nan_to_num(events[columns.WEIGHT].to_numpy()))
    kept &= events[columns.USER_ID].is_valid().to_numpy() & events[columns.ITEM_ID].is_valid().to_numpy()
    events = events.filter(pa.array(kept))
    at = events[columns.AT].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    order = np.lexsort((events[columns.SEQUENCE].to_numpy(), at))
    users, user = _encoded(events[columns.USER_ID])
    items, item = _encoded(events[columns.ITEM_ID])
    user, item, kind = user[order], item[order], kind[kept][order]
    return EventLog(
        users=users,
        items=items,
        item_keys=np.fromiter((stable_key(name) for name in items), np.int64, len(items)),
        user=user,
        item=item,
        kind=kind,
        at=at[order],
        quantity=integer_column(events[columns.QUANTITY], 1)[order],
        value=integer_column(events[columns.VALUE_MICROS], -1)[order],
        undone_at=undone_at(user, item, kind, at[order]),
    )


def is_counted(kind: IntArray, weight: npt.NDArray[Any]) -> BoolArray:
    """(M,) whether features count an event about an item: by its kind's code, an action by its weight too."""
    return np.asarray((IS_ACTION[kind] & (weight > 0)) | (kind == IMPRESSION_CODE) | (kind == CANCEL_CODE))


def undone_at(user: IntArray, item: IntArray, kind: IntArray, at: IntArray) -> IntArray:
    """(M,) when each purchase was undone, NEVER = not; a user's events in order of instant and arrival.

    A cancellation undoes the latest purchase of its user and item that still stands. A log that lacks its
    beginning therefore gives the same for the purchases that it holds.
    """
    undone = np.full(len(at), NEVER, np.int64)
    cancels = kind == CANCEL_CODE
    if not cancels.any():
        return undone
    pair = user * (int(item.max()) + 1) + item
    concerned = np.flatnonzero(cancels | (kind == PURCHASE_CODE))
    pair = pair[concerned]
    cancelled = np.isin(pair, pair[cancels[concerned]])
    concerned, pair = concerned[cancelled], pair[cancelled]
    bought, cancel = _matched(pair, cancels[concerned])
    undone[concerned[bought]] = at[concerned[cancel]]
    return undone


def _matched(pair: IntArray, cancels: BoolArray) -> tuple[IntArray, IntArray]:
    """Places of the purchases that are undone, and of the cancellation of each, like brackets that match.

    A pair's purchases stand on a stack and a cancellation takes the top one away: it is the next event of
    the pair at the same height of the stack.
    """
    order = np.argsort(pair, kind="stable")
    pair, cancels = pair[order], cancels[order]
    start = np.concatenate([[True], pair[1:] != pair[:-1]])
    group = np.cumsum(start) - 1
    total = np.concatenate([[0], np.cumsum(np.where(cancels, -1, 1))])
    balance = total[1:] - total[:-1][start][group]  # purchases less cancellations of the pair so far
    apart = group * 2 * len(pair)  # each pair lies below the one before, so that one minimum serves all
    lowest = np.minimum(np.minimum.accumulate(balance - apart) + apart, 0)
    before = np.where(start, 0, np.concatenate([[0], lowest[:-1]]))
    height = balance - lowest + cancels
    kept = np.flatnonzero(~(cancels & (balance < before)))  # the others cancel nothing
    kept = kept[np.lexsort((kept, height[kept], group[kept]))]
    first, then = kept[:-1], kept[1:]
    same = (group[first] == group[then]) & (height[first] == height[then])
    match = same & ~cancels[first] & cancels[then]
    return order[first[match]], order[then[match]]


def kind_codes(column: Any) -> IntArray:
    """(M,) codes of kinds by name, 0 = not one of `recsys.columns.KINDS`."""
    places = pc.index_in(column, value_set=pa.array(columns.KINDS, pa.string()))
    return np.asarray(places.fill_null(-1).to_numpy(), np.int64) + 1


def _encoded(column: Any) -> tuple[tuple[str, ...], IntArray]:
    encoded = column.combine_chunks().dictionary_encode()
    return tuple(encoded.dictionary.to_pylist()), encoded.indices.to_numpy().astype(np.int64)


def integer_column(column: Any, missing: int) -> IntArray:
    """(M,) the column's values, `missing` where it is null."""
    return np.asarray(column.cast(pa.int64()).fill_null(missing).to_numpy(), np.int64)
