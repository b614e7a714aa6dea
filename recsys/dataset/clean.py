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
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.dataset.cells import MICROS, Column, Mask
from recsys.dataset.cleaning_rules import CleaningRules
from recsys.dataset.event_ids import with_event_ids
from recsys.dataset.hashing import HashArray, combine, hash_texts

FUTURE_TIME = "future_time"
ABSURD_TIME = "absurd_time"
DUPLICATE = "duplicate"
NEAR_DUPLICATE = "near_duplicate"
MERGED = "merged"
BOT = "bot"
CANCELLED = "cancelled"
CANCELLATION = "cancellation"
CANCEL_WITHOUT_PURCHASE = "cancel_without_purchase"

# A row's code is its reason's place; 0 = kept.
REASONS = (
    "",
    FUTURE_TIME,
    ABSURD_TIME,
    DUPLICATE,
    NEAR_DUPLICATE,
    MERGED,
    BOT,
    CANCELLED,
    CANCELLATION,
    CANCEL_WITHOUT_PURCHASE,
)
DUPLICATE_REASONS = (DUPLICATE, NEAR_DUPLICATE, MERGED)
CANCELLATION_REASONS = (CANCELLED, CANCELLATION)
_CODES = {reason: code for code, reason in enumerate(REASONS)}

_MINUTE = 60 * MICROS
_DAY = 86_400 * MICROS

CodeArray = npt.NDArray[np.int8]
IntArray = npt.NDArray[np.int64]


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
    """The verdict on one batch.

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
        now_micros: the clock that events may not be ahead of; None where data has an order but no clock.
        state: what the batch before returned.
        horizon_seconds: how far back the returned state reaches; None where there is no next batch.
    """
    old = 0 if state is None else len(state.recent)
    table = events if state is None else pa.concat_tables([state.recent, events])
    derived = np.asarray(table[columns.EVENT_ID].combine_chunks().is_null())
    rows = _Rows(with_event_ids(table, rules), derived)
    codes = np.zeros(len(rows), np.int8)
    if now_micros is not None:
        _refuse_clocks(rows, codes, rules, now_micros)
    _refuse_duplicates(rows, codes, rules)
    _refuse_near_duplicates(rows, codes, rules)
    bots = _refuse_bots(rows, codes, rules, frozenset() if state is None else state.bots)
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


def plausible(at: IntArray, rules: CleaningRules, now_micros: int | None) -> Mask:
    """(N,) bool: instants that a clock may show."""
    if now_micros is None:
        return np.ones(len(at), bool)
    latest = now_micros + round(rules.future_tolerance_seconds * MICROS)
    earliest = round(rules.earliest.timestamp() * MICROS)
    return np.asarray((at <= latest) & (at >= earliest))


class _Rows:
    """The columns that rules look at, as arrays; quantity and value may be changed by a rule."""

    def __init__(self, table: pa.Table, derived: Mask) -> None:
        self.table = table
        self.derived = derived
        self.at = table[columns.AT].cast(pa.int64()).to_numpy()
        kinds = table[columns.KIND].combine_chunks().dictionary_encode()
        self.kind_names: list[str] = kinds.dictionary.to_pylist()
        self.kinds = kinds.indices.to_numpy()
        self.amounts: dict[str, IntArray] | None = None

    def __len__(self) -> int:
        return len(self.at)

    def of_kinds(self, kinds: Collection[str]) -> Mask:
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


def _refuse(codes: CodeArray, rows: Mask | IntArray, reason: str) -> None:
    codes[rows] = _CODES[reason]


def _refuse_clocks(rows: _Rows, codes: CodeArray, rules: CleaningRules, now_micros: int) -> None:
    wrong = ~plausible(rows.at, rules, now_micros)
    _refuse(codes, wrong & (rows.at > now_micros), FUTURE_TIME)
    _refuse(codes, wrong & (rows.at <= now_micros), ABSURD_TIME)


def _refuse_duplicates(rows: _Rows, codes: CodeArray, rules: CleaningRules) -> None:
    """Of events with one id the first to arrive stays."""
    open_rows = np.flatnonzero(codes == 0)
    hashes = rows.hashed(columns.EVENT_ID, open_rows)
    alike = np.sort(hashes)  # much faster than the order, and mostly there is nothing to find
    if not (alike[1:] == alike[:-1]).any():
        return
    order = np.argsort(hashes, kind="stable")
    repeated = np.flatnonzero(hashes[order][1:] == hashes[order][:-1]) + 1
    again = open_rows[order[repeated]]
    _refuse(codes, again, DUPLICATE)
    if rules.repeated_lines == "sum":
        starts = np.r_[True, hashes[order][1:] != hashes[order][:-1]]
        first = open_rows[order[np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))]][repeated]
        lines = rows.derived[again]
        for name in (columns.QUANTITY, columns.VALUE_MICROS):
            amounts = rows.amount(name)
            np.add.at(amounts, first[lines], amounts[again[lines]])
        _refuse(codes, again[lines], MERGED)


def _refuse_near_duplicates(rows: _Rows, codes: CodeArray, rules: CleaningRules) -> None:
    """An event soon after one of the same user, item and kind says nothing new, however many follow."""
    for kind, seconds in rules.near_duplicate_seconds.items():
        chosen = np.flatnonzero(rows.of_kinds((kind,)) & (codes == 0))
        if seconds <= 0 or len(chosen) < 2:
            continue
        pair = combine(rows.hashed(columns.USER_ID, chosen), rows.hashed(columns.ITEM_ID, chosen))
        if kind == columns.SEARCH:
            pair = combine(pair, rows.hashed(columns.QUERY, chosen))
        order = np.lexsort((rows.at[chosen], pair))
        same = pair[order][1:] == pair[order][:-1]
        soon = np.diff(rows.at[chosen][order]) <= round(seconds * MICROS)
        _refuse(codes, chosen[order[1:][same & soon]], NEAR_DUPLICATE)


def _refuse_bots(
    rows: _Rows, codes: CodeArray, rules: CleaningRules, known: frozenset[str]
) -> frozenset[str]:
    """Refuses machines from the event on that betrays them; returns all machines known now."""
    limits = ((rules.bot_events_per_minute, _MINUTE), (rules.bot_events_per_day, _DAY))
    chosen = np.flatnonzero(rows.of_kinds(rules.bot_kinds) & (codes == 0))
    if known:
        listed: Column = pc.is_in(rows.table[columns.USER_ID], value_set=pa.array(sorted(known)))
        _refuse(codes, np.asarray(listed) & (codes == 0), BOT)
    if not len(chosen):
        return known
    users = rows.hashed(columns.USER_ID, chosen)
    order = np.lexsort((rows.at[chosen], users))
    users, at = users[order], rows.at[chosen][order]
    over = np.zeros(len(order), bool)
    for limit, width in limits:
        if limit:
            window = at // width
            starts = np.r_[True, (users[1:] != users[:-1]) | (window[1:] != window[:-1])]
            rank = np.arange(len(at)) - np.maximum.accumulate(np.where(starts, np.arange(len(at)), 0))
            over |= rank >= limit
    if not over.any():
        return known
    first = np.flatnonzero(over)
    _, once = np.unique(users[first], return_index=True)  # sorted by user then time: the first of each
    betrayals = chosen[order[first[once]]]
    _refuse_from(rows, codes, betrayals)
    return known | set(rows.table[columns.USER_ID].take(pa.array(betrayals)).to_pylist())


def _refuse_from(rows: _Rows, codes: CodeArray, betrayals: IntArray) -> None:
    """Refuses what the user of each of `betrayals` did at it and later."""
    machines = rows.hashed(columns.USER_ID, betrayals)
    order = np.argsort(machines)
    machines, betrayals = machines[order], betrayals[order]
    open_rows = np.flatnonzero(codes == 0)
    users = rows.hashed(columns.USER_ID, open_rows)
    place = np.minimum(np.searchsorted(machines, users), len(machines) - 1)
    since = betrayals[place]
    later = (rows.at[open_rows] > rows.at[since]) | (
        (rows.at[open_rows] == rows.at[since]) & (open_rows >= since)
    )
    _refuse(codes, open_rows[(machines[place] == users) & later], BOT)


def _undo_purchases(rows: _Rows, codes: CodeArray, old: int) -> dict[int, tuple[int, int]]:
    """Takes cancelled purchases back, the latest first; a part of a line leaves the rest of it.

    Returns:
        Row of an earlier batch's purchase -> quantity and value that new cancels took from it.
    """
    cancels = rows.of_kinds((columns.CANCEL,)) & (codes == 0)
    taken: dict[int, tuple[int, int]] = {}
    if not cancels.any():
        return taken
    concerned = np.flatnonzero((cancels | rows.of_kinds((columns.PURCHASE,))) & (codes == 0))
    pair = combine(rows.hashed(columns.USER_ID, concerned), rows.hashed(columns.ITEM_ID, concerned))
    touched = np.isin(pair, pair[cancels[concerned]])
    concerned, pair = concerned[touched], pair[touched]
    quantity, value = rows.amount(columns.QUANTITY), rows.amount(columns.VALUE_MICROS)
    whole = np.asarray(rows.table[columns.QUANTITY].combine_chunks().is_null())
    bought: dict[int, list[int]] = {}
    for place in np.lexsort((concerned, rows.at[concerned])).tolist():
        row, stack = int(concerned[place]), bought.setdefault(int(pair[place]), [])
        if not cancels[row]:
            stack.append(row)
            continue
        _refuse(codes, np.array([row]), CANCELLATION if stack else CANCEL_WITHOUT_PURCHASE)
        left = int(quantity[stack[-1]] if stack and whole[row] else quantity[row])
        while left > 0 and stack:
            purchase = stack[-1]
            part = min(left, int(quantity[purchase]))
            money = int(value[purchase]) * part // int(quantity[purchase])
            quantity[purchase] -= part
            value[purchase] -= money
            left -= part
            if not quantity[purchase]:
                _refuse(codes, np.array([purchase]), CANCELLED)
                stack.pop()
            if purchase < old <= row:
                before = taken.get(purchase, (0, 0))
                taken[purchase] = (before[0] + part, before[1] + money)
    return taken


def _with_reasons(table: pa.Table, codes: CodeArray, refused: Mask) -> pa.Table:
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
    forgotten = np.isin(codes, [_CODES[reason] for reason in (FUTURE_TIME, ABSURD_TIME, DUPLICATE, MERGED)])
    if not (~forgotten).any():
        return CleaningState(rows.table.slice(0, 0), bots)
    since = int(rows.at[~forgotten].max()) - round(horizon_seconds * MICROS)
    return CleaningState(rows.table.filter(pa.array(~forgotten & (rows.at >= since))), bots)
