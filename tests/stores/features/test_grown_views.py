"""A build after new events writes what they changed, and together that is what a build of all gives."""

import logging
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.config import Settings, load_settings
from recsys.dataset.schemas import EVENT_SCHEMA, ITEM_SCHEMA
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.home import HomePaths
from recsys.instants import NEVER, to_micros
from recsys.stores.features import grown_views
from recsys.stores.features.build import build_features
from recsys.stores.features.history_rows import HISTORY_FEATURES, all_history, history_as_of
from recsys.stores.lake.dataset_files import save_items
from recsys.stores.lake.event_lake import AS_THEY_CAME, RETURNED_FOLDER, EventLake

START = datetime(2025, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=400)
KINDS = (columns.VIEW, columns.CLICK, columns.CART, columns.PURCHASE, columns.CANCEL, columns.IMPRESSION)
VIEWS = (columns.USER_ACTIVITY, columns.ITEM_ENGAGEMENT, columns.USER_SEARCHES, columns.USER_HISTORY)


def events(rng: np.random.Generator, count: int, days: list[float], first: int) -> pa.Table:
    """`count` events at whole hours of `days`, beside midnights on purpose."""
    rows = [
        {
            columns.EVENT_ID: f"e{number}",
            columns.KIND: str(rng.choice(KINDS, p=[0.4, 0.1, 0.1, 0.2, 0.1, 0.1])),
            columns.USER_ID: f"u{rng.integers(0, 6)}",
            columns.ITEM_ID: f"i{rng.integers(0, 8)}",
            columns.AT: START + timedelta(days=float(rng.choice(days)), hours=int(rng.integers(0, 24))),
            columns.SEQUENCE: number,
            columns.QUANTITY: int(rng.choice([0, 0, 1000, 2000])) or None,
            columns.VALUE_MICROS: int(rng.integers(1, 9)) * 1_000_000,
            columns.WEIGHT: float(rng.choice([1.0, 1.0, 1.0, 0.0])),
        }
        for number in range(first, first + count)
    ]
    return pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)


@pytest.fixture
def shop(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A shop of 120 events over 200 days, which counts as large; its rows are built."""
    monkeypatch.setattr(grown_views, "LEAST_EVENTS", 1)
    monkeypatch.setattr(grown_views, "MOST_SHARE", 0.5)
    found = load_settings()
    save_items(found.paths, pa.Table.from_pylist(items("tea"), schema=ITEM_SCHEMA))
    rng = np.random.default_rng(0)
    EventLake(found.paths.lake).append(events(rng, 120, [float(day) for day in range(0, 200, 10)], 0))
    (found.paths.data / RETURNED_FOLDER).mkdir()
    (found.paths.data / RETURNED_FOLDER / AS_THEY_CAME).touch()
    build_features(found, with_text=False, now=NOW)
    return found


def items(category: str) -> list[dict[str, Any]]:
    texts = {columns.CATEGORY: category, columns.ATTRIBUTES: "{}", columns.TEXT: "", columns.AVAILABLE: True}
    return [{columns.ITEM_ID: f"i{n}", columns.TITLE: f"i{n}", columns.AT: START, **texts} for n in range(8)]


def stream(shop: Settings, seed: int, count: int, days: list[float]) -> None:
    first = 1000 * (seed + 1)
    EventLake(shop.paths.live).append(events(np.random.default_rng(seed), count, days, first))


def counting_rows(paths: HomePaths, view: str) -> list[dict[str, Any]]:
    """Of each entity and instant the row that was created last, without when that was."""
    found: dict[Any, dict[str, Any]] = {}
    if view == columns.USER_HISTORY:
        names = VIEW_SCHEMAS[view].names
        tables = [all_history(paths.feature_rows(view), names, -NEVER, NEVER).to_pylist()]
    else:
        tables = [pq.read_table(file).to_pylist() for file in paths.row_files(view)]
    for row in sorted(
        (row for rows in tables for row in rows), key=lambda row: row[columns.CREATED_TIMESTAMP]
    ):
        key = row[columns.ITEM_ID if columns.ITEM_ID in row else columns.USER_ID]
        found[key, row.pop(columns.EVENT_TIMESTAMP)] = row
    return [{**found[key], "key": key, columns.CREATED_TIMESTAMP: None} for key in sorted(found)]


def built(shop: Settings, later: int = 1) -> dict[str, list[dict[str, Any]]]:
    build_features(shop, with_text=False, now=NOW + timedelta(hours=later))
    return {view: counting_rows(shop.paths, view) for view in VIEWS}


def anew(shop: Settings) -> dict[str, list[dict[str, Any]]]:
    shutil.rmtree(shop.paths.features)
    return built(shop)


@settings(deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    days=st.lists(st.sampled_from([0.0, 60.0, 110.0, 150.0, 199.0, 200.0, 230.0]), min_size=1, max_size=3),
    count=st.integers(1, 6),
)
def test_what_is_added_and_what_stays_is_what_a_build_of_all_gives(
    shop: Settings, seed: int, days: list[float], count: int
) -> None:
    shutil.rmtree(shop.paths.live, ignore_errors=True)
    shutil.rmtree(shop.paths.features)
    build_features(shop, with_text=False, now=NOW)
    stream(shop, seed, count, days)
    built(shop)
    stream(shop, seed + 1, count, days[:1])
    assert built(shop, later=2) == anew(shop)


@pytest.mark.parametrize("seed", [2, 10])
def test_cancellations_of_old_and_of_late_purchases_change_histories_as_a_build_of_all_does(
    shop: Settings, seed: int
) -> None:
    pairs = [(0.0, columns.PURCHASE), (150.0, columns.CANCEL), (201.0, columns.CANCEL), (201.5, "late")]
    later: list[dict[str, Any]] = []
    for number, (day, kind) in enumerate(pairs):
        (row,) = events(np.random.default_rng(seed), 1, [day], 9000 + number).to_pylist()
        at = START + timedelta(days=149 if kind == "late" else day)
        kind = columns.PURCHASE if kind == "late" else kind
        later.append({**row, columns.KIND: kind, columns.AT: at, columns.WEIGHT: 1.0})
    live = EventLake(shop.paths.live)
    live.append(pa.Table.from_pylist(later[:2], schema=EVENT_SCHEMA))
    built(shop)
    live.append(pa.Table.from_pylist(later[2:3], schema=EVENT_SCHEMA))
    built(shop, later=2)
    live.append(pa.Table.from_pylist(later[3:], schema=EVENT_SCHEMA))
    found = built(shop, later=3)
    assert shop.paths.changed_rows(columns.USER_HISTORY).exists()
    assert found == anew(shop)


@pytest.mark.parametrize(("day", "moves"), [(201.0, False), (-3.0, True)])
def test_rows_of_items_are_written_anew_only_where_the_first_event_is_another(
    shop: Settings, day: float, moves: bool
) -> None:
    file = shop.paths.feature_rows(columns.ITEM_VECTORS)
    before = file.stat().st_mtime_ns
    (row,) = events(np.random.default_rng(0), 1, [day], 9000).to_pylist()
    row |= {columns.KIND: columns.VIEW, columns.WEIGHT: 1.0}
    EventLake(shop.paths.live).append(pa.Table.from_pylist([row], schema=EVENT_SCHEMA))
    built(shop)
    assert (file.stat().st_mtime_ns != before) == moves


def test_actions_that_an_earlier_build_left_beside_newer_ones_do_not_count(shop: Settings) -> None:
    stream(shop, 1, 3, [201.0])
    built(shop)
    beside = shop.paths.changed_rows(columns.USER_HISTORY)
    left = beside.read_bytes()
    stream(shop, 2, 200, [202.0])
    whole = built(shop, later=2)
    assert not beside.exists()
    beside.write_bytes(left)
    assert counting_rows(shop.paths, columns.USER_HISTORY) == whole[columns.USER_HISTORY]


@pytest.mark.parametrize("seed", [1, 2])
def test_windows_at_any_instant_are_those_of_a_build_of_all(shop: Settings, seed: int) -> None:
    stream(shop, seed, 6, [110.0, 201.0])
    built(shop)
    rng = np.random.default_rng(seed)
    users = pa.array([f"u{number}" for number in rng.integers(0, 8, 200)])  # u6 and u7 are strangers
    at = to_micros(START) + rng.integers(0, 205 * 24, 200) * 3_600_000_000
    file = shop.paths.feature_rows(columns.USER_HISTORY)
    assert shop.paths.changed_rows(columns.USER_HISTORY).exists()
    found = history_as_of(file, HISTORY_FEATURES, users, at)
    anew(shop)
    assert found.to_pylist() == history_as_of(file, HISTORY_FEATURES, users, at).to_pylist()


def test_few_new_events_leave_the_rows_where_they_are(
    shop: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = {view: shop.paths.feature_rows(view).stat().st_mtime_ns for view in VIEWS}
    stream(shop, 1, 3, [201.0])
    built(shop)
    assert before == {view: shop.paths.feature_rows(view).stat().st_mtime_ns for view in VIEWS}
    assert [shop.paths.changed_rows(view).exists() for view in VIEWS] == [True, True, False, True]
    assert "of what changed since 2025-07-21" in caplog.text


def test_a_compaction_of_the_new_events_changes_nothing(shop: Settings) -> None:
    stream(shop, 1, 3, [201.0])
    built(shop)
    stream(shop, 2, 3, [201.0])
    once = built(shop)
    assert EventLake(shop.paths.live).compact() == 2
    assert built(shop, later=2) == once
    assert shop.paths.changed_rows(columns.USER_ACTIVITY).exists()


@pytest.mark.parametrize(
    "change", ["many events", "a category", "imported events beside those of the stream"]
)
def test_more_than_few_new_events_build_all_rows_anew(
    shop: Settings, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    stream(shop, 1, 3, [201.0])
    built(shop)
    caplog.set_level(logging.INFO)
    if change == "many events":
        stream(shop, 2, 200, [201.0])
    elif change == "a category":
        save_items(shop.paths, pa.Table.from_pylist(items("coffee"), schema=ITEM_SCHEMA))
    else:
        EventLake(shop.paths.lake).append(events(np.random.default_rng(3), 3, [150.0], 5000))
    found = built(shop, later=2)
    assert not shop.paths.changed_rows(columns.USER_ACTIVITY).exists()
    assert "user_activity: all" in caplog.text
    assert found == anew(shop)


def test_a_build_that_is_killed_leaves_the_rows_that_count(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream(shop, 1, 3, [201.0])
    before = built(shop)
    stream(shop, 2, 3, [202.0])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            built(shop)
    assert {view: counting_rows(shop.paths, view) for view in VIEWS} == before
    assert not list(shop.paths.features.glob(".*"))
    assert built(shop, later=2) == anew(shop)
