"""The user_history view: a user's last actions, one row at each instant at which the user acted."""

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.features.event_log import CANCEL_CODE, EventLog
from recsys.features.view_schemas import instants, lists, names_of, view_table
from recsys.features.windows import SECOND_MICROS


def user_history(log: EventLog, created_at: int) -> pa.Table:
    """The user_history rows of `log`, sorted by instant; arrays oldest first.

    A row holds the last HISTORY_LENGTH actions up to its instant, less the purchases among them that were
    undone by then (older actions do not move up in their place).
    """
    acts = np.flatnonzero(log.is_action | (log.kind == CANCEL_CODE))
    acts = acts[np.argsort(log.user[acts], kind="stable")]  # by user, then instant, then arrival
    user, at = log.user[acts], log.at[acts]
    new_instant = _changed(user) | _changed(at)
    ends = np.append(np.flatnonzero(new_instant)[1:], len(acts))[: int(new_instant.sum())]
    row_user, row_at = user[new_instant], at[new_instant]

    acted = np.cumsum(log.is_action[acts])  # actions up to each place
    actions = acts[log.is_action[acts]]
    first_action = np.searchsorted(log.user[actions], row_user)
    end = acted[ends - 1] if len(ends) else ends
    start = np.maximum(first_action, end - columns.HISTORY_LENGTH)

    order = np.lexsort((row_user, row_at))
    start, end, row_at = start[order], end[order], row_at[order]
    lengths = np.maximum(end - start, 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    place = actions[np.arange(offsets[-1]) + np.repeat(start - offsets[:-1], lengths)]
    standing = log.undone_at[place] > np.repeat(row_at, lengths)
    if not standing.all():
        place = place[standing]
        offsets = np.concatenate([[0], np.cumsum(standing)])[offsets]
    return view_table(
        columns.USER_HISTORY,
        {
            columns.USER_ID: names_of(log.users, row_user[order]),
            columns.HISTORY_ITEMS: lists(log.item_keys()[log.item[place]], offsets, pa.int64()),
            columns.HISTORY_KINDS: lists(log.kind[place].astype(np.int32), offsets, pa.int32()),
            columns.HISTORY_AT: lists(log.at[place] // SECOND_MICROS, offsets, pa.int64()),
            columns.EVENT_TIMESTAMP: instants(row_at),
            columns.CREATED_TIMESTAMP: instants(np.full(len(row_at), created_at)),
        },
    )


def _changed(values: np.ndarray) -> np.ndarray:
    return np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]
