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
from recsys.arrays import BoolArray, Column, IntArray
from recsys.ingest.cleaning.event_ids import with_event_ids
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
from recsys.ingest.cleaning.hashing import HashArray, combine_hashes, hash_texts
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import SECOND

DUPLICATE_REASONS = (DUPLICATE, NEAR_DUPLICATE, MERGED)
CANCELLATION_REASONS = (CANCELLED, CANCELLATION)


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
        state: for the next batch; None if none was asked for.
    """

    kept: pa.Table
    rejected: pa.Table
    undone: pa.Table
    state: CleaningState | None


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
    codes = np.zeros(len(rows), np.int8)
    bots = frozenset() if state is None else state.bots
    if now_micros is not None:
        reject_clocks(rows.at, codes, rules, now_micros)
    _reject_duplicates(rows, codes, rules)
    if now_micros is not None:  # positions in an order are no seconds
        reject_near_duplicates(rows, codes, rules, old)
        bots = _reject_bots(rows, codes, rules, bots, old)
    taken = _undo_purchases(rows, codes, old)
    table = rows.written()
    new = np.arange(len(table)) >= old
    chosen = new & (codes == 0)
    return Cleaned(
        kept=table if chosen.all() else table.filter(pa.array(chosen)),
        rejected=_with_reasons(table, codes, new & (codes > 0)),
        undone=_undone(table, taken),
        state=None if horizon_seconds is None else _next_state(rows, codes, bots, horizon_seconds),
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

    def amount(self, name: str) -> IntArray:
        """Quantity (1 where absent) or value (0 where absent), to be changed in place."""
        if self.amounts is None:
            self.amounts = {
                column: self.table[column].fill_null(absent).to_numpy().copy()
                for column, absent in ((columns.QUANTITY, 1), (columns.VALUE_MICROS, 0))
            }
        return self.amounts[name]

    def written(self) -> pa.Table:
        """The table with changed amounts in it; what was absent stays so unless it changed."""
        table = self.table
        for name, values in (self.amounts or {}).items():
            before = table[name].combine_chunks()
            absent = 1 if name == columns.QUANTITY else 0
            mask = np.asarray(before.is_null()) & (values == absent)
            changed = pa.array(values, mask=mask)
            table = table.set_column(table.column_names.index(name), name, changed)
        return table


def _reject_duplicates(rows: _Rows, codes: CodeArray, rules: CleaningRules) -> None:
    """Of events with one id the first to arrive stays."""
    open_rows = np.flatnonzero(codes == 0)
    hashes = rows.hashed(columns.EVENT_ID, open_rows)
    equal_hashes = np.sort(hashes)  # much faster than the order, and mostly there is nothing to find
    if not (equal_hashes[1:] == equal_hashes[:-1]).any():
        return
    order = np.argsort(hashes, kind="stable")
    repeated = np.flatnonzero(hashes[order][1:] == hashes[order][:-1]) + 1
    again = open_rows[order[repeated]]
    reject_rows(codes, again, DUPLICATE)
    if rules.repeated_lines == "sum":
        starts = np.r_[True, hashes[order][1:] != hashes[order][:-1]]
        first = open_rows[order[np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))]][repeated]
        lines = rows.derived[again]
        for name in (columns.QUANTITY, columns.VALUE_MICROS):
            amounts = rows.amount(name)
            np.add.at(amounts, first[lines], amounts[again[lines]])
        reject_rows(codes, again[lines], MERGED)


def _reject_bots(
    rows: _Rows, codes: CodeArray, rules: CleaningRules, known: frozenset[str], old: int
) -> frozenset[str]:
    """Rejects bots; returns all that are known now."""
    users = rows.table[columns.USER_ID]
    listed: Column = pc.is_in(users, value_set=pa.array(sorted(known))) if known else None
    bot_rows = reject_bots(rows, codes, rules, None if listed is None else np.asarray(listed), old)
    return known | set(users.take(pa.array(bot_rows)).to_pylist())


def _undo_purchases(rows: _Rows, codes: CodeArray, old: int) -> dict[int, tuple[int, int]]:
    """Takes cancelled purchases back, the latest first; a part of a line leaves the rest of it.

    Returns:
        Row of an earlier batch's purchase -> quantity and value that new cancels took from it.
    """
    cancels = rows.of_kinds((columns.CANCEL,)) & (codes == 0)
    taken: dict[int, tuple[int, int]] = {}
    if not cancels.any():
        return taken
    affected = np.flatnonzero((cancels | rows.of_kinds((columns.PURCHASE,))) & (codes == 0))
    pair = combine_hashes(rows.hashed(columns.USER_ID, affected), rows.hashed(columns.ITEM_ID, affected))
    touched = np.isin(pair, pair[cancels[affected]])
    affected, pair = affected[touched], pair[touched]
    quantity, value = rows.amount(columns.QUANTITY), rows.amount(columns.VALUE_MICROS)
    whole = np.asarray(rows.table[columns.QUANTITY].combine_chunks().is_null())
    bought: dict[int, list[int]] = {}
    for place in np.lexsort((affected, rows.at[affected])).tolist():
        row, stack = int(affected[place]), bought.setdefault(int(pair[place]), [])
        if not cancels[row]:
            stack.append(row)
            continue
        reject_rows(codes, np.array([row]), CANCELLATION if stack else CANCEL_WITHOUT_PURCHASE)
        left = int(quantity[stack[-1]] if stack and whole[row] else quantity[row])
        while left > 0 and stack:
            purchase = stack[-1]
            part = min(left, int(quantity[purchase]))
            money = int(value[purchase]) * part // int(quantity[purchase])
            quantity[purchase] -= part
            value[purchase] -= money
            left -= part
            if not quantity[purchase]:
                reject_rows(codes, np.array([purchase]), CANCELLED)
                stack.pop()
            if purchase < old <= row:
                before = taken.get(purchase, (0, 0))
                taken[purchase] = (before[0] + part, before[1] + money)
    return taken


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
