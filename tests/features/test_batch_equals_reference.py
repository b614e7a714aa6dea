"""The batch tables against the plain reference; the stream is held to both in tests/streaming."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from recsys import columns
from recsys.catalog import stable_key
from recsys.features.event_log import read_log
from recsys.features.item_engagement import item_engagement
from recsys.features.user_activity import user_activity
from recsys.features.user_history import user_history
from tests.features.reference import item_engagement_as_of, user_activity_as_of, user_history_as_of
from tests.features.worlds import (
    CATEGORIES,
    EVENTS,
    FAR,
    category_keys,
    event,
    known,
    numbered,
    row_at,
    table,
)


@settings(deadline=None)
@given(rows=EVENTS, at=FAR)
def test_user_activity_is_what_the_definition_says(rows: list[dict[str, Any]], at: datetime) -> None:
    rows = numbered(rows)
    log = read_log(table(rows))
    view = user_activity(log, category_keys(log.item_keys), created_at=0)
    for user in ("u1", "u2"):
        reference = user_activity_as_of(rows, CATEGORIES, user, at)
        assert known(row_at(view, columns.USER_ID, user, at), reference) == reference


@settings(deadline=None)
@given(rows=EVENTS, at=FAR)
def test_item_engagement_is_what_the_definition_says(rows: list[dict[str, Any]], at: datetime) -> None:
    rows = numbered(rows)
    view = item_engagement(read_log(table(rows)), created_at=0)
    for item in sorted(CATEGORIES):
        reference = item_engagement_as_of(rows, item, at)
        assert known(row_at(view, columns.ITEM_ID, item, at), reference) == reference


@pytest.mark.parametrize("length", [2, 50])
@settings(deadline=None)
@given(rows=EVENTS, at=FAR)
def test_user_history_is_what_the_definition_says(
    length: int, rows: list[dict[str, Any]], at: datetime
) -> None:
    rows = numbered(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "HISTORY_LENGTH", length)
        patch.setattr("recsys.features.user_history.BLOCK_ROWS", 3)
        view = user_history(read_log(table(rows)), created_at=0)
        for user in ("u1", "u2"):
            reference = user_history_as_of(rows, user, at)
            assert known(row_at(view, columns.USER_ID, user, at), reference) == reference


@settings(deadline=None)
@given(rows=EVENTS)
def test_rows_of_a_view_are_distinct_and_sorted_by_instant(rows: list[dict[str, Any]]) -> None:
    log = read_log(table(numbered(rows)))
    for view, key in (
        (user_activity(log, category_keys(log.item_keys), 0), columns.USER_ID),
        (user_history(log, 0), columns.USER_ID),
        (item_engagement(log, 0), columns.ITEM_ID),
    ):
        instants = view[columns.EVENT_TIMESTAMP].to_pylist()
        assert instants == sorted(instants)
        assert len(set(zip(view[key].to_pylist(), instants, strict=True))) == len(view)


def test_a_count_falls_at_midnight_although_nothing_new_arrives(start: datetime) -> None:
    bought_at = start + timedelta(hours=15)
    rows = numbered([event(columns.PURCHASE, bought_at, value_micros=3_000_000)])
    log = read_log(table(rows))
    view = user_activity(log, category_keys(log.item_keys), created_at=0)
    written = [
        (
            row[columns.EVENT_TIMESTAMP],
            [row[f"purchase_count_{days}d"] for days in columns.WINDOW_DAYS],
            row["purchase_value_micros_7d"],
        )
        for row in view.to_pylist()
    ]
    assert written == [
        (bought_at, [1, 1, 1, 1], 3_000_000),
        (start + timedelta(days=2), [0, 1, 1, 1], 3_000_000),
        (start + timedelta(days=8), [0, 0, 1, 1], 0),
        (start + timedelta(days=31), [0, 0, 0, 1], 0),
        (start + timedelta(days=91), [0, 0, 0, 0], 0),
    ]


def test_a_cancelled_purchase_leaves_counts_money_and_history_but_was_a_visit(start: datetime) -> None:
    hour = timedelta(hours=1)
    rows = numbered(
        [
            event(columns.VIEW, start, item="i2"),
            event(columns.PURCHASE, start + hour, value_micros=5_000_000),
            event(columns.CANCEL, start + 2 * hour, weight=0.0),
        ]
    )
    log = read_log(table(rows))
    activity = user_activity(log, category_keys(log.item_keys), created_at=0)
    before = row_at(activity, columns.USER_ID, "u1", start + hour)
    after = row_at(activity, columns.USER_ID, "u1", start + 2 * hour)
    assert before is not None
    assert after is not None
    assert (before["purchase_count_7d"], before["purchase_value_micros_7d"]) == (1, 5_000_000)
    assert (after["purchase_count_7d"], after["purchase_value_micros_7d"]) == (0, 0)
    assert after[columns.AVERAGE_PRICE] == 0
    assert after[columns.ACTIVE_DAYS] == 1
    history = row_at(user_history(log, 0), columns.USER_ID, "u1", start + 2 * hour)
    assert history is not None
    assert history[columns.HISTORY_ITEMS] == [stable_key("i2")]


def test_no_events_give_empty_tables() -> None:
    log = read_log(table([]))
    for view in (
        user_activity(log, category_keys(log.item_keys), 0),
        user_history(log, 0),
        item_engagement(log, 0),
    ):
        assert len(view) == 0
