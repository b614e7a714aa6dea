"""The stored form of user_history: one row an action, of which its rows are cut where they are asked for.

A row of user_history holds up to HISTORY_LENGTH actions: stored as they are, its rows take up to that many
times the bytes of the events. A stored row is an action or, where user_history has a row at an instant of no
action (that of a cancellation, or of a row that an import withdrew), a mark: no item and no kind of action.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, Column, IntArray
from recsys.features.event_log import CANCEL_CODE, IS_ACTION, PURCHASE_CODE, EventLog
from recsys.features.history_windows import HistoryWindows
from recsys.features.user_history import cut_windows
from recsys.features.view_schemas import INSTANT, instant_column, names_of
from recsys.instants import NEVER, SECOND

BLOCK_ROWS = 131_072  # of whole users together; more where a single user has more
KIND_CODE = "kind_code"
UNDONE_AT = "undone_at"
MARK = 0  # the kind of a row that stands for no event

USER_ACTIONS_SCHEMA = pa.schema(
    {
        columns.USER_ID: pa.string(),
        columns.ITEM_KEY: pa.int64(),  # 0 in a mark
        KIND_CODE: pa.int8(),
        UNDONE_AT: INSTANT,  # of the cancellation that left nothing of a purchase; null where it stands
        columns.EVENT_TIMESTAMP: INSTANT,
        columns.CREATED_TIMESTAMP: INSTANT,
    }
)


def user_actions(log: EventLog, created_at: int, since: IntArray | None = None) -> Iterator[pa.Table]:
    """The stored rows of user_history, by user id, instant and arrival.

    Each table is about BLOCK_ROWS rows of whole users: no user is in two of them.

    Args:
        since: (len(log.users),) the instant before which no rows of a user are asked for.
    """
    acts = np.flatnonzero(log.is_action | (log.kind == CANCEL_CODE))
    if since is not None:
        acts = acts[log.at[acts] >= since[log.user[acts]]]
    by_id = pc.sort_indices(pa.array(log.users, pa.string())).to_numpy()
    rank = np.empty(len(by_id), np.int64)
    rank[by_id] = np.arange(len(by_id))
    acts = acts[np.argsort(rank[log.user[acts]], kind="stable")]  # by user, then instant, then arrival
    user = log.user[acts]
    ends = np.append(np.flatnonzero(user[1:] != user[:-1]) + 1, len(user))[: len(user)]
    start = 0
    while start < len(acts):
        stop = int(ends[min(int(np.searchsorted(ends, start + BLOCK_ROWS)), len(ends) - 1)])
        yield _rows(log, acts[start:stop], created_at)
        start = stop


def changed_actions(
    log: EventLog, created_at: int, since: IntArray, key_of: Callable[[str], int]
) -> Iterator[pa.Table]:
    """The stored rows that events of each user from `since` on changed.

    Of a user who cancelled something since, all purchases of the log may be others than they were.

    Args:
        log: its item keys are not read. Of a user for whom `reach_back` says so, it must be complete.
        since: (len(log.users),) microseconds.
        key_of: `stable_key`, or one that remembers what it answered.
    """
    since, user = since.copy(), log.user[(log.kind == CANCEL_CODE) & (log.at >= since[log.user])]
    since[user] = -NEVER
    asked = np.unique(log.item[log.at >= since[log.user]])
    keys = np.zeros(len(log.items), np.int64)
    keys[asked] = [key_of(log.items[item]) for item in asked.tolist()]
    return user_actions(replace(log, item_keys=keys), created_at, since)


def reach_back(log: EventLog, since: IntArray) -> BoolArray:
    """(U,) users whose cancellations from `since` (U,) on may concern purchases before the log's beginning.

    A cancellation takes from the latest purchase that stands. So it reaches further than the log where it
    takes less than it says, and another one than it took before where a purchase came in between.
    """
    found = np.zeros(len(log.users), bool)
    taken = np.zeros(len(log), np.int64)
    parts = log.taken_back
    np.add.at(taken, parts.cancel, parts.quantity - parts.quantity_left)
    cancels = np.flatnonzero((log.kind == CANCEL_CODE) & (log.at >= since[log.user]))
    lacking = (taken[cancels] == 0) | (taken[cancels] < log.quantity[cancels])
    found[log.user[cancels[lacking]]] = True
    bought = np.flatnonzero((log.kind == PURCHASE_CODE) & (log.at >= since[log.user]))
    pair = log.user * (len(log.items) + 1) + log.item
    found[log.user[cancels[np.isin(pair[cancels], pair[bought])]]] = True
    return found


def _rows(log: EventLog, acts: IntArray, created_at: int) -> pa.Table:
    undone, user = log.undone_at[acts], log.user[acts]
    begins = np.append(True, user[1:] != user[:-1])
    names = tuple(log.users[each] for each in user[begins].tolist())
    values: dict[str, Column] = {
        columns.USER_ID: names_of(names, np.cumsum(begins) - 1),
        columns.ITEM_KEY: pa.array(np.where(log.is_action[acts], log.item_keys[log.item[acts]], 0)),
        KIND_CODE: pa.array(log.kind[acts].astype(np.int8)),
        UNDONE_AT: pa.array(undone, mask=undone == NEVER).cast(INSTANT),
        columns.EVENT_TIMESTAMP: instant_column(log.at[acts]),
        columns.CREATED_TIMESTAMP: instant_column(np.full(len(acts), created_at)),
    }
    return pa.table(values, schema=USER_ACTIONS_SCHEMA)


def marks(users: Column, at: Column, created_at: int) -> pa.Table:
    """Stored rows that let user_history have a row of each of `users` at `at`: what holds by then."""
    count = len(users)
    values: dict[str, Column] = {
        columns.USER_ID: users,
        columns.ITEM_KEY: pa.array(np.zeros(count, np.int64)),
        KIND_CODE: pa.array(np.full(count, MARK, np.int8)),
        UNDONE_AT: pa.nulls(count, INSTANT),
        columns.EVENT_TIMESTAMP: at,
        columns.CREATED_TIMESTAMP: instant_column(np.full(count, created_at)),
    }
    return pa.table(values, schema=USER_ACTIONS_SCHEMA)


@dataclass(frozen=True)
class UserInstants:
    """The M stored rows of U users, each user's together and by instant.

    Attributes:
        first: (U + 1,) int64; user u has the rows `first[u]:first[u + 1]`.
        at: (M,) int64 microseconds.
    """

    first: IntArray
    at: IntArray

    def ends_as_of(self, user: IntArray, at: IntArray) -> IntArray:
        """(R,) behind the last row of `user` (R,) up to `at` (R,), that instant included; `first` if none."""
        low, high = self.first[user].copy(), self.first[user + 1].copy()
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            middle = (low + high) // 2
            before = (low < high) & (self.at[np.minimum(middle, len(self.at) - 1)] <= at)
            low, high = np.where(before, middle + 1, low), np.where(before, high, np.minimum(middle, high))
        return low

    def ends_within(self, start: int, end: int) -> IntArray:
        """Behind the last row of each user who has one within [`start`, `end`], in order."""
        rows = np.flatnonzero((self.at >= start) & (self.at <= end))
        return rows[_last_of(self.user[rows])] + 1

    def ends_of_instants(self) -> IntArray:
        """Behind the last row of each instant of each user, in order: where user_history has its rows."""
        return np.flatnonzero(_last_of(self.user) | _last_of(self.at)) + 1

    @cached_property
    def user(self) -> IntArray:
        """(M,) whose row each is."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


def windows_until(
    rows: UserInstants, item_keys: IntArray, kind: IntArray, undone_at: IntArray, ends: IntArray
) -> HistoryWindows:
    """The window of the user_history row that ends with each row before `ends` (R,), none of them a `first`.

    Args:
        item_keys, kind, undone_at: (M,) of the rows; NEVER where nothing is undone.
    """
    is_action = IS_ACTION[kind]
    before = np.concatenate([[0], np.cumsum(is_action)])  # actions before each row
    end = before[ends]
    start = np.maximum(before[rows.first[rows.user[ends - 1]]], end - columns.HISTORY_LENGTH)
    place, offsets = cut_windows(np.flatnonzero(is_action), undone_at, start, end, rows.at[ends - 1])
    return HistoryWindows(item_keys, kind, rows.at // SECOND, place, offsets)


def _last_of(values: IntArray) -> BoolArray:
    """(N,) where a run of equal values ends."""
    return np.append(values[1:] != values[:-1], True)[: len(values)]
