"""A state that is begun by parts is the one of the whole lake, and one that was cut short begins anew."""

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys import columns
from recsys.config import Settings
from recsys.instants import from_micros, now_micros, utc_now
from recsys.jobs.stream import lake_state
from recsys.jobs.stream.bootstrap import begin_state, shop_mapping
from recsys.jobs.stream.lake_state import LakeState
from recsys.stores.lake.event_lake import EventLake, open_lake
from recsys.stores.stream.state import SqliteStreamState
from recsys.streaming.bootstrap import BOOTSTRAP_COLUMNS, Bootstrapped, bootstrap
from recsys.streaming.item_counters import add_counters, decode_counters
from tests.fake_stream import FakeEventStream
from tests.streaming.real_home import CATEGORIES, imported_events, write_shop

EVENTS, DAYS = 600, 120
KINDS = (columns.VIEW, columns.PURCHASE, columns.CANCEL, columns.IMPRESSION, columns.SEARCH)


def history(first: int, count: int, now: datetime) -> list[dict[str, Any]]:
    rows = []
    for number in range(first, first + count):
        rng = random.Random(number)  # what comes twice says the same
        kind = rng.choice(KINDS)
        row = {
            columns.EVENT_ID: f"e{number}",
            columns.KIND: kind,
            columns.USER_ID: f"u{rng.randrange(30)}",
            columns.AT: now - timedelta(days=rng.random() * DAYS),
            columns.SEQUENCE: number,
            columns.WEIGHT: 1.0,
        }
        said = {columns.QUERY: rng.choice(["tea", "saw"])} if kind == columns.SEARCH else {}
        rows.append(row | (said or {columns.ITEM_ID: rng.choice([*CATEGORIES])}))
    return rows


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home of imported and streamed events; a part has 50 of them."""
    monkeypatch.setattr(lake_state, "PART_EVENTS", 50)
    settings, now = Settings(home=tmp_path), utc_now()
    write_shop(settings.paths, imported_events(history(0, EVENTS, now)))
    EventLake(settings.paths.live).append(imported_events(history(EVENTS - 50, 200, now)))
    return settings


def whole(settings: Settings, start: datetime | None = None, end: datetime | None = None) -> Bootstrapped:
    events = open_lake(settings.paths).read_as_happened(BOOTSTRAP_COLUMNS, start, end)
    mapping = shop_mapping(settings.paths)
    return bootstrap(events, rules=mapping.cleaning, label_kinds=mapping.label_kinds)


def users(state: SqliteStreamState) -> dict[str, tuple[bytes, bytes]]:
    found = state.users([f"u{number}" for number in range(30)])
    return {user: (each.log, each.searches) for user, each in found.items()}


@pytest.mark.parametrize("days", [(None, None), (100, 3.5)])
def test_parts_of_a_lake_are_together_the_whole_of_it(
    settings: Settings, days: tuple[float | None, float | None]
) -> None:
    now = utc_now()
    start, end = (None if ago is None else now - timedelta(days=ago) for ago in days)
    expected = whole(settings, start, end)
    logs: dict[str, bytes] = {}
    searches: dict[str, bytes] = {}
    lake, mapping = open_lake(settings.paths), shop_mapping(settings.paths)
    with LakeState(lake, mapping, settings.paths.stream, start, end) as begun:
        for part in begun.users():
            assert not part.logs.keys() & logs.keys()
            logs |= part.logs
            searches |= part.searches
        items = {item: blob for part in begun.items() for item, blob in part.items()}
        read = lake.read_as_happened([columns.SEQUENCE], start, end)[columns.SEQUENCE].to_pylist()
        assert (begun.events, begun.last_sequence) == (len(read), max(read))
    assert (logs, searches) == (expected.logs, expected.searches)
    found, counters = decode_counters(items), add_counters(expected.counters, decode_counters({}))
    assert found.items == counters.items
    for name in ("item", "day", "counts", "newest_at", "last_at"):
        np.testing.assert_array_equal(getattr(found, name), getattr(counters, name), name)
    np.testing.assert_allclose(found.popularity, counters.popularity, rtol=1e-12)
    assert not [*settings.paths.stream.glob(".buckets-*")]


def test_a_lake_without_events_has_no_users_and_no_items(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    write_shop(settings.paths, imported_events([]))
    with LakeState(open_lake(settings.paths), shop_mapping(settings.paths), settings.paths.stream) as begun:
        assert [part.logs for part in begun.users()] == [{}]
        assert [*begun.items()] == [{}]
        assert (begun.events, begun.last_sequence) == (0, 0)


def test_a_start_that_was_killed_begins_anew_and_leaves_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_parts = LakeState.users

    def killed(self: LakeState) -> Iterator[Bootstrapped]:
        for number, part in enumerate(of_parts(self)):
            if number == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            yield part

    def begin() -> None:
        state = SqliteStreamState(settings.paths.stream)
        begin_state(settings, state, FakeEventStream(2), now_micros())
        state.close()

    with monkeypatch.context() as patch:
        patch.setattr(LakeState, "users", killed)
        process = multiprocessing.get_context("fork").Process(target=begin)
        process.start()
        process.join(60)
    assert process.exitcode == -signal.SIGKILL
    state = SqliteStreamState(settings.paths.stream)
    assert state.epoch() is None  # no worker can begin
    assert users(state) == {}
    assert [*settings.paths.stream.glob(".buckets-*")]
    begin()
    assert state.epoch() is not None
    assert {user: log for user, (log, _) in users(state).items()} == whole(settings).logs
    assert not [*settings.paths.stream.glob(".buckets-*")]
    state.close()


def test_a_state_knows_the_ids_of_recent_events_alone(settings: Settings) -> None:
    now = now_micros()
    state = SqliteStreamState(settings.paths.stream)
    begin_state(settings, state, FakeEventStream(2), now)
    since = from_micros(now) - timedelta(days=settings.stream.lateness_days + 1)
    recent = open_lake(settings.paths).event_ids(since).to_pylist()
    assert state.sizes()["seen"] == len({*recent})
    state.close()
