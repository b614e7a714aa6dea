"""Events as integer arrays: those that features count, with cancellations matched to their purchases."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, IntArray, true_rows
from recsys.catalog import stable_key
from recsys.dataset.cancellations import TakenBack, match_cancellations, read_amounts
from recsys.errors import SchemaMismatchError
from recsys.instants import NEVER

IS_ACTION = np.array([False, *(kind in columns.ACTION_KINDS for kind in columns.KINDS)])  # by kind's code
IMPRESSION_CODE = columns.KIND_CODES[columns.IMPRESSION]
PURCHASE_CODE = columns.KIND_CODES[columns.PURCHASE]
CANCEL_CODE = columns.KIND_CODES[columns.CANCEL]
_IS_ACT = IS_ACTION | (np.arange(len(IS_ACTION)) == CANCEL_CODE)

EVENT_COLUMNS_READ = (
    columns.USER_ID,
    columns.ITEM_ID,
    columns.KIND,
    columns.AT,
    columns.SEQUENCE,
    columns.QUANTITY,
    columns.VALUE_MICROS,
    columns.WEIGHT,
    columns.VIEWABLE,
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
        quantity: thousandths of a piece; 0 where a cancellation says none, one piece elsewhere.
        value: micros of the whole line, UNKNOWN where it is not known.
        taken_back: what cancellations took of purchases; places are those of the log.
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
    taken_back: TakenBack

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def is_action(self) -> BoolArray:
        """(M,) whether an event is an action: neither an impression nor a cancellation."""
        return np.asarray(IS_ACTION[self.kind])

    @cached_property
    def undone_at(self) -> IntArray:
        """(M,) instant of the cancellation that left nothing of this purchase; NEVER for everything else."""
        when = np.full(len(self), NEVER, np.int64)
        undone = self.taken_back.undone
        when[self.taken_back.purchase[undone]] = self.at[self.taken_back.cancel[undone]]
        return when


def read_log(events: pa.Table, key_of: Callable[[str], int] = stable_key) -> EventLog:
    """The event log of canonical `events`, which may come in any order; sorted by instant and arrival.

    Args:
        key_of: `stable_key`, or one that remembers what it answered.

    Raises:
        SchemaMismatchError: a column is missing.
    """
    events = with_viewable(events)
    lacking = [name for name in EVENT_COLUMNS_READ if name not in events.column_names]
    if lacking:
        raise SchemaMismatchError(f"events have no column {lacking[0]!r}. Run `recsys data import` again.")
    events = events.select(EVENT_COLUMNS_READ)
    kind = kind_codes(events[columns.KIND])
    kept = is_counted(kind, np.nan_to_num(events[columns.WEIGHT].to_numpy())) & ~is_unseen(kind, events)
    kept &= events[columns.USER_ID].is_valid().to_numpy() & events[columns.ITEM_ID].is_valid().to_numpy()
    events = events.filter(pa.array(kept))
    at = events[columns.AT].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    order = np.lexsort((events[columns.SEQUENCE].to_numpy(), at))
    users, user = _encoded(events[columns.USER_ID])
    items, item = _encoded(events[columns.ITEM_ID])
    all_kinds = kind[kept]
    user, item, kind = user[order], item[order], all_kinds[order]
    at = at[order]
    quantity, value = (column[order] for column in read_amounts(events, all_kinds == CANCEL_CODE))
    return EventLog(
        users=users,
        items=items,
        item_keys=np.fromiter(map(key_of, items), np.int64, len(items)),
        user=user,
        item=item,
        kind=kind,
        at=at,
        quantity=quantity,
        value=value,
        taken_back=find_taken_back(user, item, kind, at, quantity, value),
    )


def is_counted(kind: IntArray, weight: npt.NDArray[Any]) -> BoolArray:
    """(M,) whether features count an event about an item: by its kind's code, an action by its weight too."""
    return np.asarray((IS_ACTION[kind] & (weight > 0)) | (kind == IMPRESSION_CODE) | (kind == CANCEL_CODE))


def of_items(events: pa.Table) -> pa.Table:
    """Those of `events` that `read_log` may keep: actions, impressions and cancellations."""
    kind = kind_codes(events[columns.KIND])
    return events.filter(pa.array(_IS_ACT[kind] | (kind == IMPRESSION_CODE)))


def of_users(events: pa.Table) -> pa.Table:
    """Those of `events` that the rows of users depend on: actions and cancellations."""
    return events.filter(pa.array(_IS_ACT[kind_codes(events[columns.KIND])]))


def is_unseen(kind: IntArray, events: pa.Table) -> BoolArray:
    """(M,) impressions of which the page says that they were not viewable: they showed nothing."""
    unseen = (kind == IMPRESSION_CODE) & true_rows(pc.invert(events[columns.VIEWABLE].combine_chunks()))
    return np.asarray(unseen)


def with_viewable(events: pa.Table) -> pa.Table:
    """`events`; where they have no such column, as in earlier versions, nobody measured impressions."""
    if columns.VIEWABLE in events.column_names:
        return events
    return events.append_column(columns.VIEWABLE, pa.nulls(len(events), pa.bool_()))


def find_taken_back(
    user: IntArray, item: IntArray, kind: IntArray, at: IntArray, quantity: IntArray, value: IntArray
) -> TakenBack:
    """What cancellations took back, see `match_cancellations`; events (M,) in the order of arrival at least
    where their instants are equal; `item` may be indexes or keys.
    """
    concerned = np.flatnonzero((kind == CANCEL_CODE) | (kind == PURCHASE_CODE))
    cancels = kind[concerned] == CANCEL_CODE
    if cancels.any():  # few have ever cancelled anything
        cancelled = np.zeros(int(user.max()) + 1, bool)
        cancelled[user[concerned[cancels]]] = True
        concerned = concerned[cancelled[user[concerned]]]
    else:
        concerned = concerned[:0]
    _, items = np.unique(item[concerned], return_inverse=True)
    found = match_cancellations(
        user[concerned] * (len(items) + 1) + items,
        kind[concerned] == CANCEL_CODE,
        at[concerned],
        quantity[concerned],
        value[concerned],
    )
    return replace(found, purchase=concerned[found.purchase], cancel=concerned[found.cancel])


def kind_codes(column: Any) -> IntArray:
    """(M,) codes of kinds by name, 0 = not one of `recsys.columns.KINDS`."""
    places = pc.index_in(column, value_set=pa.array(columns.KINDS, pa.string()))
    return np.asarray(places.fill_null(-1).to_numpy(), np.int64) + 1


def _encoded(column: Any) -> tuple[tuple[str, ...], IntArray]:
    encoded = column.combine_chunks().dictionary_encode()
    return tuple(encoded.dictionary.to_pylist()), encoded.indices.to_numpy().astype(np.int64)
