"""The user_history view: a user's last actions, one row at each instant at which the user acted."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.features.event_log import CANCEL_CODE, EventLog
from recsys.features.view_schemas import VIEW_SCHEMAS, instant_column, list_column, names_of, view_table
from recsys.instants import SECOND

BLOCK_ROWS = 20_000  # rows made at once: each may hold HISTORY_LENGTH actions


def user_history(log: EventLog, created_at: int) -> pa.Table:
    """The user_history rows of `log`, sorted by instant; arrays oldest first.

    A row holds the last HISTORY_LENGTH actions up to its instant, less the purchases among them that were
    undone by then (older actions do not move up in their place).
    """
    blocks = user_history_blocks(log, created_at)
    return pa.concat_tables([VIEW_SCHEMAS[columns.USER_HISTORY].empty_table(), *blocks])


def user_history_blocks(log: EventLog, created_at: int) -> Iterator[pa.Table]:
    """The rows of `user_history`, BLOCK_ROWS at a time: together they may be larger than memory."""
    rows = _ranges(log)
    order = np.lexsort((rows.user, rows.at))
    for first in range(0, len(order), BLOCK_ROWS):
        yield _table(log, rows.chosen(order[first : first + BLOCK_ROWS]), created_at)


def latest_user_history(log: EventLog, created_at: int) -> pa.Table:
    """The last row of `user_history` of each user of a log who acted, in the order of `log.users`."""
    rows = _ranges(log)
    last = np.ones(len(rows.user), bool)
    last[:-1] = rows.user[1:] != rows.user[:-1]
    return _table(log, rows.chosen(np.flatnonzero(last)), created_at)


@dataclass(frozen=True)
class _Ranges:
    """R rows by user and instant; row r is about `actions[start[r]:end[r]]`, places in the event log."""

    user: IntArray
    at: IntArray
    start: IntArray
    end: IntArray
    actions: IntArray

    def chosen(self, rows: IntArray) -> "_Ranges":
        return _Ranges(self.user[rows], self.at[rows], self.start[rows], self.end[rows], self.actions)


def _ranges(log: EventLog) -> _Ranges:
    acts = np.flatnonzero(log.is_action | (log.kind == CANCEL_CODE))
    acts = acts[np.argsort(log.user[acts], kind="stable")]  # by user, then instant, then arrival
    user, at, is_action = log.user[acts], log.at[acts], log.is_action[acts]
    last = np.append(_changed(user) | _changed(at), True)[1:]  # the last event of its instant
    row_user = user[last]
    actions = acts[is_action]
    end = np.cumsum(is_action)[last]  # actions up to the row's instant, of all users so far
    start = np.maximum(np.searchsorted(log.user[actions], row_user), end - columns.HISTORY_LENGTH)
    return _Ranges(row_user, at[last], start, end, actions)


def cut_windows(
    actions: IntArray, undone_at: IntArray, start: IntArray, end: IntArray, at: IntArray
) -> tuple[IntArray, IntArray]:
    """What R windows over `actions[start[r]:end[r]]` hold: the actions that were not undone by `at` (R,).

    Args:
        actions: places of the actions in a log.
        undone_at: of every place of that log.

    Returns:
        (T,) places in the log, window after window, and (R + 1,) offsets into them.
    """
    lengths = end - start
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    place = actions[np.arange(offsets[-1]) + np.repeat(start - offsets[:-1], lengths)]
    standing = undone_at[place] > np.repeat(at, lengths)
    return place[standing], np.concatenate([[0], np.cumsum(standing)])[offsets]


def _table(log: EventLog, rows: _Ranges, created_at: int) -> pa.Table:
    place, offsets = cut_windows(rows.actions, log.undone_at, rows.start, rows.end, rows.at)
    return view_table(
        columns.USER_HISTORY,
        {
            columns.USER_ID: names_of(log.users, rows.user),
            columns.HISTORY_ITEMS: list_column(log.item_keys[log.item[place]], offsets, pa.int64()),
            columns.HISTORY_KINDS: list_column(log.kind[place].astype(np.int32), offsets, pa.int32()),
            columns.HISTORY_AT: list_column(log.at[place] // SECOND, offsets, pa.int64()),
            columns.EVENT_TIMESTAMP: instant_column(rows.at),
            columns.CREATED_TIMESTAMP: instant_column(np.full(len(rows.user), created_at)),
        },
    )


def _changed(values: IntArray) -> BoolArray:
    return np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]
