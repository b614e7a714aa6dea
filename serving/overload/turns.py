"""Turns: how many answers are computed at a time, and how long a request may wait to be one of them."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from recsys.errors import OverloadedError
from recsys.funnel.requests import Effort
from serving.overload.ladder import Ladder
from serving.overload.metrics import TurnMetrics

_SMOOTHING = 0.2  # of the pace, by each turn that is handed on


class Turns:
    """Turns of one event loop: the longest waiting gets the next, and nobody waits longer than the limit.

    Waiting counts from when the request arrived at the socket, so that the time in which the event loop was
    busy counts, too.

    Args:
        count: turns at a time. limit_seconds: wait beyond which a request is turned away.
        ladder: decides how much effort goes into answers; None: always all of it.
        metrics: takes waits, rung and who was turned away; None: not counted.
        clock: monotonic seconds, the clock of the event loop.
    """

    def __init__(
        self,
        count: int,
        limit_seconds: float,
        ladder: Ladder | None = None,
        metrics: TurnMetrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = self._free = count
        self._limit = limit_seconds
        self._ladder = ladder
        self._metrics = metrics
        self._clock = clock
        self._line: deque[tuple[float, asyncio.Future[None]]] = deque()
        # Seconds from one turn that is handed on to the next while somebody waits.
        self._pace: float | None = None
        self._handed_at: float | None = None

    @property
    def limit_seconds(self) -> float:
        """Wait beyond which a request is turned away."""
        return self._limit

    def now(self) -> float:
        """The clock, for a request that waits from now on."""
        return self._clock()

    def rung(self) -> Effort:
        """The effort of an answer that is begun now; shown in the metrics, too."""
        rung = Effort.FULL if self._ladder is None else self._ladder.rung(self._clock())
        if self._metrics is not None and self._ladder is not None:
            self._metrics.rung.set(rung)
        return rung

    def check(self, arrived: float) -> None:
        """Turns a request away at once, where its turn would not come in time; costs next to nothing.

        By the pace at which turns came lately. As many as there are turns may always wait: the pace is
        measured by them.

        Raises:
            OverloadedError: it would wait too long.
        """
        now, ahead = self._clock(), len(self._line)
        if self._pace is None or ahead < self._count:
            return
        if now - arrived + self._pace * (ahead + 1) > self._limit:
            self._turn_away(now)

    @asynccontextmanager
    async def take(self, arrived: float) -> AsyncIterator[Effort]:
        """A turn, held as long as the block; gives the effort of the answer.

        Raises:
            OverloadedError: it did not come within the limit after `arrived`.
        """
        await self._wait(arrived)
        now = self._clock()
        try:
            self._note(now - arrived, now)
            yield self.rung()
        finally:
            self._hand_on()

    async def _wait(self, arrived: float) -> None:
        """Waits until a turn is this request's."""
        if self._free and not self._line:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.append((arrived, turn))
        try:
            async with asyncio.timeout(max(arrived + self._limit - self._clock(), 0.0)):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._hand_on()  # it came in the same moment
            else:
                self._line = deque(each for each in self._line if each[1] is not turn)
            if isinstance(error, TimeoutError):
                self._turn_away(self._clock())
            raise

    def _hand_on(self) -> None:
        """Gives a turn that ends to whoever has waited longest."""
        while self._line:
            _, turn = self._line.popleft()
            if turn.done():
                continue  # it gave up
            now = self._clock()
            if self._handed_at is not None:
                took = now - self._handed_at
                pace = took if self._pace is None else self._pace
                self._pace = pace + _SMOOTHING * (took - pace)
            self._handed_at = now if self._line else None
            turn.set_result(None)
            return
        self._handed_at = None
        self._free += 1

    def _turn_away(self, now: float) -> None:
        self._note(self._limit, now)
        if self._metrics is not None:
            self._metrics.turned_away.inc()
        raise OverloadedError(
            f"more is asked than can be answered: a turn would not come within {self._limit:g} s. "
            "Ask again after Retry-After; if it stays so, run more services behind a balancer."
        )

    def _note(self, waited: float, now: float) -> None:
        if self._ladder is not None:
            self._ladder.note(waited, now)
        if self._metrics is not None:
            self._metrics.waits.observe(waited)
