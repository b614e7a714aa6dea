"""The supervisor on programs that are played, by a clock that is told."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from recsys.errors import RecsysError
from recsys.jobs.start.supervisor import DRAIN_SECONDS, Supervisor


@dataclass
class Played:
    """A program that does what the test says; `events` is shared and tells the order."""

    name: str
    events: list[str]
    how: str | None = None
    stubborn: bool = False

    def start(self) -> None:
        self.events.append(f"start {self.name}")
        self.how = None

    def ended(self) -> str | None:
        return self.how

    def stop(self) -> None:
        self.events.append(f"stop {self.name}")
        if not self.stubborn:
            self.how = "with exit code 0"

    def kill(self) -> None:
        self.events.append(f"kill {self.name}")
        self.how = "by SIGKILL"

    def last_lines(self) -> Sequence[str]:
        return ["loading", f"{self.name} fails"]


@dataclass
class World:
    """Time passes when the supervisor pauses; `steps` run at their second."""

    steps: dict[float, Callable[[], None]] = field(default_factory=dict)
    now: float = 0.0
    count: int = 0
    full: bool = False

    def pause(self, seconds: float) -> None:
        self.now += seconds
        for at in [at for at in self.steps if at <= self.now]:
            self.steps.pop(at)()

    def stop(self) -> None:
        self.count += 1


def supervise(world: World, programs: list[Played], store: Played | None = None) -> None:
    clock = lambda: world.now  # noqa: E731
    Supervisor(programs, store, lambda: world.full, clock, world.pause).run(world)


def test_programs_start_in_order_and_the_store_stops_last() -> None:
    events: list[str] = []
    world = World()
    world.steps[1.0] = world.stop
    supervise(world, [Played("service", events), Played("worker", events)], Played("store", events))
    assert events == ["start service", "start worker", "stop service", "stop worker", "stop store"]


def test_what_ends_is_started_again_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    events: list[str] = []
    world, worker = World(), Played("worker", events)
    world.steps = {1.0: lambda: setattr(worker, "how", "by SIGKILL"), 5.0: world.stop}
    with caplog.at_level(logging.INFO, "recsys"):
        supervise(world, [Played("service", events), worker])
    assert events[:4] == ["start service", "start worker", "start worker", "stop service"]
    assert "worker ended by SIGKILL; it starts again in 0.2 s (1 within a minute)" in caplog.text


def test_the_store_is_started_again_too() -> None:
    events: list[str] = []
    world, store = World(), Played("store", events)
    world.steps = {1.0: lambda: setattr(store, "how", "by itself"), 5.0: world.stop}
    supervise(world, [Played("service", events)], store)
    assert events == ["start service", "start store", "stop service", "stop store"]


class Broken(Played):
    """It ends as soon as it is looked at."""

    def ended(self) -> str | None:
        return self.how or "with exit code 1"


def test_the_sixth_end_within_a_minute_stops_all_and_says_why() -> None:
    events: list[str] = []
    with pytest.raises(RecsysError) as error:
        supervise(World(), [Broken("service", events), Played("worker", events)], Played("store", events))
    assert str(error.value) == (
        "service ended 6 times within a minute, the last time with exit code 1. All is stopped. "
        "The end of its log:\n  loading\n  service fails"
    )
    assert events.count("start service") == 6
    assert events[-3:] == ["stop service", "stop worker", "stop store"]


def test_while_the_disk_is_full_nothing_counts_and_all_comes_back_when_there_is_room() -> None:
    events: list[str] = []
    world, store = World(), Played("store", events)

    def fill() -> None:
        world.full, store.how = True, "by itself"

    world.steps = {1.0: fill, 400.0: lambda: setattr(world, "full", False), 420.0: world.stop}
    supervise(world, [Played("service", events)], store)
    assert events == ["start service", "start store", "stop service", "stop store"]


def test_what_does_not_end_in_time_is_killed() -> None:
    events: list[str] = []
    world = World()
    world.steps[1.0] = world.stop
    supervise(world, [Played("service", events, stubborn=True)], Played("store", events))
    assert events == ["start service", "stop service", "kill service", "stop store"]
    assert DRAIN_SECONDS <= world.now < DRAIN_SECONDS + 2


def test_a_second_request_to_stop_kills_at_once() -> None:
    events: list[str] = []
    world = World()
    world.steps = {1.0: world.stop, 2.0: world.stop}
    supervise(world, [Played("service", events, stubborn=True)])
    assert events == ["start service", "stop service", "kill service"]
    assert world.now < 3
