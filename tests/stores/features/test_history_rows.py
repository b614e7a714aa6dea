"""The file of user_history: actions on disk, rows of the view when they are read."""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from recsys import columns
from recsys.config import Settings, load_settings
from recsys.errors import DataError, SchemaMismatchError
from recsys.features.event_log import EventLog, read_log
from recsys.features.user_actions import user_actions
from recsys.features.user_history import user_history
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.instants import to_micros
from recsys.stores.features.action_files import holds_actions
from recsys.stores.features.build import write_rows
from recsys.stores.features.history_rows import (
    HISTORY_FEATURES,
    all_history,
    history_as_of,
    latest_history,
    write_user_actions,
)
from tests.features.worlds import START, event, numbered, table

NAMES = VIEW_SCHEMAS[columns.USER_HISTORY].names
SCHEMA = VIEW_SCHEMAS[columns.USER_HISTORY]
NOW = to_micros(START + timedelta(days=400))
KINDS = (*columns.ACTION_KINDS, columns.PURCHASE, columns.CANCEL)
HOUR = timedelta(hours=1)


def random_events(seed: int, count: int = 400) -> list[dict[str, Any]]:
    """Events of nine users at few instants: ties, and purchases that are undone."""
    rng = np.random.default_rng(seed)
    return [
        event(
            str(rng.choice(KINDS)),
            START + HOUR * int(rng.integers(0, 60)),
            user=f"u{rng.integers(0, 9)}",
            item=f"i{rng.integers(0, 4)}",
        )
        for _ in range(count)
    ]


def log_of(rows: list[dict[str, Any]]) -> EventLog:
    return read_log(table(numbered(rows)))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, home: Path) -> Settings:
    """A home where histories are short, and row groups and parts are small."""
    monkeypatch.setattr(columns, "HISTORY_LENGTH", 5)
    monkeypatch.setattr("recsys.features.user_actions.BLOCK_ROWS", 50)
    monkeypatch.setattr("recsys.stores.features.history_rows.PART_ROWS", 7)
    return load_settings()


def sorted_rows(rows: pa.Table) -> list[dict[str, Any]]:
    return rows.sort_by([(columns.USER_ID, "ascending"), (columns.EVENT_TIMESTAMP, "ascending")]).to_pylist()


def write(settings: Settings, rows: list[dict[str, Any]], created_at: int = 5, now: int = NOW) -> Path:
    write_user_actions(settings.paths, user_actions(log_of(rows), created_at), (now, created_at))
    return settings.paths.feature_rows(columns.USER_HISTORY)


@pytest.mark.parametrize("seed", [1, 2])
def test_all_rows_and_the_latest_of_each_user_are_those_of_the_view(small: Settings, seed: int) -> None:
    file, expected = write(small, random_events(seed)), user_history(log_of(random_events(seed)), 5)
    assert pq.ParquetFile(file).num_row_groups > 3
    low, high = START + 11 * HOUR, START + 40 * HOUR
    at = expected[columns.EVENT_TIMESTAMP]
    inside = expected.filter(pc.and_(pc.greater_equal(at, low), pc.less_equal(at, high)))
    assert sorted_rows(all_history(file, NAMES, -NOW, NOW)) == sorted_rows(expected)
    bounds = to_micros(low), to_micros(high)
    assert sorted_rows(all_history(file, NAMES, *bounds)) == sorted_rows(inside)
    last = {row[columns.USER_ID]: row for row in sorted_rows(inside)}
    assert sorted_rows(latest_history(file, NAMES, *bounds)) == list(last.values())


@pytest.mark.parametrize("ttl", [0, 2 * 3_600_000_000])
def test_windows_as_of_an_instant_are_the_last_rows_of_the_view(small: Settings, ttl: int) -> None:
    file, expected = write(small, random_events(3)), sorted_rows(user_history(log_of(random_events(3)), 5))
    rng = np.random.default_rng(3)
    users = pa.array([*(f"u{number}" for number in rng.integers(0, 10, 300)), None])  # u9 is a stranger
    at = to_micros(START) + rng.integers(-2, 70, 301) * 3_600_000_000 + rng.choice([-1, 0, 0, 1], 301)
    got = history_as_of(file, HISTORY_FEATURES, users, at, ttl).to_pylist()
    for user, instant, features in zip(users.to_pylist(), at.tolist(), got, strict=True):
        past = [
            row
            for row in expected
            if row[columns.USER_ID] == user and to_micros(row[columns.EVENT_TIMESTAMP]) <= instant
        ]
        alive = bool(past) and (not ttl or to_micros(past[-1][columns.EVENT_TIMESTAMP]) + ttl >= instant)
        assert features == {name: past[-1][name] if alive else None for name in HISTORY_FEATURES}


def test_an_event_that_is_gone_leaves_a_row_at_its_instant_that_was_created_later(small: Settings) -> None:
    kept, gone = event(columns.VIEW, START, user="ann"), event(columns.CART, START + HOUR, user="ann")
    write(small, [kept, gone, event(columns.VIEW, START, user="bob"), event(columns.VIEW, START, user="cid")])
    file = write(small, [kept, event(columns.VIEW, START, user="cid")], created_at=6)
    rows = [
        (row[columns.USER_ID], row[columns.EVENT_TIMESTAMP] - START, row[columns.HISTORY_KINDS])
        for row in sorted_rows(all_history(file, NAMES, -NOW, NOW))
    ]
    view = columns.KIND_CODES[columns.VIEW]
    assert sorted(rows) == [
        ("ann", timedelta(0), [view]),
        ("ann", HOUR, [view]),
        ("bob", timedelta(0), []),
        ("cid", timedelta(0), [view]),
    ]
    again = write(small, [kept, event(columns.VIEW, START, user="cid")], created_at=7)
    assert len(all_history(again, NAMES, -NOW, NOW)) == 4


@pytest.mark.parametrize("seed", [4, 5])
@pytest.mark.parametrize("step", [1, -1])  # blocks of users in any order
def test_withdrawn_rows_are_those_that_the_view_itself_would_have(
    small: Settings, seed: int, step: int
) -> None:
    before = random_events(seed, 120)
    after = [row for row in before if row[columns.USER_ID] != "u3"][::2]
    view = columns.USER_HISTORY
    for created, rows in ((5, before), (6, after)):
        write_rows(small.paths, view, user_history(log_of(rows), created), (NOW, created))
    expected = sorted_rows(pq.read_table(small.paths.feature_rows(view)))
    small.paths.feature_rows(view).unlink()
    for created, rows in ((5, before), (6, after)):
        blocks = list(user_actions(log_of(rows), created))[::step]
        write_user_actions(small.paths, blocks, (NOW, created))
    file = small.paths.feature_rows(view)
    assert sorted_rows(all_history(file, NAMES, -NOW, NOW)) == expected


def test_rows_of_an_earlier_version_are_replaced_and_say_so(
    small: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    rows = random_events(6)
    write_rows(small.paths, columns.USER_HISTORY, user_history(log_of(rows), 4))
    file = small.paths.feature_rows(columns.USER_HISTORY)
    assert not holds_actions(file)
    with caplog.at_level(logging.INFO, "recsys"):
        write(small, rows)
    assert holds_actions(file)
    assert "an action a row" in caplog.text
    assert len(all_history(file, NAMES, -NOW, NOW)) == len(user_history(log_of(rows), 5))


def test_a_shop_without_events_has_a_file_without_rows(small: Settings) -> None:
    file = write(small, [])
    assert holds_actions(file)
    assert len(latest_history(file, NAMES, -NOW, NOW)) == 0
    asked = history_as_of(file, HISTORY_FEATURES, pa.array(["ann"]), np.array([NOW]))
    assert asked.to_pylist() == [dict.fromkeys(HISTORY_FEATURES)]


def test_a_feature_that_histories_lack_is_named(small: Settings) -> None:
    with pytest.raises(SchemaMismatchError, match="colour"):
        history_as_of(write(small, []), ["colour"], pa.array(["ann"]), np.array([NOW]))


def test_a_damaged_file_names_the_command_that_builds_it_and_does_not_hinder_it(small: Settings) -> None:
    file = write(small, random_events(7))
    bytes_of = bytearray(file.read_bytes())
    bytes_of[4:2000] = b"\xff" * 1996
    file.write_bytes(bytes(bytes_of))
    with pytest.raises(DataError, match="recsys features build"):
        latest_history(file, NAMES, -NOW, NOW)
    assert len(latest_history(write(small, random_events(7)), NAMES, -NOW, NOW)) == 9
