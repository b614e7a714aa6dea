"""Cleaning of canonical events: pure rules over a table, for a whole import or one batch of a stream.

In this order, each rule seeing only what those before it kept: clocks that cannot be true, exact
duplicates, near duplicates, machines by their rate, and cancellations that undo a purchase.

What a later batch must know of earlier ones is explicit: `CleaningState`. Cleaning a log in batches, each
with the state that the one before returned, gives what cleaning it at once gives, as long as batches come
in the order of time and `horizon_seconds` covers what the rules look back on.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.amounts import MOST_MICROS, MOST_THOUSANDTHS, PIECE, UNKNOWN, saturating_sums
from recsys.arrays import BoolArray, Column, IntArray
from recsys.dataset.cancellations import match_cancellations
from recsys.ingest.cleaning.event_ids import ID_TABLE, with_event_ids
from recsys.ingest.cleaning.filters import (
    ABSURD_TIME,
    CANCEL_WITHOUT_PURCHASE,
    CANCELLATION,
    CANCELLED,
    DUPLICATE,
    FUTURE_TIME,
    MERGED,
    NEAR_DUPLICATE,
    REASON_CODES,
    REASONS,
    CodeArray,
    reject_bots,
    reject_clocks,
    reject_near_duplicates,
    reject_rows,
)
from recsys.ingest.cleaning.hashing import HashArray, combine_hashes, hash_texts, mix_bits
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import SECOND

DUPLICATE_REASONS = (DUPLICATE, NEAR_DUPLICATE, MERGED)
CANCELLATION_REASONS = (CANCELLED, CANCELLATION)
_ABSENT = {columns.QUANTITY: 0, columns.VALUE_MICROS: UNKNOWN}


@dataclass(frozen=True)
class CleaningState:
    """What the next batch must know.

    Attributes:
        recent: earlier events that a rule may still look back on.
        bots: users known to be machines.
    """

    recent: pa.Table
    bots: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Cleaned:
    """What cleaning made of one batch.

    Attributes:
        kept: in order of arrival, every row with an event id.
        rejected: the other rows, with a column `reason` out of `REASONS`.
        undone: earlier purchases that cancels of this batch took back, with the quantity and the value
            that were taken back; those of this batch are in `rejected` or reduced in `kept`.
        returned: the cancels of this batch that took something, and the purchases that they took from, as
            they came: those that are reduced in `kept` as well as those that are in `rejected`.
        state: for the next batch; None if none was asked for.
        reused_ids: ids of rows in `rejected` that an earlier row of another user, item or kind has too.
    """

    kept: pa.Table
    rejected: pa.Table
    undone: pa.Table
    returned: pa.Table
    state: CleaningState | None
    reused_ids: Column


def clean(
    events: pa.Table,
    rules: CleaningRules,
    now_micros: int | None,
    state: CleaningState | None = None,
    horizon_seconds: float | None = None,
) -> Cleaned:
    """Applies every rule to `events`.

    Args:
        events: columns of `EVENT_SCHEMA`, and any others, which are carried along; `event_id` may be null.
        now_micros: the clock that events may not be ahead of; None where data has an order but no clock,
            and rules in seconds say nothing.
        state: what the batch before returned.
        horizon_seconds: how far back the returned state reaches; None where there is no next batch.
    """
    old = 0 if state is None else len(state.recent)
    table = events if state is None else pa.concat_tables([state.recent, events])
    derived = np.asarray(table[columns.EVENT_ID].combine_chunks().is_null())
    rows = _Rows(with_event_ids(table, rules), derived)
    codes = np.zeros(len(rows), np.int16)
    bots = frozenset() if state is None else state.bots
    if now_micros is not None:
        reject_clocks(rows.at, codes, rules, now_micros)
    reused = _reject_duplicates(rows, codes, rules)
    if now_micros is not None:  # positions in an order are no seconds
        reject_near_duplicates(rows, codes, rules, old)
        bots = _reject_bots(rows, codes, rules, bots, old)
    as_they_came = rows.written()
    taken, touched = _undo_purchases(rows, codes, old)
    table = rows.written()
    new = np.arange(len(table)) >= old
    chosen = new & (codes == 0)
    return Cleaned(
        kept=table if chosen.all() else table.filter(pa.array(chosen)),
        rejected=_with_reasons(table, codes, new & (codes > 0)),
        undone=_undone(table, taken),
        returned=as_they_came.take(pa.array(touched)),
        state=None if horizon_seconds is None else _next_state(rows, codes, bots, horizon_seconds),
        reused_ids=table[columns.EVENT_ID].take(pa.array(reused)),
    )


class _Rows:
    """The columns that rules look at, as arrays; quantity and value may be changed by a rule."""

    def __init__(self, table: pa.Table, derived: BoolArray) -> None:
        self.table = table
        self.derived = derived
        self.at = table[columns.AT].cast(pa.int64()).to_numpy()
        kinds = table[columns.KIND].combine_chunks().dictionary_encode()
        self.kind_names: list[str] = kinds.dictionary.to_pylist()
        self.kinds = kinds.indices.to_numpy()
        self.amounts: dict[str, IntArray] | None = None

    def __len__(self) -> int:
        return len(self.at)

    def of_kinds(self, kinds: Collection[str]) -> BoolArray:
        wanted = [code for code, name in enumerate(self.kind_names) if name in kinds]
        return np.isin(self.kinds, wanted)

    def hashed(self, name: str, rows: IntArray) -> HashArray:
        return hash_texts(self.table[name].combine_chunks().take(pa.array(rows)))

    def id_tables(self, rows: IntArray) -> IntArray | None:
        """Numbers of the tables that the ids of `rows` are unique in, 0 for hashes; None = all are in one."""
        if ID_TABLE not in self.table.column_names:
            return None
        tables = self.table[ID_TABLE].combine_chunks().take(pa.array(rows))
        return np.asarray(tables.cast(pa.int64()).fill_null(0).to_numpy())

    def amount(self, name: str) -> IntArray:
        """Quantity (0 where absent) or value (UNKNOWN where absent), to be changed in place."""
        if self.amounts is None:
            self.amounts = {
                column: self.table[column].fill_null(absent).to_numpy().copy()
                for column, absent in _ABSENT.items()
            }
        return self.amounts[name]

    def written(self) -> pa.Table:
        """The table with changed amounts in it; what was absent stays so unless it changed."""
        table = self.table
        for name, values in (self.amounts or {}).items():
            changed = pa.array(values, mask=values == _ABSENT[name])
            table = table.set_column(table.column_names.index(name), name, changed)
        return table


def _reject_duplicates(rows: _Rows, codes: CodeArray, rules: CleaningRules) -> IntArray:
    """Of events with one id the first to arrive stays.

    Where tables of events have ids of their own, equal ids of two tables are one event only if user, item,
    kind and instant are equal as well.

    Returns:
        The rejected rows that have the id of another row and another user, item or kind.
    """
    open_rows = np.flatnonzero(codes == 0)
    ids = rows.hashed(columns.EVENT_ID, open_rows)
    table = rows.id_tables(open_rows)
    first, again = _repeated(ids if table is None else combine_hashes(ids, mix_bits(table)))
    first, again = open_rows[first], open_rows[again]
    reject_rows(codes, again, DUPLICATE)
    other = np.zeros(len(again), bool)
    for name in (columns.USER_ID, columns.ITEM_ID, columns.KIND):
        other |= rows.hashed(name, first) != rows.hashed(name, again)
    if rules.repeated_lines == "sum":
        lines = rows.derived[again]
        _add_up(rows, first[lines], again[lines])
        reject_rows(codes, again[lines], MERGED)
    if table is not None and len(_repeated(ids)[1]):
        for name in (columns.USER_ID, columns.ITEM_ID, columns.KIND):
            ids = combine_hashes(ids, rows.hashed(name, open_rows))
        ids = combine_hashes(ids, mix_bits(rows.at[open_rows]))
        equal = open_rows[_repeated(ids)[1]]
        reject_rows(codes, equal[codes[equal] == 0], DUPLICATE)
    return again[other]


def _repeated(hashes: HashArray) -> tuple[IntArray, IntArray]:
    """(K,) the first places of hashes that come again, and (K,) where they come again."""
    equal_hashes = np.sort(hashes)  # much faster than the order, and mostly there is nothing to find
    if not (equal_hashes[1:] == equal_hashes[:-1]).any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.argsort(hashes, kind="stable")
    new = np.r_[True, hashes[order][1:] != hashes[order][:-1]]
    first = order[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))]
    return first[~new], order[~new]


def _add_up(rows: _Rows, first: IntArray, again: IntArray) -> None:
    """Adds the amounts of the lines `again` (K,) to those of the lines that they repeat, `first` (K,)."""
    quantity, value = rows.amount(columns.QUANTITY), rows.amount(columns.VALUE_MICROS)
    lines = np.unique(np.concatenate([first, again]))
    quantity[lines[quantity[lines] == 0]] = PIECE
    priced = (value[first] != UNKNOWN) | (value[again] != UNKNOWN)
    _add_within(quantity, first, quantity[again], MOST_THOUSANDTHS)
    _add_within(value, first[priced], np.maximum(value[again[priced]], 0), MOST_MICROS)


def _add_within(total: IntArray, places: IntArray, amounts: IntArray, most: int) -> None:
    """Adds each of `amounts` (K,) to `total` at its place, up to `most`; what is unknown there is 0."""

    def added(part: IntArray) -> IntArray:
        sums = np.zeros(len(total), np.int64)
        np.add.at(sums, places, part)
        return sums

    changed = np.unique(places)
    more = np.minimum(saturating_sums(added, amounts)[changed], most)
    total[changed] = np.minimum(np.maximum(total[changed], 0) + more, most)


def _reject_bots(
    rows: _Rows, codes: CodeArray, rules: CleaningRules, known: frozenset[str], old: int
) -> frozenset[str]:
    """Rejects bots; returns all that are known now."""
    users = rows.table[columns.USER_ID]
    listed: Column = pc.is_in(users, value_set=pa.array(sorted(known))) if known else None
    bot_rows = reject_bots(rows, codes, rules, None if listed is None else np.asarray(listed), old)
    return known | set(users.take(pa.array(bot_rows)).to_pylist())


def _undo_purchases(rows: _Rows, codes: CodeArray, old: int) -> tuple[dict[int, tuple[int, int]], IntArray]:
    """Takes cancelled purchases back, see `match_cancellations`; a part of a line leaves the rest of it.

    Returns:
        Row of an earlier batch's purchase -> quantity and value that new cancels took from it; and the rows
        of new cancels that took something with those of what they took it from, ascending.
    """
    cancels = rows.of_kinds((columns.CANCEL,)) & (codes == 0)
    if not cancels.any():
        return {}, np.zeros(0, np.int64)
    affected = np.flatnonzero((cancels | rows.of_kinds((columns.PURCHASE,))) & (codes == 0))
    pair = combine_hashes(rows.hashed(columns.USER_ID, affected), rows.hashed(columns.ITEM_ID, affected))
    quantity, value = rows.amount(columns.QUANTITY), rows.amount(columns.VALUE_MICROS)
    taken = match_cancellations(
        pair.view(np.int64), cancels[affected], rows.at[affected], quantity[affected], value[affected]
    )
    purchase, cancel = affected[taken.purchase], affected[taken.cancel]
    rest = ~taken.undone
    quantity[purchase[rest]], value[purchase[rest]] = taken.quantity_left[rest], taken.value_left[rest]
    reject_rows(codes, cancels, CANCEL_WITHOUT_PURCHASE)
    reject_rows(codes, cancel, CANCELLATION)
    reject_rows(codes, purchase[taken.undone], CANCELLED)
    earlier: dict[int, tuple[int, int]] = {}
    money = np.maximum(taken.value, 0) - np.maximum(taken.value_left, 0)
    for place in np.flatnonzero((purchase < old) & (cancel >= old)).tolist():
        before = earlier.get(int(purchase[place]), (0, 0))
        part = int(taken.quantity[place] - taken.quantity_left[place]), int(money[place])
        earlier[int(purchase[place])] = before[0] + part[0], before[1] + part[1]
    new = cancel >= old
    return earlier, np.unique(np.concatenate([purchase[new], cancel[new]]))


def _with_reasons(table: pa.Table, codes: CodeArray, refused: BoolArray) -> pa.Table:
    places = np.flatnonzero(refused)
    reasons = pa.array(REASONS, pa.string()).take(codes[places].astype(np.int64))
    return table.take(places).append_column("reason", reasons)


def _undone(table: pa.Table, taken: dict[int, tuple[int, int]]) -> pa.Table:
    rows = sorted(taken)
    undone = table.take(np.array(rows, np.int64))
    for name, part in ((columns.QUANTITY, 0), (columns.VALUE_MICROS, 1)):
        values = pa.array([taken[row][part] for row in rows], pa.int64())
        undone = undone.set_column(undone.column_names.index(name), name, values)
    return undone


def _next_state(rows: _Rows, codes: CodeArray, bots: frozenset[str], horizon_seconds: float) -> CleaningState:
    """Recent events with the amounts that they came with: the next batch applies its cancels anew."""
    forgotten = np.isin(
        codes, [REASON_CODES[reason] for reason in (FUTURE_TIME, ABSURD_TIME, DUPLICATE, MERGED)]
    )
    if not (~forgotten).any():
        return CleaningState(rows.table.slice(0, 0), bots)
    since = int(rows.at[~forgotten].max()) - round(horizon_seconds * SECOND)
    return CleaningState(rows.table.filter(pa.array(~forgotten & (rows.at >= since))), bots)
