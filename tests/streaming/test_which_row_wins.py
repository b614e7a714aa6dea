"""Rows of a worker, of a batch, and of clocks that are wrong, in the real online store: which one is read."""

import time
from datetime import timedelta

import pytest

from recsys.config import Settings
from recsys.instants import CLOCK_TOLERANCE, DAY, SECOND, now_micros, utc_now
from recsys.jobs.stream.bootstrap import ItemCategories, shop_rules
from recsys.jobs.stream.run import drain_stream, open_runner
from recsys.stores.features.build import build_features
from recsys.stores.features.feast_registry import open_repository
from recsys.stores.features.online_writer import OnlineRows
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.redis.shop_claim import connect
from recsys.stores.stream.open import open_progress, open_stream
from recsys.stores.stream.state import SqliteStreamState
from recsys.streaming.sinks import Sinks
from recsys.streaming.worker import Worker
from tests.streaming.online_side import assert_online_equals_batch, online_rows
from tests.streaming.real_home import CATEGORIES, USERS, event, send


def views(settings: Settings) -> tuple[int, int]:
    """How often ann viewed something and i2 was viewed, as the online store has it."""
    rows = online_rows(settings, ["ann"], ["i2"])
    return rows["user_activity"]["ann"]["view_count_1d"], rows["item_engagement"]["i2"]["item_view_count_1d"]


@pytest.fixture
def far_from_midnight() -> None:
    """Waits where midnight is so near that the store does not take its rows for a wrong clock's."""
    left = DAY - now_micros() % DAY
    if left < CLOCK_TOLERANCE + 30 * SECOND:
        time.sleep(left / SECOND + 1)


def killed_before_the_lake(settings: Settings) -> None:
    """Processes what has come as a worker that is killed before it writes to the lake."""
    patient = settings.model_copy(
        update={"stream": settings.stream.model_copy(update={"flush_seconds": 1e12})}
    )
    with open_runner(patient) as runner:
        runner._share()
        while runner._worker.run_once():
            pass


def materialize(settings: Settings) -> None:
    now = utc_now()
    open_repository(settings).materialize(now - timedelta(days=400), now)


def test_a_batch_takes_back_nothing_that_waits_for_the_lake(working: Settings) -> None:
    send(working, event("v2", "ann", "i2"))
    drain_stream(working)
    send(working, event("late", "ann", "i2", ago=60.0))  # before her newest: the row's instant stays
    killed_before_the_lake(working)
    assert views(working) == (3, 2)
    build_features(working, with_text=False)
    materialize(working)
    assert views(working) == (3, 2)
    assert drain_stream(working).events == 0
    assert views(working) == (3, 2)


def test_a_batch_of_before_takes_back_nothing_that_came_since(working: Settings) -> None:
    send(working, event("v2", "ann", "i2"))
    drain_stream(working)
    build_features(working, with_text=False)
    send(working, event("late", "ann", "i2", ago=60.0))
    drain_stream(working)
    materialize(working)
    assert views(working) == (3, 2)
    build_features(working, with_text=False)
    materialize(working)
    assert views(working) == (3, 2)


def work(settings: Settings, ahead: int = 0) -> None:
    """Processes what has come as a worker whose clock is that many microseconds ahead."""
    stream, state = open_stream(settings), SqliteStreamState(settings.paths.stream)
    sinks = Sinks(OnlineRows(settings), EventLake(settings.paths.live), open_progress(settings))
    rules = shop_rules(settings.paths, ItemCategories(settings.paths))
    worker = Worker(stream, state, sinks, rules, settings.stream, lambda: now_micros() + ahead)
    worker.take(range(stream.partitions))
    while worker.run_once():
        pass
    while worker.tick():
        pass
    worker.close()
    state.close()
    stream.close()


@pytest.mark.usefixtures("far_from_midnight")
@pytest.mark.parametrize("ahead", [3600, 86_400, 400 * 86_400], ids=["an hour", "a day", "a year"])
def test_a_clock_that_ran_ahead_freezes_nothing(working: Settings, ahead: int) -> None:
    send(working, event("v2", "ann", "i2"))
    work(working, ahead * SECOND)
    send(working, event("v3", "ann", "i3"))
    work(working)
    assert views(working)[0] == 3
    work(working)  # the ticks write what the clock moved, items too
    assert views(working) == (3, 1)
    send(working, event("late", "ann", "i2", ago=60.0))
    work(working)
    assert views(working) == (4, 2)


@pytest.mark.usefixtures("far_from_midnight")
def test_rows_that_a_clock_moved_ahead_move_back_though_nothing_comes_for_them(
    working: Settings,
) -> None:
    before = online_rows(working, USERS, [*CATEGORIES])
    work(working, 2 * DAY)
    assert online_rows(working, USERS, [*CATEGORIES]) != before  # windows of two midnights to come
    send(working, event("v2", "bob", "i30"))
    work(working)
    work(working)  # the ticks write what the clock moved
    after = online_rows(working, USERS, [*CATEGORIES])
    assert after["user_activity"]["ann"] == before["user_activity"]["ann"]
    assert_online_equals_batch(working)


def test_a_batch_up_to_the_future_brings_the_rows_of_now(
    working: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    build_features(working, with_text=False)
    before = online_rows(working, USERS, [*CATEGORIES])
    store = open_repository(working)
    store.materialize(utc_now() - timedelta(days=400), utc_now() + timedelta(days=30))
    assert "user_activity" in caplog.text
    assert "ahead of the online store's clock" in caplog.text
    assert online_rows(working, USERS, [*CATEGORIES]) == before
    send(working, event("v2", "ann", "i2", ago=0.0))
    drain_stream(working)
    connect(working).delete(*connect(working).keys("*user_activity:*{ann}"))
    build_features(working, with_text=False)
    store.materialize_incremental(utc_now())  # Feast goes on from that future instant
    assert views(working) == (2, 1)
