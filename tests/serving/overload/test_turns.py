"""Who gets a turn, in which order, and who is turned away."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from recsys.errors import OverloadedError
from recsys.funnel.requests import Effort
from serving.overload.ladder import Ladder
from serving.overload.metrics import OverloadMetrics
from serving.overload.turns import Turns


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


class Crowd:
    """Requests that take turns until they are told to end."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[Effort]] = {}

    async def ask(self, name: str, arrived: float | None = None) -> None:
        """Lets a request in, and it as far as it gets."""
        self.ends[name] = asyncio.Event()
        since = self.turns.now() if arrived is None else arrived
        self.tasks[name] = asyncio.create_task(self._answer(name, since))
        await settle()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await settle()

    async def _answer(self, name: str, arrived: float) -> Effort:
        async with self.turns.take(arrived) as effort:
            self.begun.append(name)
            await self.ends[name].wait()
            return effort


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_the_longest_waiting_gets_the_next_turn() -> None:
    async def scene() -> None:
        crowd = Crowd(Turns(2, limit_seconds=60))
        for name in "abcd":
            await crowd.ask(name)
        assert crowd.begun == ["a", "b"]
        await crowd.end("b")
        assert crowd.begun == ["a", "b", "c"]
        await crowd.end("a")
        assert crowd.begun == ["a", "b", "c", "d"]
        for name in "cd":
            await crowd.end(name)
        await crowd.ask("e")
        assert crowd.begun[-1] == "e"
        await crowd.end("e")

    run(scene())


def test_who_waited_to_the_limit_is_turned_away_and_the_turn_goes_to_the_next() -> None:
    async def scene() -> None:
        crowd = Crowd(Turns(1, limit_seconds=60))
        await crowd.ask("a")
        await crowd.ask("late", crowd.turns.now() - 59.98)
        await crowd.ask("b")
        with pytest.raises(OverloadedError, match="within 60 s"):
            await crowd.tasks["late"]
        await crowd.end("a")
        assert crowd.begun == ["a", "b"]
        await crowd.end("b")

    run(scene())


def test_time_before_it_asked_counts_but_a_free_turn_is_for_everybody() -> None:
    async def scene() -> None:
        crowd = Crowd(Turns(1, limit_seconds=0.05))
        await crowd.ask("stalled", crowd.turns.now() - 3)
        assert crowd.begun == ["stalled"], "the loop stood still, and there is room"
        await crowd.ask("behind", crowd.turns.now() - 3)
        with pytest.raises(OverloadedError):
            await crowd.tasks["behind"]
        await crowd.end("stalled")

    run(scene())


@pytest.mark.parametrize("given_up", ["b", "c"])
def test_a_client_that_is_gone_leaves_its_place(given_up: str) -> None:
    async def scene() -> None:
        crowd = Crowd(Turns(1, limit_seconds=60))
        for name in "abc":
            await crowd.ask(name)
        crowd.tasks[given_up].cancel()
        await settle()
        await crowd.end("a")
        rest = "c" if given_up == "b" else "b"
        assert crowd.begun == ["a", rest]
        await crowd.end(rest)
        await crowd.ask("d")
        assert crowd.begun[-1] == "d", "no turn is lost"
        await crowd.end("d")

    run(scene())


def test_a_turn_that_is_handed_to_who_is_cancelled_in_that_moment_goes_on() -> None:
    async def scene() -> None:
        crowd = Crowd(Turns(1, limit_seconds=60))
        for name in "abc":
            await crowd.ask(name)
        crowd.ends["a"].set()
        await asyncio.sleep(0)  # a has handed its turn to b, which has not run yet
        crowd.tasks["b"].cancel()
        await settle()
        assert crowd.begun == ["a", "c"]
        await crowd.end("c")

    run(scene())


def test_a_fault_of_an_answer_gives_its_turn_back() -> None:
    async def scene() -> None:
        turns = Turns(1, limit_seconds=60)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                async with turns.take(turns.now()):
                    raise ZeroDivisionError

    run(scene())


def test_at_the_door_the_pace_of_the_last_turns_tells_who_would_wait_too_long() -> None:
    async def scene() -> None:
        now = [0.0]
        turns = Turns(1, limit_seconds=10.0, clock=lambda: now[0])
        crowd = Crowd(turns)
        for name in "abcdefgh":
            await crowd.ask(name)
        for name in "abcd":  # each takes four seconds
            now[0] += 4.0
            await crowd.end(name)
        with pytest.raises(OverloadedError):
            turns.check(now[0])  # three wait: its turn would come in 16 s
        for name in "efgh":
            await crowd.end(name)
        turns.check(now[0])
        turns.check(now[0] - 100.0)

    run(scene())


def test_as_many_as_there_are_turns_may_wait_whatever_the_pace_was() -> None:
    async def scene() -> None:
        now = [0.0]
        turns = Turns(2, limit_seconds=1.0, clock=lambda: now[0])
        crowd = Crowd(turns)
        for name in "abcdef":
            await crowd.ask(name)
        for name in "abcd":
            now[0] += 100.0
            await crowd.end(name)
        turns.check(now[0])  # nobody waits
        await crowd.ask("g")
        turns.check(now[0])  # one does
        for name in "efg":
            await crowd.end(name)

    run(scene())


def test_while_requests_queue_answers_take_less_effort_and_the_metrics_say_so() -> None:
    async def scene() -> None:
        now, registry = [0.0], CollectorRegistry()
        metrics = OverloadMetrics(registry)
        ladder = Ladder(0.02, 0.1, now=0.0)
        turns = Turns(1, 0.5, ladder, metrics.answers, clock=lambda: now[0])
        crowd = Crowd(turns)
        await crowd.ask("a")
        await crowd.ask("b")
        await crowd.ask("c")
        now[0] = 0.12  # the interval in which a waited for nothing is over
        await crowd.end("a")
        now[0] = 0.22  # and that of b's turn, which came after 0.12 s
        await crowd.end("b")
        await crowd.end("c")
        efforts = [await crowd.tasks[name] for name in "abc"]
        assert efforts == [Effort.FULL, Effort.FULL, Effort.FEWER_CANDIDATES]
        assert registry.get_sample_value("recsys_effort_rung") == 1
        assert registry.get_sample_value("recsys_turn_wait_seconds_count", {"turns": "answers"}) == 3
        assert registry.get_sample_value("recsys_turned_away_total", {"turns": "answers"}) == 0
        now[0] = 60.0
        assert turns.rung() is Effort.FULL
        assert registry.get_sample_value("recsys_effort_rung") == 0

    run(scene())
