"""A worker dies before and after every single call that it makes; the next one completes what it began."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from recsys.instants import SECOND
from recsys.service_settings import StreamSettings
from recsys.streaming.sinks import Sinks
from recsys.streaming.worker import Worker
from tests.streaming.test_worker import some_events
from tests.streaming.worker_world import PARTITIONS, World, differences, drain, rows_at

SETTINGS = StreamSettings(partitions=PARTITIONS, batch_events=5, flush_seconds=0.001)
# What has an effect outside of the worker; what only reads cannot leave anything half done.
EFFECTS = ("commit", "waiting", "flushed", "reserve", "stamp", "write", "append", "advance", "put_aside")


class Killed(BaseException):
    """As SIGKILL: nobody handles it."""


class Countdown:
    """Dies at the `left`-th effect, before it or right after it."""

    def __init__(self, left: int, after: bool) -> None:
        self.left, self.after = left, after

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0 and not self.after:
                raise Killed
            result = call(*arguments, **named)
            if self.left == 0:
                raise Killed
            return result

        return counted


class Mortal:
    """A port whose effects count down."""

    def __init__(self, port: Any, countdown: Countdown) -> None:
        self._port, self._countdown = port, countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name == "reader":
            return lambda after: Mortal(found(after), self._countdown)
        return self._countdown.around(found) if name in EFFECTS else found


def mortal_worker(world: World, countdown: Countdown) -> Worker:
    stream, state, online, lake, progress = (
        Mortal(port, countdown)
        for port in (world.stream, world.state(), world.online, world.lake, world.progress)
    )
    sinks = Sinks(online, lake, progress)
    return Worker(stream, state, sinks, world.rules, SETTINGS, world.clock)


def live(world: World, countdown: Countdown) -> bool:
    """A worker's life over two rounds of events and a midnight; whether it was killed."""
    try:
        worker = mortal_worker(world, countdown)
        worker.take(range(PARTITIONS))
        drain([worker])
        world.clock.now += 30 * 3600 * SECOND
        drain([worker])
        worker.close()
    except Killed:
        return True
    return False


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_every_point_of_death_leaves_the_same_result(tmp_path: Path, after: bool) -> None:
    points = 0
    killed = True
    while killed:
        points += 1
        with closing(World(tmp_path / str(points), SETTINGS)) as world:
            world.send(*some_events(world))
            world.stream.append([(0, b"poison")], world.clock.now)
            world.clock.now += 10 * SECOND
            world.send(*some_events(world))
            killed = live(world, Countdown(points, after))
            assert not live(world, Countdown(10_000, after))
            lake = world.lake.read()
            assert len(lake) == len(set(lake["event_id"].to_pylist())) == world.sent
            assert differences(world.online.rows, rows_at(lake, world.clock.now)) == []
            assert len(world.stream.dead_letters()) == 1
            assert world.state().counters()["kept"] == world.sent
            ends = {place: len(log) for place, log in enumerate(world.stream.logs[:PARTITIONS])}
            assert world.progress.visible == ends
            assert world.stream.committed[:PARTITIONS] == list(ends.values())
    assert points > 20, "there were fewer points to die at than a step has"
