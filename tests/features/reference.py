"""What every feature means at one instant, straight from the events: slow, and right by inspection.

The batch tables and the incremental state must equal this; tests and audits compare them with it. Events
are canonical rows as mappings, `at` an aware datetime; only those up to the given instant are looked at.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from recsys import columns
from recsys.catalog import stable_key
from recsys.features.windows import PROFILE_DAYS, RATE_DAYS, SECOND_MICROS, TREND_DAYS, day_of, first_day

Row = Mapping[str, Any]
Values = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def user_activity_as_of(
    events: Sequence[Row], categories: Mapping[str, str], user: str, at: datetime
) -> Values:
    """The user_activity features of `user` at the instant `at`; `categories` by item id."""
    past = _past(events, at)
    mine = [event for event in past if event[columns.USER_ID] == user]
    standing = [
        event
        for event in _standing(past)
        if event[columns.USER_ID] == user and event[columns.KIND] != columns.IMPRESSION
    ]
    values: Values = {}
    for days in columns.WINDOW_DAYS:
        recent = _within(standing, at, days)
        for kind in columns.ACTION_KINDS:
            values[f"{kind}_count_{days}d"] = _count(recent, kind)
        values[f"purchase_value_micros_{days}d"] = sum(_value(event) for event in recent)
    recent = _within(standing, at, PROFILE_DAYS)
    prices = [
        _value(event) // max(event[columns.QUANTITY] or 1, 1)
        for event in recent
        if event[columns.KIND] == columns.PURCHASE and event[columns.VALUE_MICROS] is not None
    ]
    kinds = Counter(
        stable_key(categories[event[columns.ITEM_ID]])
        for event in recent
        if categories.get(event[columns.ITEM_ID])
    )
    top = sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))[: columns.TOP_CATEGORY_COUNT]
    acted = [event for event in mine if event[columns.KIND] in columns.ACTION_KINDS]
    return values | {
        columns.ACTIVE_DAYS: len({day_of(_micros(event)) for event in _within(acted, at, PROFILE_DAYS)}),
        columns.LAST_EVENT_AT: _last(mine),
        columns.AVERAGE_PRICE: sum(prices) // max(len(prices), 1),
        columns.TOP_CATEGORIES: [key for key, _ in top],
        columns.TOP_CATEGORY_SHARES: [float(np.float32(count / kinds.total())) for _, count in top],
    }


def user_history_as_of(events: Sequence[Row], user: str, at: datetime) -> Values:
    """The user_history features of `user` at the instant `at`."""
    past = _past(events, at)
    standing = [id(event) for event in _standing(past)]
    actions = [
        event
        for event in past
        if event[columns.USER_ID] == user and event[columns.KIND] in columns.ACTION_KINDS
    ][-columns.HISTORY_LENGTH :]
    kept = [event for event in actions if id(event) in standing]
    return {
        columns.HISTORY_ITEMS: [stable_key(event[columns.ITEM_ID]) for event in kept],
        columns.HISTORY_KINDS: [columns.KIND_CODES[event[columns.KIND]] for event in kept],
        columns.HISTORY_AT: [_micros(event) // SECOND_MICROS for event in kept],
    }


def item_engagement_as_of(events: Sequence[Row], item: str, at: datetime) -> Values:
    """The item_engagement features of `item` at the instant `at`."""
    past = _past(events, at)
    standing = [event for event in _standing(past) if event[columns.ITEM_ID] == item]
    values: Values = {
        f"item_{kind}_count_{days}d": _count(_within(standing, at, days), kind)
        for kind in (columns.IMPRESSION, *columns.ACTION_KINDS)
        for days in columns.WINDOW_DAYS
    }
    recent, latest = _within(standing, at, RATE_DAYS), _within(standing, at, TREND_DAYS)
    actions = _count(recent, *columns.ACTION_KINDS)
    return values | {
        columns.ITEM_CLICK_RATE: _share(_count(recent, columns.CLICK), _count(recent, columns.IMPRESSION)),
        columns.ITEM_CONVERSION: _share(
            _count(recent, columns.PURCHASE), _count(recent, columns.VIEW, columns.CLICK)
        ),
        columns.ITEM_TREND: _share(_count(latest, *columns.ACTION_KINDS), actions),
        columns.ITEM_LAST_EVENT_AT: _last([event for event in past if event[columns.ITEM_ID] == item]),
    }


def _past(events: Sequence[Row], at: datetime) -> list[Row]:
    """Events that count, up to `at`, in order of time and arrival."""
    counted = [
        event
        for event in events
        if event[columns.AT] <= at
        and event[columns.ITEM_ID] is not None
        and (
            event[columns.KIND] in (columns.IMPRESSION, columns.CANCEL)
            or (event[columns.KIND] in columns.ACTION_KINDS and event[columns.WEIGHT] > 0)
        )
    ]
    return sorted(counted, key=lambda event: (event[columns.AT], event[columns.SEQUENCE]))


def _standing(past: Sequence[Row]) -> list[Row]:
    """`past` without cancellations and the purchases that they undid, each the latest still standing."""
    undone: set[int] = set()
    purchases: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for event in past:
        bought = purchases[event[columns.USER_ID], event[columns.ITEM_ID]]
        if event[columns.KIND] == columns.PURCHASE:
            bought.append(event)
        elif event[columns.KIND] == columns.CANCEL and bought:
            undone.add(id(bought.pop()))
    return [event for event in past if event[columns.KIND] != columns.CANCEL and id(event) not in undone]


def _within(events: Sequence[Row], at: datetime, days: int) -> list[Row]:
    oldest = first_day((at - _EPOCH) // _MICROSECOND, days)
    return [event for event in events if day_of(_micros(event)) >= oldest]


def _last(events: Sequence[Row]) -> int:
    acted = [_micros(event) for event in events if event[columns.KIND] != columns.IMPRESSION]
    return max(acted, default=0) // SECOND_MICROS


def _count(events: Sequence[Row], *kinds: str) -> int:
    return sum(event[columns.KIND] in kinds for event in events)


def _value(event: Row) -> int:
    return (event[columns.VALUE_MICROS] or 0) if event[columns.KIND] == columns.PURCHASE else 0


def _share(part: int, whole: int) -> float:
    return float(np.float32(part / whole)) if whole else 0.0


def _micros(event: Row) -> int:
    return int((event[columns.AT] - _EPOCH) // _MICROSECOND)
