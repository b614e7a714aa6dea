"""One definition, three ways to compute it: batch tables, incremental state, plain reference."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.catalog import stable_key
from recsys.features.day_tiles import (
    Action,
    DayTiles,
    HistoryState,
    item_engagement_values,
    user_activity_values,
)
from recsys.features.event_log import read_log
from recsys.features.item_engagement import item_engagement
from recsys.features.reference import item_engagement_as_of, user_activity_as_of, user_history_as_of
from recsys.features.user_activity import user_activity
from recsys.features.user_history import user_history
from tests.features.worlds import CATEGORIES, EVENTS, INSTANTS, event, numbered, table

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FAR = st.builds(lambda at, days: at + timedelta(days=days), INSTANTS, st.sampled_from([0, 0, 0, 1, 100]))


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def row_at(view: pa.Table, join_key: str, entity: str, at: datetime) -> dict[str, Any] | None:
    """The features of the last row of `entity` up to `at`, as a point-in-time join finds them."""
    rows = [row for row in view.to_pylist() if row[join_key] == entity and row[columns.EVENT_TIMESTAMP] <= at]
    if not rows:
        return None
    last = max(rows, key=lambda row: row[columns.EVENT_TIMESTAMP])
    left_out = (join_key, columns.EVENT_TIMESTAMP, columns.CREATED_TIMESTAMP)
    return {name: value for name, value in last.items() if name not in left_out}


def known(values: Mapping[str, Any] | None, reference: Mapping[str, Any]) -> Mapping[str, Any]:
    """`values`, or where there is no row the reference, which must then say "nothing"."""
    if values is None:
        assert not any(reference.values())
        return reference
    return values


def category_keys(items: tuple[str, ...]) -> np.ndarray:
    return np.array([stable_key(CATEGORIES[item]) if CATEGORIES[item] else 0 for item in items], np.int64)


def action(row: Mapping[str, Any]) -> Action:
    category = CATEGORIES[row[columns.ITEM_ID]]
    return Action(
        kind=row[columns.KIND],
        user_id=row[columns.USER_ID],
        item_id=row[columns.ITEM_ID],
        item_key=stable_key(row[columns.ITEM_ID]),
        category_key=stable_key(category) if category else 0,
        at=micros(row[columns.AT]),
        quantity=row[columns.QUANTITY] or 1,
        value=row[columns.VALUE_MICROS],
    )


def counted(rows: list[dict[str, Any]], at: datetime) -> list[Action]:
    """What a stream would have fed to the state by `at`."""
    free = (columns.IMPRESSION, columns.CANCEL)
    return [
        action(row)
        for row in rows
        if row[columns.AT] <= at and (row[columns.WEIGHT] > 0 or row[columns.KIND] in free)
    ]


@settings(deadline=None)
@given(rows=EVENTS, at=FAR)
def test_user_activity_is_the_same_in_batch_incrementally_and_by_definition(
    rows: list[dict[str, Any]], at: datetime
) -> None:
    rows = numbered(rows)
    log = read_log(table(rows))
    view = user_activity(log, category_keys(log.items), created_at=0)
    for user in ("u1", "u2"):
        reference = user_activity_as_of(rows, CATEGORIES, user, at)
        assert known(row_at(view, columns.USER_ID, user, at), reference) == reference
        state = DayTiles()
        for done in counted(rows, at):
            if done.user_id == user and done.kind != columns.IMPRESSION:
                state.update(done)
        assert user_activity_values(state, micros(at)) == reference


@settings(deadline=None)
@given(rows=EVENTS, at=FAR)
def test_item_engagement_is_the_same_in_batch_incrementally_and_by_definition(
    rows: list[dict[str, Any]], at: datetime
) -> None:
    rows = numbered(rows)
    view = item_engagement(read_log(table(rows)), created_at=0)
    for item in sorted(CATEGORIES):
        reference = item_engagement_as_of(rows, item, at)
        assert known(row_at(view, columns.ITEM_ID, item, at), reference) == reference
        state = DayTiles()
        for done in counted(rows, at):
            if done.item_id == item:
                state.update(done)
        assert item_engagement_values(state, micros(at)) == reference


@pytest.mark.parametrize("length", [2, 50])
@settings(deadline=None)
@given(rows=EVENTS, at=FAR)
def test_user_history_is_the_same_in_batch_incrementally_and_by_definition(
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
            state = HistoryState()
            for done in counted(rows, at):
                if done.user_id == user:
                    state.update(done)
            assert state.values() == reference


@settings(deadline=None)
@given(rows=EVENTS)
def test_rows_of_a_view_are_distinct_and_sorted_by_instant(rows: list[dict[str, Any]]) -> None:
    log = read_log(table(numbered(rows)))
    for view, key in (
        (user_activity(log, category_keys(log.items), 0), columns.USER_ID),
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
    view = user_activity(log, category_keys(log.items), created_at=0)
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
    activity = user_activity(log, category_keys(log.items), created_at=0)
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
    for view in (user_activity(log, category_keys(()), 0), user_history(log, 0), item_engagement(log, 0)):
        assert len(view) == 0
