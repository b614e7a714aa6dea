"""Which events are actions to be predicted, and those actions as integer arrays."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.dataset.cancellations import match_cancellations, read_amounts
from recsys.dataset.interactions import Interactions, Vocabulary
from recsys.errors import DataError, SchemaMismatchError
from recsys.instants import NEVER

_NEEDED = (columns.USER_ID, columns.ITEM_ID, columns.KIND, columns.AT, columns.SEQUENCE, columns.WEIGHT)


def build_interactions(
    events: pa.Table, items: pa.Table, kinds: Collection[str], some: bool = True
) -> Interactions:
    """The actions of `kinds` with a weight above 0 on an item of the catalog, with when they were undone.

    What was undone at its own instant never stood and is left out. The item vocabulary is the whole catalog,
    the user vocabulary all users with such an action.

    Args:
        events: canonical events, in any order. Quantity and value are looked at where there are
            cancellations among them.
        items: canonical items; only the ids are read.
        kinds: names out of `recsys.columns.KINDS`.
        some: whether there must be an action.

    Raises:
        SchemaMismatchError: a table lacks a column.
        DataError: a kind is unknown, or no event is left and some must be.
    """
    _check(events, items, kinds)
    catalog = Vocabulary.of(identifier for identifier in items[columns.ITEM_ID].to_pylist() if identifier)
    item = _indexes(events[columns.ITEM_ID], catalog.ids[1:])
    kind = _indexes(events[columns.KIND], columns.KINDS)
    weight = np.nan_to_num(events[columns.WEIGHT].to_numpy()).astype(np.float32)  # null reads as NaN
    at = events[columns.AT].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    undone_at = _undone_instants(events, kind, at, weight > 0)
    wanted = (undone_at > at) & np.isin(kind, [columns.KIND_CODES[name] for name in kinds])
    kept = wanted & (weight > 0) & (item > 0) & events[columns.USER_ID].is_valid().to_numpy()
    if some and not kept.any():
        raise DataError(
            f"none of {len(events)} events is a {' or '.join(sorted(kinds))} of an item of the catalog "
            f"({len(catalog) - 1} items). Check the kinds and item ids of the mapping."
        )
    names = events[columns.USER_ID].filter(pa.array(kept))
    users = Vocabulary.of(name for name in names.unique().to_pylist() if name is not None)
    user = _indexes(names, users.ids[1:])
    order = np.lexsort((events[columns.SEQUENCE].to_numpy()[kept], at[kept], user))
    return Interactions(
        users=users,
        items=catalog,
        user_index=user[order],
        item_index=item[kept][order],
        kind=kind[kept][order],
        weight=weight[kept][order],
        at=at[kept][order],
        undone_at=undone_at[kept][order],
    )


def _undone_instants(events: pa.Table, kind: IntArray, at: IntArray, counted: BoolArray) -> IntArray:
    """(M,) when a cancellation left nothing of a purchase, NEVER for everything else."""
    undone_at = np.full(len(kind), NEVER, np.int64)
    cancels = kind == columns.KIND_CODES[columns.CANCEL]
    if not cancels.any():
        return undone_at
    known = events[columns.USER_ID].is_valid().to_numpy() & events[columns.ITEM_ID].is_valid().to_numpy()
    bought = (kind == columns.KIND_CODES[columns.PURCHASE]) & counted
    rows = np.flatnonzero((cancels | bought) & known)
    rows = rows[np.argsort(events[columns.SEQUENCE].to_numpy()[rows], kind="stable")]
    chosen, cancels = events.take(pa.array(rows)), cancels[rows]
    user, item = (
        np.asarray(chosen[name].combine_chunks().dictionary_encode().indices.to_numpy(), np.int64)
        for name in (columns.USER_ID, columns.ITEM_ID)
    )
    pair = user * (int(item.max(initial=0)) + 1) + item
    taken = match_cancellations(pair, cancels, at[rows], *read_amounts(chosen, cancels))
    undone_at[rows[taken.purchase[taken.undone]]] = at[rows[taken.cancel[taken.undone]]]
    return undone_at


def _check(events: pa.Table, items: pa.Table, kinds: Collection[str]) -> None:
    lacking = [name for name in _NEEDED if name not in events.column_names]
    if lacking or columns.ITEM_ID not in items.column_names:
        where, name = ("events", lacking[0]) if lacking else ("items", columns.ITEM_ID)
        raise SchemaMismatchError(f"{where} has no column {name!r}. Run `recsys data import` again.")
    unknown = sorted(set(kinds) - set(columns.KINDS))
    if unknown or not kinds:
        raise DataError(
            f"kind {unknown[0]!r} is unknown. Use some of: {', '.join(columns.KINDS)}."
            if unknown
            else f"no kind was given. Use some of: {', '.join(columns.KINDS)}."
        )


def _indexes(column: Any, identifiers: Sequence[str]) -> IntArray:
    """(M,) int64: where each value stands among `identifiers`, from 1; 0 where it does not."""
    places = pc.index_in(column, value_set=pa.array(identifiers, pa.string()))
    return np.asarray(places.fill_null(-1).to_numpy(), np.int64) + 1
