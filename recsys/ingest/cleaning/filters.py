"""The rules of cleaning over columns of integers: one set for an import's tables and for a stream's logs.

Each rule writes the code of its reason beside the rows that it rejects, and looks only at rows without one.
"""

from collections.abc import Collection
from typing import Protocol

import numpy as np
import numpy.typing as npt

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.ingest.cleaning.hashing import HashArray, combine_hashes
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

CodeArray = npt.NDArray[np.int16]


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


def reject_rows(codes: CodeArray, rows: BoolArray | IntArray, reason: str) -> None:
    """Writes the code of `reason` at `rows`."""
    codes[rows] = REASON_CODES[reason]


def plausible_instants(at: IntArray, rules: CleaningRules, now_micros: int | IntArray | None) -> BoolArray:
    """(N,) bool: instants that a clock may show."""
    if now_micros is None:
        return np.ones(len(at), bool)
    latest = now_micros + round(rules.future_tolerance_seconds * SECOND)
    earliest = to_micros(rules.earliest)
    return np.asarray((at <= latest) & (at >= earliest))


def reject_clocks(at: IntArray, codes: CodeArray, rules: CleaningRules, now_micros: int | IntArray) -> None:
    """Refuses instants that cannot be true; the clock is one for all rows or (N,) one each."""
    wrong = ~plausible_instants(at, rules, now_micros)
    reject_rows(codes, wrong & (at > now_micros), FUTURE_TIME)
    reject_rows(codes, wrong & (at <= now_micros), ABSURD_TIME)


def reject_near_duplicates(rows: EventColumns, codes: CodeArray, rules: CleaningRules, old: int = 0) -> None:
    """An event soon after one of the same user, item and kind says nothing new, however many follow.

    The first `old` rows are decided: an event that comes late, soon before one of them, says
    nothing new either.
    """
    for kind, seconds in rules.near_duplicate_seconds.items():
        chosen = np.flatnonzero(rows.of_kinds((kind,)) & (codes == 0))
        if seconds <= 0 or len(chosen) < 2:
            continue
        pair = combine_hashes(rows.hashed(columns.USER_ID, chosen), rows.hashed(columns.ITEM_ID, chosen))
        if kind == columns.SEARCH:
            pair = combine_hashes(pair, rows.hashed(columns.QUERY, chosen))
        order = np.lexsort((rows.at[chosen], pair))
        same = pair[order][1:] == pair[order][:-1]
        soon = np.diff(rows.at[chosen][order]) <= round(seconds * SECOND)
        before, after = chosen[order[:-1][same & soon]], chosen[order[1:][same & soon]]
        reject_rows(codes, np.where((after < old) & (before >= old), before, after), NEAR_DUPLICATE)


def reject_bots(
    rows: EventColumns, codes: CodeArray, rules: CleaningRules, known: BoolArray | None, old: int = 0
) -> IntArray:
    """Rejects bots from the event on that reveals them.

    Args:
        known: (N,) events of users known to be machines.
        old: how many of the first rows are decided. A minute or a day of which all rows are decided reveals
            no bot: what is still known of it may lack the event that another one repeated.

    Returns:
        The rows that revealed a bot, one for each.
    """
    limits = ((rules.bot_events_per_minute, _MINUTE), (rules.bot_events_per_day, DAY))
    chosen = np.flatnonzero(rows.of_kinds(rules.bot_kinds) & (codes == 0))
    if known is not None:
        reject_rows(codes, known & (codes == 0), BOT)
    bot_rows = np.zeros(0, np.int64)
    if not len(chosen):
        return bot_rows
    users = rows.hashed(columns.USER_ID, chosen)
    order = np.lexsort((rows.at[chosen], users))
    users, at = users[order], rows.at[chosen][order]
    over = np.zeros(len(order), bool)
    for limit, width in limits:
        if limit:
            window = at // width
            starts = np.r_[True, (users[1:] != users[:-1]) | (window[1:] != window[:-1])]
            rank = np.arange(len(at)) - np.maximum.accumulate(np.where(starts, np.arange(len(at)), 0))
            crowded = rank >= limit
            if old and crowded.any():
                has_new = np.logical_or.reduceat(chosen[order] >= old, np.flatnonzero(starts))
                crowded &= has_new[np.cumsum(starts) - 1]
            over |= crowded
    if not over.any():
        return bot_rows
    first = np.flatnonzero(over)
    _, once = np.unique(users[first], return_index=True)  # sorted by user then time: the first of each
    bot_rows = chosen[order[first[once]]]
    _reject_from(rows, codes, bot_rows)
    return bot_rows


def _reject_from(rows: EventColumns, codes: CodeArray, bot_rows: IntArray) -> None:
    """Rejects what the user of each of `bot_rows` did at it and later."""
    machines = rows.hashed(columns.USER_ID, bot_rows)
    order = np.argsort(machines)
    machines, bot_rows = machines[order], bot_rows[order]
    open_rows = np.flatnonzero(codes == 0)
    users = rows.hashed(columns.USER_ID, open_rows)
    place = np.minimum(np.searchsorted(machines, users), len(machines) - 1)
    since = bot_rows[place]
    later = (rows.at[open_rows] > rows.at[since]) | (
        (rows.at[open_rows] == rows.at[since]) & (open_rows >= since)
    )
    reject_rows(codes, open_rows[(machines[place] == users) & later], BOT)
