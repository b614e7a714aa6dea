"""What every feature means at one instant, straight from the events: slow, and right by inspection.

The batch tables and the incremental state must equal this; tests and audits compare them with it. Events
are canonical rows as mappings, `at` an aware datetime; only those up to the given instant are looked at.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from recsys import columns
from recsys.catalog import stable_key
from recsys.features.windows import PROFILE_DAYS, RATE_DAYS, TREND_DAYS, day_of, first_day
from recsys.instants import SECOND, to_micros

Row = Mapping[str, Any]
Values = dict[str, Any]


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
        _value(event) * 1000 // (event[columns.QUANTITY] or 1000)
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
    standing = [event[columns.SEQUENCE] for event in _standing(past)]
    actions = [
        event
        for event in past
        if event[columns.USER_ID] == user and event[columns.KIND] in columns.ACTION_KINDS
    ][-columns.HISTORY_LENGTH :]
    kept = [event for event in actions if event[columns.SEQUENCE] in standing]
    return {
        columns.HISTORY_ITEMS: [stable_key(event[columns.ITEM_ID]) for event in kept],
        columns.HISTORY_KINDS: [columns.KIND_CODES[event[columns.KIND]] for event in kept],
        columns.HISTORY_AT: [_micros(event) // SECOND for event in kept],
    }


def user_searches_as_of(events: Sequence[Row], user: str, at: datetime) -> Values:
    """The user_searches features of `user` at the instant `at`."""
    asked = [
        (event[columns.AT], event[columns.SEQUENCE], " ".join(event[columns.QUERY].casefold().split()))
        for event in events
        if event[columns.KIND] == columns.SEARCH
        and event[columns.USER_ID] == user
        and event[columns.AT] <= at
        and (event[columns.PAGE] or 1) == 1
        and (
            event[columns.QUERY_ID] is None
            or event[columns.REQUEST_ID] is None
            or event[columns.QUERY_ID] == event[columns.REQUEST_ID]
        )
    ]
    texts: list[str] = []
    seconds: list[int] = []
    for instant, _, text in sorted(asked, reverse=True):
        if text and text not in texts:
            texts.append(text)
            seconds.append(to_micros(instant) // SECOND)
    return {
        columns.SEARCH_TEXTS: texts[: columns.SEARCH_COUNT],
        columns.SEARCH_AT: seconds[: columns.SEARCH_COUNT],
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
            event[columns.KIND] == columns.CANCEL
            or (event[columns.KIND] == columns.IMPRESSION and event.get(columns.VIEWABLE) is not False)
            or (event[columns.KIND] in columns.ACTION_KINDS and event[columns.WEIGHT] > 0)
        )
    ]
    return sorted(counted, key=lambda event: (event[columns.AT], event[columns.SEQUENCE]))


def _standing(past: Sequence[Row]) -> list[Row]:
    """`past` without cancellations and what they took back of purchases, the latest first."""
    rows = {event[columns.SEQUENCE]: event for event in past if event[columns.KIND] != columns.CANCEL}
    purchases: dict[tuple[str, str], list[int]] = defaultdict(list)
    order = sorted(past, key=lambda event: (event[columns.AT], event[columns.KIND] == columns.CANCEL))
    for event in order:
        bought = purchases[event[columns.USER_ID], event[columns.ITEM_ID]]
        if event[columns.KIND] == columns.PURCHASE:
            bought.append(event[columns.SEQUENCE])
        if event[columns.KIND] != columns.CANCEL:
            continue
        returned = event[columns.QUANTITY]
        while bought:
            line = rows[bought[-1]]
            pieces, paid = line[columns.QUANTITY] or 1000, line[columns.VALUE_MICROS]
            refund = event[columns.VALUE_MICROS] or 0
            if returned is None and 0 < refund < (paid or 0):
                rows[bought[-1]] = {**line, columns.VALUE_MICROS: paid - refund}
                break
            part = pieces if returned is None else min(pieces, returned)
            if part == pieces:
                del rows[bought.pop()]
            else:
                left = {columns.QUANTITY: pieces - part}
                if paid is not None:
                    left[columns.VALUE_MICROS] = paid - paid * part // pieces
                rows[bought[-1]] = {**line, **left}
            if returned is None or returned == part:
                break
            returned -= part
    return list(rows.values())


def _within(events: Sequence[Row], at: datetime, days: int) -> list[Row]:
    oldest = first_day(to_micros(at), days)
    return [event for event in events if day_of(_micros(event)) >= oldest]


def _last(events: Sequence[Row]) -> int:
    acted = [_micros(event) for event in events if event[columns.KIND] != columns.IMPRESSION]
    return max(acted, default=0) // SECOND


def _count(events: Sequence[Row], *kinds: str) -> int:
    return sum(event[columns.KIND] in kinds for event in events)


def _value(event: Row) -> int:
    return (event[columns.VALUE_MICROS] or 0) if event[columns.KIND] == columns.PURCHASE else 0


def _share(part: int, whole: int) -> float:
    return float(np.float32(part / whole)) if whole else 0.0


def _micros(event: Row) -> int:
    return to_micros(event[columns.AT])
