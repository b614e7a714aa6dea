"""The user_history view: a user's last actions, one row at each instant at which the user acted."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.features.event_log import CANCEL_CODE, BoolArray, EventLog, IntArray
from recsys.features.view_schemas import VIEW_SCHEMAS, instants, lists, names_of, view_table
from recsys.features.windows import SECOND_MICROS

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
    acts = np.flatnonzero(log.is_action | (log.kind == CANCEL_CODE))
    acts = acts[np.argsort(log.user[acts], kind="stable")]  # by user, then instant, then arrival
    user, at = log.user[acts], log.at[acts]
    last = np.append(_changed(user) | _changed(at), True)[1:]  # the last event of its instant
    row_user, row_at = user[last], at[last]
    actions = acts[log.is_action[acts]]
    end = np.cumsum(log.is_action[acts])[last]  # actions up to the row's instant, of all users so far
    start = np.maximum(np.searchsorted(log.user[actions], row_user), end - columns.HISTORY_LENGTH)
    order, keys = np.lexsort((row_user, row_at)), log.item_keys()
    for first in range(0, len(order), BLOCK_ROWS):
        rows = order[first : first + BLOCK_ROWS]
        lengths = end[rows] - start[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        place = actions[np.arange(offsets[-1]) + np.repeat(start[rows] - offsets[:-1], lengths)]
        standing = log.undone_at[place] > np.repeat(row_at[rows], lengths)
        place, offsets = place[standing], np.concatenate([[0], np.cumsum(standing)])[offsets]
        yield view_table(
            columns.USER_HISTORY,
            {
                columns.USER_ID: names_of(log.users, row_user[rows]),
                columns.HISTORY_ITEMS: lists(keys[log.item[place]], offsets, pa.int64()),
                columns.HISTORY_KINDS: lists(log.kind[place].astype(np.int32), offsets, pa.int32()),
                columns.HISTORY_AT: lists(log.at[place] // SECOND_MICROS, offsets, pa.int64()),
                columns.EVENT_TIMESTAMP: instants(row_at[rows]),
                columns.CREATED_TIMESTAMP: instants(np.full(len(rows), created_at)),
            },
        )


def _changed(values: IntArray) -> BoolArray:
    return np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]
