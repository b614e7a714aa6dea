"""The user_activity view: what a user did over rolling windows, a row whenever that changes."""

from collections.abc import Mapping, Sequence
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
from recsys.features.user_days import KIND_SUMS, UserDays, condensed, days_of_users
from recsys.features.view_schemas import instant_column, list_column, names_of, view_table
from recsys.features.window_sums import sums_over
from recsys.features.windows import PROFILE_DAYS, day_of
from recsys.instants import SECOND

NO_DAYS_BESIDE: Mapping[str, UserDays] = {}


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
    counted = _counted(log, category)
    timeline = build_timeline(log.user[acts], log.at[acts], counted.changes, columns.WINDOW_DAYS, since)
    return _rows(log, counted, timeline, created_at)


@dataclass(frozen=True)
class LatestActivity:
    """user_activity rows, one for each user of a log who acted, in the order of `log.users`.

    Attributes:
        until: (len(log.users),) microseconds of the midnight at which the row changes, NEVER = it does not.
    """

    rows: pa.Table
    until: IntArray


def latest_user_activity(
    log: EventLog,
    category: IntArray,
    now: int,
    created_at: int,
    beside: Mapping[str, UserDays] = NO_DAYS_BESIDE,
) -> LatestActivity:
    """The rows of `user_activity` that are valid at `now`, or at a user's newest event if that is later.

    Args:
        beside: by user, the days of events that `log` does not hold; the newest of each user it does.
    """
    acts = np.flatnonzero(log.is_action | (log.kind == CANCEL_CODE))
    counted = _with_days(_counted(log, category), log.users, beside) if beside else _counted(log, category)
    newest = np.zeros(len(log.users), np.int64)
    np.maximum.at(newest, log.user[acts], log.at[acts])
    visits = counted.changes if counted.visits is None else counted.visits
    valid = find_validity(newest, visits.entity, visits.day, now)
    acted = np.zeros(len(log.users), bool)
    acted[log.user[acts]] = True
    entities = np.flatnonzero(acted)
    moments = Moments(entities, valid.since[entities], np.cumsum(acted) - 1)
    return LatestActivity(_rows(log, counted, moments, created_at), valid.until)


def user_days(log: EventLog, category: IntArray) -> UserDays:
    """The days of the events of `log`, all of which are of one user.

    Args:
        category: (len(log.item_keys),) stable key of each item's category, 0 = none.
    """
    counted = _counted(log, category)
    changes, money = counted.changes, counted.money
    sums = np.zeros((len(changes) + len(money), len(KIND_SUMS)), np.int64)
    of_changes, of_money = sums[: len(changes)], sums[len(changes) :]
    of_changes[:, 0], of_changes[:, 1] = changes.sign, changes.sign > 0
    of_money[:, 2], of_money[:, 3], of_money[:, 4] = money.sign, counted.value, counted.price
    days = np.concatenate([changes.day, money.day])
    kinds = np.concatenate([counted.kind, np.full(len(money), PURCHASE_CODE)])
    by_category = np.stack([changes.day, counted.category], axis=1)
    return UserDays(
        condensed(np.stack([days, kinds], axis=1), sums), condensed(by_category, changes.sign[:, None])
    )


@dataclass(frozen=True)
class _Counted:
    """What counts by day.

    Attributes:
        changes: of the counts of kinds; `kind` (C,) says of which.
        by_category: of the counts of categories; `category` says of which, 0 = none.
        money: of purchases of known value; `value` and `price` (a piece) are what each adds.
        visits: one change for each day of a user; None = those of `changes`, in order of user and instant.
    """

    changes: Changes
    kind: IntArray
    by_category: Changes
    category: IntArray
    money: Changes
    value: IntArray
    price: IntArray
    visits: Changes | None = None


def _counted(log: EventLog, category: IntArray) -> _Counted:
    changes = changes_of(log, log.user, np.flatnonzero(log.is_action))
    of_item = category[log.item[changes.source]]
    return _Counted(changes, log.kind[changes.source], changes, of_item, *_money_changes(log))


def _with_days(counted: _Counted, users: Sequence[str], beside: Mapping[str, UserDays]) -> _Counted:
    days = days_of_users(users, beside)
    day, kind = days.kinds.keys.T
    standing, acted, priced, value, price = days.kinds.sums.T
    owner, by_category = days.category_user, days.categories
    return _Counted(
        changes=counted.changes.plus(_daily(days.kind_user, day, standing)),
        kind=np.concatenate([counted.kind, kind]),
        by_category=counted.by_category.plus(_daily(owner, by_category.keys[:, 0], by_category.sums[:, 0])),
        category=np.concatenate([counted.category, by_category.keys[:, 1]]),
        money=counted.money.plus(_daily(days.kind_user, day, priced)),
        value=np.concatenate([counted.value, value]),
        price=np.concatenate([counted.price, price]),
        visits=_visits_with(counted.changes, _daily(days.kind_user, day, acted)),
    )


def _daily(user: IntArray, day: IntArray, amount: IntArray) -> Changes:
    """Changes of days whose events are not at hand."""
    nothing = np.zeros(len(user), np.int64)
    return Changes(nothing, user, nothing, day, amount)


def _visits_with(changes: Changes, acted: Changes) -> Changes:
    """One change for each day on which a user acted: `acted` says it together with `changes`."""
    both = np.isin(changes.entity, acted.entity)
    visits = changes.chosen(_visits(changes))
    came = changes.chosen(both & (changes.sign > 0)).plus(acted)
    found = condensed(np.stack([came.entity, came.day], axis=1), came.sign[:, None]).keys
    alone = visits.chosen(~np.isin(visits.entity, acted.entity))
    return alone.plus(_daily(found[:, 0], found[:, 1], np.ones(len(found), np.int64)))


def _rows(log: EventLog, counted: _Counted, instants: Instants, created_at: int) -> pa.Table:
    order, changes = instants.written, counted.changes
    sums = sums_over(instants, changes)
    values = kind_counts(instants, sums, counted.kind, columns.ACTION_KINDS, "{kind}_count_{days}d")
    values |= _money(counted, instants)
    acts = np.flatnonzero(log.is_action | (log.kind == CANCEL_CODE))
    rows = instants.rows_of(log.user[acts], log.at[acts])
    top = top_categories(instants, counted.by_category, sums, counted.category)
    visits = sums.chosen(_visits(changes)) if counted.visits is None else sums_over(instants, counted.visits)
    values |= {
        columns.ACTIVE_DAYS: pa.array(visits.counts(PROFILE_DAYS)[order]),
        columns.LAST_EVENT_AT: pa.array(latest_values(instants, rows, log.at[acts] // SECOND)[order]),
        columns.TOP_CATEGORIES: list_column(top.keys, top.offsets, pa.int64()),
        columns.TOP_CATEGORY_SHARES: list_column(top.shares, top.offsets, pa.float32()),
        columns.USER_ID: names_of(log.users, instants.entity[order]),
        columns.EVENT_TIMESTAMP: instant_column(instants.at[order]),
        columns.CREATED_TIMESTAMP: instant_column(np.full(len(order), created_at)),
    }
    return view_table(columns.USER_ACTIVITY, values)


def _money(counted: _Counted, instants: Instants) -> dict[str, Column]:
    order, value, price = instants.written, counted.value, counted.price
    sums = sums_over(instants, counted.money)
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
