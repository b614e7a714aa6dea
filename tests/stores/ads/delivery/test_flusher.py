"""Counts reach the store once each, however often it is away."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recsys.ads.delivery.counts import CountedHour, DeliveryCounts, lost_seconds
from recsys.ads.delivery.steps import Step
from recsys.config import Settings
from recsys.errors import StoreUnavailableError
from recsys.stores.ads.delivery.flusher import HEARTBEAT_SECONDS, DeliveryFlusher
from recsys.stores.ads.delivery.store import DeliveryStore
from tests.ads.delivery.named_steps import named_steps

ROOT = Path(__file__).parents[4]
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Store:
    """Keeps batches by their number. `fails_before`, `fails_after`: how many writes fail, and when."""

    def __init__(self) -> None:
        self.batches: dict[int, Sequence[CountedHour]] = {}
        self.asked: list[int] = []
        self.ended: list[str] = []
        self.removals = 0
        self.fails_before = 0
        self.fails_after = 0

    def add(self, process: str, sequence: int, counts: Sequence[CountedHour]) -> bool:
        self.asked.append(sequence)
        if self.fails_before:
            self.fails_before -= 1
            raise StoreUnavailableError("the database", "write", 0.0)
        is_new = sequence not in self.batches
        self.batches.setdefault(sequence, counts)
        if self.fails_after:
            self.fails_after -= 1
            raise StoreUnavailableError("the database", "answer", 0.0)
        return is_new

    def end(self, process: str) -> None:
        self.ended.append(process)

    def remove_oldest(self) -> None:
        self.removals += 1

    @property
    def requests(self) -> int:
        return sum(each.requests for batch in self.batches.values() for each in batch)


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def counts() -> DeliveryCounts:
    return DeliveryCounts()


@pytest.fixture
def store() -> Store:
    return Store()


def serve(counts: DeliveryCounts, times: int = 1) -> None:
    for _ in range(times):
        counts.count(NOON, "home", named_steps(a=Step.WON), holdout=False)


@pytest.mark.parametrize("when", ["fails_before", "fails_after"])
def test_a_batch_is_repeated_under_its_number_until_it_is_written(
    counts: DeliveryCounts, store: Store, when: str
) -> None:
    flusher = DeliveryFlusher(counts, store, "one")
    serve(counts, 2)
    setattr(store, when, 2)
    assert not flusher.task.attempt()
    serve(counts, 3)
    assert not flusher.task.attempt()
    assert flusher.task.attempt()
    assert (store.asked, store.requests) == ([1, 1, 1], 2)
    assert flusher.task.attempt()
    assert (store.asked, store.requests) == ([1, 1, 1, 2], 5)


def test_without_anything_to_write_a_process_says_now_and_then_that_it_is_alive(
    counts: DeliveryCounts, store: Store
) -> None:
    clock = Seconds()
    flusher = DeliveryFlusher(counts, store, clock=clock)
    for clock.now in (0.0, 1.0, HEARTBEAT_SECONDS, HEARTBEAT_SECONDS + 1):
        flusher.task.attempt()
    assert store.batches == {1: (), 2: ()}


def test_old_counts_are_looked_for_once_a_minute(counts: DeliveryCounts, store: Store) -> None:
    clock = Seconds()
    flusher = DeliveryFlusher(counts, store, clock=clock)
    removals = []
    for clock.now in (0.0, 59.0, 60.0, 119.0, 120.0):
        serve(counts)
        flusher.task.attempt()
        removals.append(store.removals)
    assert removals == [1, 1, 2, 2, 3]


def test_stop_writes_what_waited_and_what_came_after_it(counts: DeliveryCounts, store: Store) -> None:
    flusher = DeliveryFlusher(counts, store, "one")
    serve(counts)
    store.fails_before = 1
    flusher.task.attempt()
    serve(counts, 4)
    flusher.stop()
    assert (store.requests, store.ended) == (5, ["one"])


def test_a_process_that_could_not_write_its_last_counts_does_not_say_that_it_ended(
    counts: DeliveryCounts, store: Store
) -> None:
    flusher = DeliveryFlusher(counts, store, "one")
    serve(counts)
    store.fails_before = 9
    flusher.stop()
    assert store.ended == []


def test_the_thread_writes_by_itself(counts: DeliveryCounts, store: Store) -> None:
    flusher = DeliveryFlusher(counts, store)
    serve(counts)
    flusher.start()
    flusher.stop()
    assert store.requests == 1
    assert len(flusher.process) <= 64


def test_a_killed_process_loses_what_it_counted_since_its_last_batch_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.stores.ads.delivery.counting_process", str(tmp_path / "home")]
    told = {"counted": 0, "written": 0}
    batches = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            what, number = line.split()
            told[what] = int(number)
            batches += what == "written" and int(number) > 0
            if batches == 2:
                process.kill()
                break
        for line in process.stdout:  # what it said before it was gone
            if line.endswith("\n"):
                what, number = line.split()
                told[what] = int(number)
    now = datetime.now(UTC)
    with DeliveryStore.open(Settings(home=tmp_path / "home")) as store:
        hours = store.hours(now - timedelta(days=1), now + timedelta(days=1))
        [killed] = store.processes(now - timedelta(days=1), now + timedelta(days=1))
    kept = sum(each.requests for each in hours)
    assert 0 < told["written"] <= kept <= told["counted"]
    assert kept == sum(each.steps["cmp_1", Step.WON] for each in hours)
    assert killed.ended_at is None
    assert lost_seconds([killed], now + timedelta(minutes=2)) == 1.0
