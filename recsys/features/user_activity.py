"""The user_activity view: what a user did over rolling windows, a row whenever that changes."""

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.features.event_log import CANCEL_CODE, PURCHASE_CODE, EventLog, IntArray
from recsys.features.kind_counts import kind_counts
from recsys.features.timeline import Changes, RollingSums, Timeline, build_timeline, changes_of, latest
from recsys.features.top_categories import top_categories
from recsys.features.view_schemas import Column, instants, lists, names_of, view_table
from recsys.features.windows import PROFILE_DAYS, SECOND_MICROS, day_of


def user_activity(log: EventLog, category: IntArray, created_at: int) -> pa.Table:
    """The user_activity rows of `log`, sorted by instant.

    Args:
        category: (len(log.items),) stable key of each item's category, 0 = none.
        created_at: microseconds, the table's created timestamp.
    """
    acts = np.flatnonzero(log.is_action | (log.kind == CANCEL_CODE))
    changes = changes_of(log, log.user, np.flatnonzero(log.is_action))
    timeline = build_timeline(log.user[acts], log.at[acts], changes, columns.WINDOW_DAYS)
    order = np.argsort(timeline.at, kind="stable")
    sums = RollingSums(timeline, changes)
    kind = log.kind[changes.source]
    values = kind_counts(sums, kind, order, columns.ACTION_KINDS, "{kind}_count_{days}d")
    values |= _money(log, changes, sums, order)
    days, visits = _visits(log, changes, timeline)
    rows = timeline.rows_of(log.user[acts], log.at[acts])
    top = top_categories(timeline, changes, category[log.item[changes.source]])
    values |= {
        columns.ACTIVE_DAYS: pa.array(days.sums(visits, PROFILE_DAYS)[order]),
        columns.LAST_EVENT_AT: pa.array(latest(timeline, rows, log.at[acts] // SECOND_MICROS)[order]),
        columns.TOP_CATEGORIES: lists(top.keys, top.offsets, pa.int64()).take(pa.array(order)),
        columns.TOP_CATEGORY_SHARES: lists(top.shares, top.offsets, pa.float32()).take(pa.array(order)),
        columns.USER_ID: names_of(log.users, timeline.entity[order]),
        columns.EVENT_TIMESTAMP: instants(timeline.at[order]),
        columns.CREATED_TIMESTAMP: instants(np.full(len(timeline), created_at)),
    }
    return view_table(columns.USER_ACTIVITY, values)


def _money(log: EventLog, changes: Changes, sums: RollingSums, order: IntArray) -> dict[str, Column]:
    source = changes.source
    priced = (log.kind[source] == PURCHASE_CODE) & (log.value[source] >= 0)
    value = np.where(priced, log.value[source], 0)
    values = {
        f"purchase_value_micros_{days}d": pa.array(sums.sums(value, days)[order])
        for days in columns.WINDOW_DAYS
    }
    # Each line counts once, whatever its quantity: litres of fuel would drown everything else.
    prices = sums.sums(np.where(priced, value // np.maximum(log.quantity[source], 1), 0), PROFILE_DAYS)
    lines = sums.sums(priced.astype(np.int64), PROFILE_DAYS)
    values[columns.AVERAGE_PRICE] = pa.array((prices // np.maximum(lines, 1))[order])
    return values


def _visits(log: EventLog, changes: Changes, timeline: Timeline) -> tuple[RollingSums, IntArray]:
    """One change for each day on which a user acted; a purchase undone later was a visit all the same."""
    acted = np.flatnonzero(changes.sign > 0)
    oldest = int(changes.day.min()) if len(changes.day) else 0
    width = (int(changes.day.max()) if len(changes.day) else 0) - oldest + 1
    pair = changes.entity[acted] * width + (changes.day[acted] - oldest)
    _, first = np.unique(pair, return_index=True)  # the log is in order of time: the first of the day
    source = changes.source[acted[first]]
    visits = Changes(source, log.user[source], log.at[source], day_of(log.at[source]), np.ones_like(source))
    return RollingSums(timeline, visits), np.ones_like(source)
