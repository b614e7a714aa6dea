"""Turns and ladder under a steady load, in virtual time: four answers share a core, as in the service."""

import asyncio
from dataclasses import dataclass, field

import numpy as np
import pytest

from recsys.errors import OverloadedError
from recsys.funnel.requests import Effort
from recsys.service_settings import ServingSettings
from serving.overload.ladder import Ladder
from serving.overload.turns import Turns
from tests.serving.overload.virtual_time import run_virtual

SLICE = 0.001  # seconds for which an answer has the core before the others have their turn at it
# Seconds of CPU of an answer by its effort, and of one that is turned away, as they were measured.
COST = {
    Effort.FULL: 0.010,
    Effort.FEWER_CANDIDATES: 0.006,
    Effort.NO_SECOND_STAGE: 0.004,
    Effort.POPULARITY: 0.002,
}
REFUSED_COST = 0.0005
CAPACITY = 1 / COST[Effort.FULL]  # full answers a second


@dataclass
class Shop:
    """A service with one core; `answers`: when each was due, how long it took, how it was made."""

    turns: Turns
    core: asyncio.Lock = field(default_factory=asyncio.Lock)
    answers: list[tuple[float, float, Effort]] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    async def ask(self) -> None:
        arrived = asyncio.get_running_loop().time()
        try:
            self.turns.check(arrived)
            async with self.turns.take(arrived) as effort:
                await self._compute(COST[effort])
        except OverloadedError:
            self.refused.append(arrived)
            await self._compute(REFUSED_COST)
        else:
            self.answers.append((arrived, asyncio.get_running_loop().time() - arrived, effort))

    async def _compute(self, seconds: float) -> None:
        while seconds > 1e-9:
            async with self.core:
                await asyncio.sleep(min(SLICE, seconds))
            seconds -= SLICE

    def latencies(self, start: float, stop: float) -> list[float]:
        return [took for due, took, _ in self.answers if start <= due < stop]

    def efforts(self, start: float, stop: float) -> set[Effort]:
        return {effort for due, _, effort in self.answers if start <= due < stop}


async def loaded(times: float, seconds: float, then: float, then_seconds: float) -> Shop:
    """A shop after arrivals by chance at `times` its capacity, and `then` at that of it."""
    loop, rng = asyncio.get_running_loop(), np.random.default_rng(7)
    settings = ServingSettings()
    ladder = Ladder(settings.wait_target_seconds, settings.wait_interval_seconds, loop.time())
    shop = Shop(Turns(settings.workers, settings.wait_seconds, ladder, clock=loop.time))
    asked = []
    for share, span in ((times, seconds), (then, then_seconds)):
        end = loop.time() + span
        while loop.time() < end:
            asked.append(asyncio.create_task(shop.ask()))
            await asyncio.sleep(float(rng.exponential(1 / (share * CAPACITY))))
    await asyncio.gather(*asked)
    assert len(shop.answers) + len(shop.refused) == len(asked), "each is answered, once"
    return shop


@pytest.mark.parametrize("times", [1.5, 2.0, 5.0])
def test_under_overload_answers_come_soon_and_are_as_many_as_before_or_more(times: float) -> None:
    shop = run_virtual(loaded(times, 10.0, 0.7, 5.0))
    took = shop.latencies(0, 10)
    assert np.quantile(took, 0.99) <= 0.150
    assert len(took) >= 10 * CAPACITY
    assert Effort.FEWER_CANDIDATES in shop.efforts(0, 10)


def test_at_twice_the_capacity_nobody_needs_the_last_rung_for_long() -> None:
    shop = run_virtual(loaded(2.0, 10.0, 0.7, 5.0))
    last = sum(effort is Effort.POPULARITY for _, _, effort in shop.answers)
    assert last < 0.1 * len(shop.answers)


def test_at_five_times_the_capacity_popularity_answers_and_the_rest_is_told_to_come_back() -> None:
    shop = run_virtual(loaded(5.0, 10.0, 0.7, 5.0))
    last = sum(effort is Effort.POPULARITY for _, _, effort in shop.answers)
    assert last > 0.5 * len(shop.answers)
    assert shop.refused


@pytest.mark.parametrize("times", [2.0, 5.0])
def test_a_second_after_the_overload_answers_are_as_before(times: float) -> None:
    shop = run_virtual(loaded(times, 10.0, 0.7, 5.0))
    assert shop.efforts(11.0, 12.0) == {Effort.FULL}
    assert max(shop.latencies(11.0, 12.0)) <= 0.150
    assert not any(11.0 <= due < 12.0 for due in shop.refused)


def test_what_the_service_can_do_easily_is_answered_in_full() -> None:
    shop = run_virtual(loaded(0.5, 20.0, 0.5, 1.0))
    assert not shop.refused
    assert shop.efforts(0, 21) == {Effort.FULL}
