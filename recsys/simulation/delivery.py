"""How events really arrive: twice, late, out of order, and stamped by clocks that are wrong."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from recsys.events import UserEvent
from recsys.instants import SECOND, from_micros
from recsys.simulation.page_events import Happened
from recsys.simulation.world import World

_LATE = (60.0, 2 * 86_400.0)  # seconds, drawn evenly on a logarithmic scale
_AGAIN = 30.0  # a retry comes within as many seconds
Delivered = tuple[int, UserEvent]


def deliver_events(world: World, happened: Iterable[Happened]) -> Iterator[Delivered]:
    """True instant of arrival and event, in the order of `happened`; a duplicate follows its original."""
    events = list(happened)
    habits, rng = world.habits, world.rng
    network = rng.exponential(0.2, len(events))
    low, high = np.log(_LATE)
    delay = np.exp(rng.uniform(low, high, len(events))) * (rng.random(len(events)) < habits.late_share)
    again = rng.random(len(events)) < habits.duplicate_share
    retry = rng.uniform(1.0, _AGAIN, len(events))
    arrives = ((network + delay) * SECOND).astype(np.int64).tolist()
    retried = (retry * SECOND).astype(np.int64).tolist()
    skew = world.skew.tolist()
    for one, wait, twice, more in zip(events, arrives, again.tolist(), retried, strict=True):
        wrong = skew[one.shopper]
        event = replace(one.event, at=from_micros(one.at + wrong)) if wrong else one.event
        yield one.at + wait, event
        if twice:
            yield one.at + wait + more, event


class Arrivals:
    """Events on their way, to be taken in the order of arrival."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, UserEvent]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, delivered: Iterable[Delivered]) -> None:
        """Puts events on their way."""
        for at, event in delivered:
            heapq.heappush(self._waiting, (at, self._count, event))
            self._count += 1

    def due(self, until: int) -> Iterator[Delivered]:
        """Takes what arrives before `until`, the earliest first."""
        while self._waiting and self._waiting[0][0] < until:
            at, _, event = heapq.heappop(self._waiting)
            yield at, event
