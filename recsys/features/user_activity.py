"""The user_activity view: what a user did over rolling windows, a row whenever that changes."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.amounts import unit_micros
from recsys.arrays import Column, IntArray
from recsys.features.event_log import CANCEL_CODE, PURCHASE_CODE, EventLog
from recsys.features.kind_counts import kind_counts
from recsys.features.timeline import (
    Changes,
    Instants,
    Moments,
    build_timeline,
    by_entity,
    changes_of,
    find_validity,
    latest_values,
)
from recsys.features.top_categories import top_categories
from recsys.features.view_schemas import instant_column, list_column, names_of, view_table
from recsys.features.window_sums import sums_over
from recsys.features.windows import PROFILE_DAYS, day_of
from recsys.instants import SECOND


def user_activity(
    log: EventLog, category: IntArray, created_at: int, since: IntArray | None = None
) -> pa.Table:
    """The user_activity rows of `log`, sorted by instant.

    Args:
        category: (len(log.item_keys),) stable key of each item's category, 0 = none.
        created_at: microseconds, the table's created timestamp.
        since: (len(log.users),) the instant of an action or a cancellation of each user, before which no rows
            are asked for: a log that begins LONGEST_DAYS before the day of the earliest is enough then.
    """
    acts = np.flatnonzero(log.is_action | (log.kind == CANCEL_CODE))
    changes = changes_of(log, log.user, np.flatnonzero(log.is_action))
    timeline = build_timeline(log.user[acts], log.at[acts], changes, columns.WINDOW_DAYS, since)
    return _rows(log, category, changes, timeline, created_at)


@dataclass(frozen=True)
class LatestActivity:
    """user_activity rows, one for each user of a log who acted, in the order of `log.users`.

    Attributes:
        until: (len(log.users),) microseconds of the midnight at which the row changes, NEVER = it does not.
    """

    rows: pa.Table
    until: IntArray


def latest_user_activity(log: EventLog, category: IntArray, now: int, created_at: int) -> LatestActivity:
    """The rows of `user_activity` that are valid at `now`, or at a user's newest event if that is later."""
    acts = np.flatnonzero(log.is_action | (log.kind == CANCEL_CODE))
    changes = changes_of(log, log.user, np.flatnonzero(log.is_action))
    newest = np.zeros(len(log.users), np.int64)
    np.maximum.at(newest, log.user[acts], log.at[acts])
    valid = find_validity(newest, changes.entity, changes.day, now)
    acted = np.zeros(len(log.users), bool)
    acted[log.user[acts]] = True
    entities = np.flatnonzero(acted)
    moments = Moments(entities, valid.since[entities], np.cumsum(acted) - 1)
    return LatestActivity(_rows(log, category, changes, moments, created_at), valid.until)


def _rows(
    log: EventLog, category: IntArray, changes: Changes, timeline: Instants, created_at: int
) -> pa.Table:
    order = timeline.written
    sums, kind = sums_over(timeline, changes), log.kind[changes.source]
    values = kind_counts(timeline, sums, kind, columns.ACTION_KINDS, "{kind}_count_{days}d")
    values |= _money(log, timeline)
    acts = np.flatnonzero(log.is_action | (log.kind == CANCEL_CODE))
    rows = timeline.rows_of(log.user[acts], log.at[acts])
    top = top_categories(timeline, changes, sums, category[log.item[changes.source]])
    active_days = sums.chosen(_visits(changes)).counts(PROFILE_DAYS)
    values |= {
        columns.ACTIVE_DAYS: pa.array(active_days[order]),
        columns.LAST_EVENT_AT: pa.array(latest_values(timeline, rows, log.at[acts] // SECOND)[order]),
        columns.TOP_CATEGORIES: list_column(top.keys, top.offsets, pa.int64()),
        columns.TOP_CATEGORY_SHARES: list_column(top.shares, top.offsets, pa.float32()),
        columns.USER_ID: names_of(log.users, timeline.entity[order]),
        columns.EVENT_TIMESTAMP: instant_column(timeline.at[order]),
        columns.CREATED_TIMESTAMP: instant_column(np.full(len(order), created_at)),
    }
    return view_table(columns.USER_ACTIVITY, values)


def _money(log: EventLog, timeline: Instants) -> dict[str, Column]:
    order = timeline.written
    changes, value, price = _money_changes(log)
    sums = sums_over(timeline, changes)
    values = {
        f"purchase_value_micros_{days}d": pa.array(sums.sums(value, days)[order])
        for days in columns.WINDOW_DAYS
    }
    # Each line counts once, whatever its quantity: litres of fuel would drown everything else.
    prices = sums.sums(price, PROFILE_DAYS)
    values[columns.AVERAGE_PRICE] = pa.array((prices // np.maximum(sums.counts(PROFILE_DAYS), 1))[order])
    return values


def _money_changes(log: EventLog) -> tuple[Changes, IntArray, IntArray]:
    """What purchases with a value and their cancellations change, and by how much: money, price a piece.

    A part that is taken back belongs to the purchase's day and counts from the cancellation on.
    """
    bought = np.flatnonzero((log.kind == PURCHASE_CODE) & (log.value >= 0))
    taken = log.taken_back
    priced = taken.value >= 0
    source = np.concatenate([bought, taken.purchase[priced]])
    at = np.concatenate([log.at[bought], log.at[taken.cancel[priced]]])
    sign = np.concatenate([np.ones_like(bought), -taken.undone[priced].astype(np.int64)])
    value = np.concatenate([log.value[bought], (taken.value_left - taken.value)[priced]])
    # What is undone has no price: its quantity and its money are 0.
    price = unit_micros(taken.value_left, taken.quantity_left) - unit_micros(taken.value, taken.quantity)
    price = np.concatenate([unit_micros(log.value[bought], log.quantity[bought]), price[priced]])
    user = log.user[source]
    order = by_entity(user, at)
    source = source[order]
    changes = Changes(source, user[order], at[order], day_of(log.at[source]), sign[order])
    return changes, value[order], price[order]


def _visits(changes: Changes) -> IntArray:
    """Places of one change for each day on which a user acted; a purchase undone later was a visit too."""
    acted = np.flatnonzero(changes.sign > 0)  # in order of user and instant: the first of each day
    entity, day = changes.entity[acted], changes.day[acted]
    first = np.ones(len(acted), bool)
    first[1:] = (entity[1:] != entity[:-1]) | (day[1:] != day[:-1])
    return acted[first]
