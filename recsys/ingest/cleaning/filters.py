"""The rules of cleaning over columns of integers: one set for an import's tables and for a stream's logs.

Each rule writes the code of its reason beside the rows that it refuses, and looks only at rows without one.
"""

from collections.abc import Collection
from typing import Protocol

import numpy as np
import numpy.typing as npt

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.ingest.cleaning.hashing import HashArray, combine
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import DAY, SECOND, to_micros

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
REASON_CODES = {reason: code for code, reason in enumerate(REASONS)}

_MINUTE = 60 * SECOND

CodeArray = npt.NDArray[np.int8]


class EventColumns(Protocol):
    """N events in the order of arrival, as the rules see them."""

    @property
    def at(self) -> IntArray:
        """(N,) microseconds."""
        ...

    def of_kinds(self, kinds: Collection[str]) -> BoolArray:
        """(N,) bool."""
        ...

    def hashed(self, name: str, rows: IntArray) -> HashArray:
        """Hashes of the ids or texts of a column at `rows`."""
        ...


def reject(codes: CodeArray, rows: BoolArray | IntArray, reason: str) -> None:
    """Writes the code of `reason` at `rows`."""
    codes[rows] = REASON_CODES[reason]


def plausible(at: IntArray, rules: CleaningRules, now_micros: int | IntArray | None) -> BoolArray:
    """(N,) bool: instants that a clock may show."""
    if now_micros is None:
        return np.ones(len(at), bool)
    latest = now_micros + round(rules.future_tolerance_seconds * SECOND)
    earliest = to_micros(rules.earliest)
    return np.asarray((at <= latest) & (at >= earliest))


def reject_clocks(at: IntArray, codes: CodeArray, rules: CleaningRules, now_micros: int | IntArray) -> None:
    """Refuses instants that cannot be true; the clock is one for all rows or (N,) one each."""
    wrong = ~plausible(at, rules, now_micros)
    reject(codes, wrong & (at > now_micros), FUTURE_TIME)
    reject(codes, wrong & (at <= now_micros), ABSURD_TIME)


def reject_near_duplicates(rows: EventColumns, codes: CodeArray, rules: CleaningRules, old: int = 0) -> None:
    """An event soon after one of the same user, item and kind says nothing new, however many follow.

    The first `old` rows have had their verdict: an event that comes late, soon before one of them, says
    nothing new either.
    """
    for kind, seconds in rules.near_duplicate_seconds.items():
        chosen = np.flatnonzero(rows.of_kinds((kind,)) & (codes == 0))
        if seconds <= 0 or len(chosen) < 2:
            continue
        pair = combine(rows.hashed(columns.USER_ID, chosen), rows.hashed(columns.ITEM_ID, chosen))
        if kind == columns.SEARCH:
            pair = combine(pair, rows.hashed(columns.QUERY, chosen))
        order = np.lexsort((rows.at[chosen], pair))
        same = pair[order][1:] == pair[order][:-1]
        soon = np.diff(rows.at[chosen][order]) <= round(seconds * SECOND)
        before, after = chosen[order[:-1][same & soon]], chosen[order[1:][same & soon]]
        reject(codes, np.where((after < old) & (before >= old), before, after), NEAR_DUPLICATE)


def reject_bots(
    rows: EventColumns, codes: CodeArray, rules: CleaningRules, known: BoolArray | None
) -> IntArray:
    """Refuses machines from the event on that betrays them.

    Args:
        known: (N,) events of users known to be machines.

    Returns:
        The rows that betrayed a machine, one for each.
    """
    limits = ((rules.bot_events_per_minute, _MINUTE), (rules.bot_events_per_day, DAY))
    chosen = np.flatnonzero(rows.of_kinds(rules.bot_kinds) & (codes == 0))
    if known is not None:
        reject(codes, known & (codes == 0), BOT)
    betrayals = np.zeros(0, np.int64)
    if not len(chosen):
        return betrayals
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
        return betrayals
    first = np.flatnonzero(over)
    _, once = np.unique(users[first], return_index=True)  # sorted by user then time: the first of each
    betrayals = chosen[order[first[once]]]
    _refuse_from(rows, codes, betrayals)
    return betrayals


def _refuse_from(rows: EventColumns, codes: CodeArray, betrayals: IntArray) -> None:
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
    reject(codes, open_rows[(machines[place] == users) & later], BOT)
