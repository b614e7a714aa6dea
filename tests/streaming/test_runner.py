"""The runner: partitions come and go between batches, the catalog's with its own task."""

import threading
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from recsys.streaming.runner import Runner
from recsys.streaming.worker import Worker
from tests.streaming.test_worker import some_events
from tests.streaming.worker_world import PARTITIONS, World, differences, rows_at

CATALOG = PARTITIONS


class FakeOwnership:
    """Wants what the test says; `taken` are other workers'."""

    def __init__(self, *wanted: int) -> None:
        self.want, self.taken = set(wanted), set[int]()
        self.owned: frozenset[int] = frozenset()

    def wanted(self) -> frozenset[int]:
        return frozenset(self.want)

    def acquire(self, partitions: Collection[int]) -> None:
        self.owned |= set(partitions) - self.taken

    def release(self, partitions: Collection[int]) -> None:
        self.owned -= set(partitions)


class FakeCatalog:
    """Counts its starts and ends."""

    def __init__(self) -> None:
        self.started, self.ended, self.left = 0, 0, 3
        self.failure: Exception | None = None

    def run_once(self) -> int:
        self.left -= 1
        return max(self.left, 0)

    def run(self, stop: threading.Event) -> None:
        self.started += 1
        if self.failure:
            raise self.failure
        stop.wait()
        self.ended += 1


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


class Seconds:
    """A clock that moves on by one balance at each look, and stops the run after some looks."""

    def __init__(self, looks: int) -> None:
        self.stop, self.left, self.now = threading.Event(), looks, 0.0
        self.at: dict[int, object] = {}

    def __call__(self) -> float:
        self.left -= 1
        self.now += 1.0
        if callable(then := self.at.get(self.left)):
            then()
        if self.left <= 0:
            self.stop.set()
        return self.now


def untaken(world: World) -> Worker:
    worker = world.worker()
    worker.take(())
    return worker


def runner(world: World, ownership: FakeOwnership, seconds: Seconds, catalog: FakeCatalog) -> Runner:
    return Runner(untaken(world), ownership, PARTITIONS, lambda: True, seconds, lambda: catalog)


def test_it_works_on_what_it_owns_until_it_is_stopped(world: World) -> None:
    world.send(*some_events(world))
    seconds = Seconds(3)
    assert runner(world, FakeOwnership(0, 1), seconds, FakeCatalog()).run(seconds.stop) is True
    assert differences(world.online.rows, rows_at(world.lake.read(), world.clock.now)) == []
    assert len(world.lake.read()) == 8


def test_a_partition_that_leaves_is_flushed_before_somebody_else_may_have_it(world: World) -> None:
    world.send(*some_events(world))
    seconds, ownership = Seconds(4), FakeOwnership(0, 1)
    flushed: list[int] = []
    release = ownership.release

    def noted(partitions: Collection[int]) -> None:
        flushed.append(len(world.lake.read()))
        release(partitions)

    ownership.release = noted  # type: ignore[method-assign]
    seconds.at[2] = lambda: ownership.want.discard(1)
    one = runner(world, ownership, seconds, FakeCatalog())
    one.run(seconds.stop)
    assert flushed == [8]
    assert ownership.owned == {0}


def test_the_catalogs_task_runs_while_its_partition_is_owned(world: World) -> None:
    seconds, ownership, catalog = Seconds(5), FakeOwnership(0, CATALOG), FakeCatalog()
    seconds.at[3] = lambda: ownership.want.discard(CATALOG)
    runner(world, ownership, seconds, catalog).run(seconds.stop)
    assert (catalog.started, catalog.ended) == (1, 1)


def test_an_error_of_the_catalogs_task_ends_the_run(world: World) -> None:
    seconds, catalog = Seconds(50), FakeCatalog()
    catalog.failure = ValueError("no encoder")
    with pytest.raises(ValueError, match="no encoder"):
        runner(world, FakeOwnership(CATALOG), seconds, catalog).run(seconds.stop)


def test_it_ends_when_the_shop_becomes_another_one(world: World) -> None:
    seconds = Seconds(50)
    worker = untaken(world)
    one = Runner(worker, FakeOwnership(0, 1), PARTITIONS, lambda: seconds.left > 45, seconds)
    assert one.run(seconds.stop) is False


def test_draining_leaves_alone_what_others_own(world: World) -> None:
    world.send(*some_events(world))
    ownership, catalog = FakeOwnership(0, 1, CATALOG), FakeCatalog()
    ownership.taken = {1, CATALOG}
    done = runner(world, ownership, Seconds(9), catalog).drain()
    assert done == len(world.stream.logs[0])
    assert catalog.left == 3
    ownership.taken = set()
    assert runner(world, ownership, Seconds(9), catalog).drain() == len(world.stream.logs[1])
    assert catalog.left <= 0


def test_each_look_at_who_works_is_a_sign_of_life(world: World) -> None:
    seconds, beats = Seconds(4), [0]

    def beat() -> None:
        beats[0] += 1

    working = Runner(
        untaken(world), FakeOwnership(0), PARTITIONS, lambda: True, seconds, FakeCatalog, beat=beat
    )
    working.run(seconds.stop)
    assert beats[0] == 4


def test_even_what_ends_only_a_thread_ends_the_run(world: World) -> None:
    catalog, seconds = FakeCatalog(), Seconds(50)
    catalog.failure = SystemExit(2)  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="SystemExit"):
        runner(world, FakeOwnership(CATALOG), seconds, catalog).run(seconds.stop)
