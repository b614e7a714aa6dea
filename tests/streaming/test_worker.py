"""The worker on fakes: what it makes of events, whatever fails in between."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from recsys import columns
from recsys.errors import StoreUnavailableError
from recsys.instants import DAY, SECOND, to_micros
from recsys.service_settings import StreamSettings
from recsys.streaming.stream import partition_of
from recsys.streaming.worker import Worker
from tests.streaming.worker_world import (
    PARTITIONS,
    World,
    differences,
    drain,
    rows_at,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def some_events(world: World) -> list[dict[str, Any]]:
    return [
        world.event("view", "ann", "tea-1", ago=60),
        world.event("purchase", "ann", "tea-1", ago=50, quantity=2, value_micros=9_000_000),
        world.event("search", "ann", ago=45, query="tea"),
        world.event("impression", "bob", "saw", ago=40, position=1),
        world.event("click", "bob", "saw", ago=39, position=1),
        world.event("purchase", "bob", "saw", ago=30, value_micros=20_000_000),
        world.event("cancel", "bob", "saw", ago=20),
        world.event("like", "cy", "gift", ago=10),
    ]


def test_features_and_lake_equal_those_of_a_batch(world: World) -> None:
    events = some_events(world)
    world.send(*events)
    worker = world.worker()
    assert worker.run_once() == len(events)
    worker.close()
    lake = world.lake.read()
    assert sorted(lake[columns.EVENT_ID].to_pylist()) == sorted(row["event_id"] for row in events)
    assert differences(world.online.rows, rows_at(lake, world.clock.now)) == []
    assert world.online.rows["user_activity"]["ann"]["purchase_count_1d"] == 1
    assert world.online.rows["item_engagement"]["saw"]["item_purchase_count_1d"] == 0


def test_events_in_any_batches_by_several_workers_give_the_same(tmp_path: Path) -> None:
    world = World(tmp_path, StreamSettings(partitions=PARTITIONS, batch_events=3, flush_seconds=0.001))
    workers = [world.worker([partition]) for partition in range(PARTITIONS)]
    for _ in range(8):
        world.send(*some_events(world))
        world.clock.now += 7 * 3600 * SECOND
        drain(workers)
    for worker in workers:
        worker.close()
    assert len(world.lake.read()) == world.sent
    assert differences(world.online.rows, rows_at(world.lake.read(), world.clock.now)) == []
    world.close()


def test_an_event_that_is_sent_again_counts_once(world: World) -> None:
    event = world.event("purchase", "ann", "tea-1")
    world.send(event, event)
    worker = world.worker()
    worker.run_once()
    world.clock.now += 3 * DAY
    world.send(event)
    worker.run_once()
    worker.close()
    assert world.online.rows["user_activity"]["ann"]["purchase_count_30d"] == 1
    assert len(world.lake.read()) == 1
    assert world.state().counters() == {"duplicates": 2, "kept": 1, "received": 3}


def test_poison_is_put_aside_and_the_rest_goes_on(world: World) -> None:
    partition = partition_of("ann", PARTITIONS)
    world.stream.append([(partition, b"{"), (partition, b'{"kind": "dance"}')], world.clock.now)
    world.send(world.event("view", "ann", "tea-1"))
    worker = world.worker()
    assert worker.run_once() == 3
    assert ["dance" in dead_letter.reason for dead_letter in world.stream.dead_letters()] == [False, True]
    assert world.online.rows["user_activity"]["ann"]["view_count_1d"] == 1
    assert world.state().counters()["poison"] == 2


def test_what_is_not_processed_is_logged_with_the_request_that_brought_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    partition = partition_of("ann", PARTITIONS)
    poison = json.dumps({"kind": "dance", "event_id": "e0", "secret": "of a client"}).encode()
    ahead = json.dumps(world.event("view", "ann", "tea-1", ago=-3600)).encode()
    good = json.dumps(world.event("view", "ann", "saw")).encode()
    world.stream.append([(partition, poison), (partition, b"{")], world.clock.now, "request-1")
    world.stream.append([(partition, ahead), (partition, good)], world.clock.now, "request-2")
    with caplog.at_level(logging.INFO, "recsys.streaming"):
        assert world.worker().run_once() == 4
    assert caplog.messages == [
        f"events: dead letter {partition}-1, see `recsys stream dlq list`; request request-1, event e0",
        f"events: dead letter {partition}-2, see `recsys stream dlq list`; request request-1, event -",
        "events: 1 rejected (future_time); request request-2, event e1",
    ]
    assert caplog.records[0].fields == {
        "request_id": "request-1",
        "event_ids": ["e0"],
        "letter_id": f"{partition}-1",
    }


def test_a_flood_of_bad_events_is_a_few_lines(world: World, caplog: pytest.LogCaptureFixture) -> None:
    partition = partition_of("ann", PARTITIONS)
    world.stream.append([(partition, b"{")] * 500, world.clock.now)
    with caplog.at_level(logging.INFO, "recsys.streaming"):
        world.worker().run_once()
    assert len(caplog.messages) == 11
    assert caplog.messages[-1] == "events: 490 more dead letters in this batch"


def test_a_window_loses_its_days_at_midnight_without_an_event(world: World) -> None:
    world.send(world.event("purchase", "ann", "tea-1"))
    worker = world.worker()
    drain([worker])
    for day in range(1, 94):
        world.clock.now += DAY
        drain([worker])
        expected = rows_at(world.lake.read() if day > 1 else lake_now(world, worker), world.clock.now)
        assert differences(world.online.rows, expected) == []
    activity = world.online.rows["user_activity"]["ann"]
    assert (activity["purchase_count_1d"], activity["purchase_count_90d"]) == (0, 0)
    midnight = to_micros(datetime(2026, 6, 9, tzinfo=activity["event_timestamp"].tzinfo))
    assert to_micros(activity["event_timestamp"]) == midnight  # 10 March + 91 days


def lake_now(world: World, worker: Worker) -> Any:
    worker.flush()
    return world.lake.read()


def test_a_late_event_counts_on_its_own_day_and_a_later_one_only_reaches_the_lake(world: World) -> None:
    worker = world.worker()
    world.send(world.event("purchase", "ann", "tea-1"))
    drain([worker])
    late = world.event("purchase", "ann", "saw", ago=6.5 * 86_400)
    too_late = world.event("purchase", "ann", "nail", ago=7.5 * 86_400)
    world.send(late, too_late)
    drain([worker])
    worker.close()
    kept = {row["event_id"]: row for row in world.lake.read().to_pylist()}
    assert set(kept) == {"e1", "e2", "e3"}
    without = world.lake.read().filter([each != "e3" for each in world.lake.read()["event_id"].to_pylist()])
    assert differences(world.online.rows, rows_at(without, world.clock.now)) == []
    assert world.state().counters()["late"] == 1


def test_rows_that_could_not_be_written_online_are_written_by_the_next_worker(
    world: World,
) -> None:
    world.send(*some_events(world))
    worker = world.worker()
    world.online.away = True
    with pytest.raises(StoreUnavailableError):
        worker.run_once()
    assert world.progress.visible == {0: 0, 1: 0}
    world.online.away = False
    other = world.worker()
    assert other.run_once() == 0  # the events are in the state: nothing is read again
    other.close()
    assert differences(world.online.rows, rows_at(world.lake.read(), world.clock.now)) == []
    assert sum(world.progress.visible.values()) == len(some_events(world))


def test_a_lake_that_cannot_be_written_stops_the_worker_and_loses_nothing(world: World) -> None:
    class Full:
        def append(self, table: object, name: str) -> None:
            raise StoreUnavailableError("event lake", "write", 0.0, "Free some disk space.")

    lake, world.lake = world.lake, Full()  # type: ignore[assignment]
    world.send(*some_events(world))
    worker = world.worker()
    with pytest.raises(StoreUnavailableError, match="event lake"):
        worker.run_once()
    assert world.stream.committed == [0, 0, 0]
    world.lake = lake
    other = world.worker()
    other.close()
    assert len(lake.read()) == 8
    assert sum(world.stream.committed) == 8


def test_two_workers_on_one_partition_count_once(world: World) -> None:
    first, second = world.worker(), world.worker()
    world.send(*some_events(world))
    first.run_once()
    second.run_once()  # read the same entries; its step finds other offsets and changes nothing
    world.send(world.event("view", "ann", "nail"))
    drain([second, first])
    first.close()
    second.close()
    assert len(world.lake.read()) == 9
    assert differences(world.online.rows, rows_at(world.lake.read(), world.clock.now)) == []


def test_a_clock_that_runs_ahead_is_refused_with_a_reason(world: World) -> None:
    world.send(world.event("view", "ann", "tea-1", ago=-3600), world.event("view", "ann", "saw", ago=-60))
    worker = world.worker()
    drain([worker])
    worker.close()
    assert len(world.lake.read()) == 1
    assert world.state().counters()["rejected.future_time"] == 1
    world.clock.now += 120 * SECOND
    assert differences(world.online.rows, rows_at(world.lake.read(), world.clock.now)) == []


def test_a_user_of_machine_speed_is_a_bot(world: World) -> None:
    views = [world.event("view", "bot", "tea-1", ago=40 - place / 10) for place in range(400)]
    for place, view in enumerate(views):
        view["item_id"] = f"i{place}"
    world.send(*views)
    worker = world.worker()
    drain([worker])
    world.clock.now += 60 * SECOND
    world.send(world.event("view", "bot", "saw"))
    drain([worker])
    worker.close()
    counters = world.state().counters()
    assert counters["rejected.bot"] >= 100
    assert counters["kept"] + counters["rejected.bot"] == 401
    assert "saw" not in world.online.rows["item_engagement"]


def test_freshness_is_measured_for_every_event(world: World) -> None:
    world.send(*some_events(world))
    world.clock.now += 5000
    world.worker().run_once()
    assert world.progress.waited == [5000] * 8


def test_the_stream_may_forget_what_is_in_the_lake_and_no_more(world: World) -> None:
    worker = world.worker()
    world.send(*some_events(world))
    worker.run_once()  # the first round flushes
    assert sum(world.stream.committed) == 8
    world.send(world.event("view", "ann", "nail"))
    worker.run_once()
    assert (sum(world.stream.committed), len(world.lake.read())) == (8, 8)
    world.clock.now += 2 * SECOND
    worker.run_once()
    assert (sum(world.stream.committed), len(world.lake.read())) == (9, 9)


def test_a_new_import_makes_a_worker_outdated(world: World) -> None:
    worker = world.worker()
    world.states[0].pause()
    world.send(world.event("view", "ann", "nail"))
    worker.run_once()
    assert worker.outdated
    assert world.online.rows == {} or world.online.rows["user_activity"] == {}
