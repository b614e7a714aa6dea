"""A machine's clock beside the server's, and what is counted of those that are wrong."""

import logging
from dataclasses import dataclass, field

import pytest
import redis

from recsys.instants import SECOND
from recsys.stores.redis.clock import BoundedClock

RIGHT = 1_800_000_000


@dataclass
class World:
    """Seconds: of the machine's clock, of the one that nobody sets, and of the server's."""

    machine: float = RIGHT
    steady: float = 100.0
    server: float = RIGHT
    away: bool = False
    asked: int = 0
    counted: dict[str, int] = field(default_factory=dict)

    def pass_time(self, seconds: float) -> None:
        self.machine, self.steady, self.server = (
            clock + seconds for clock in (self.machine, self.steady, self.server)
        )

    def time(self) -> tuple[int, int]:
        self.asked += 1
        if self.away:
            raise redis.ConnectionError
        return int(self.server), round(self.server % 1 * SECOND)

    def hincrby(self, key: str, name: str, count: int) -> None:
        self.counted[name] = self.counted.get(name, 0) + count

    def clock(self) -> BoundedClock:
        return BoundedClock(self, lambda: round(self.machine * SECOND), lambda: self.steady)  # type: ignore[arg-type]


def test_a_right_clock_is_believed_and_the_server_is_asked_now_and_then() -> None:
    world = World(machine=RIGHT + 2)  # two seconds ahead: as clocks are
    clock = world.clock()
    for _ in range(10):
        assert clock() == round(world.machine * SECOND)
        world.pass_time(1.0)
    assert world.asked == 2
    assert world.counted == {}


def test_a_clock_that_runs_ahead_follows_the_servers_until_it_is_right(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    clock = world.clock()
    assert clock() == RIGHT * SECOND
    world.machine += 86_400
    for _ in range(3):
        world.pass_time(1.0)
        assert clock() == round(world.server * SECOND)
    assert world.counted == {"workers_off": 1}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "86400 s ahead" in caplog.text
    world.machine -= 86_400
    world.pass_time(1.0)
    assert clock() == round(world.machine * SECOND)


def test_a_clock_that_is_behind_follows_the_servers_too(caplog: pytest.LogCaptureFixture) -> None:
    world = World(machine=RIGHT - 3600)
    assert world.clock()() == RIGHT * SECOND
    assert "3600 s behind" in caplog.text


def test_a_machine_that_slept_is_not_blamed() -> None:
    world = World()
    clock = world.clock()
    clock()
    world.machine += 3600  # the steady clock stood still
    world.server += 3600
    assert clock() == round(world.machine * SECOND)
    assert world.counted == {}


def test_a_server_that_is_away_bounds_what_it_bounded_before() -> None:
    world = World()
    clock = world.clock()
    clock()
    world.away = True
    world.pass_time(60.0)
    world.machine += 3600
    assert clock() == round(world.server * SECOND)
    assert World(away=True, machine=RIGHT + 3600).clock()() == (RIGHT + 3600) * SECOND


def test_of_the_nodes_of_a_cluster_the_latest_counts() -> None:
    world = World(machine=RIGHT + 30)
    world.time = lambda: {"a": (RIGHT, 0), "b": (RIGHT + 25, 0)}  # type: ignore[assignment,return-value,method-assign]
    assert world.clock()() == (RIGHT + 30) * SECOND
