"""Wrong clocks: the Redis server's own clock bounds them, and what they did is counted there."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import redis

from recsys.errors import StoreUnavailableError
from recsys.instants import SECOND, now_micros
from recsys.stores.redis.client import redis_errors

CLOCK_KEY = "recsys:{clock}"
OFF = 10 * SECOND  # what a worker's clock may differ from the server's before it is not believed
ASK_SECONDS = 5.0
ASK_AGAIN_SECONDS = 0.5  # while a clock is off

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClockFaults:
    """What wrong clocks did, counted since the server was new.

    Attributes:
        workers_off: times that a worker's clock was found to differ from the server's.
        rows_ahead: rows that were written with an instant from the future.
        rows_replaced: rows from the future that a row of the present replaced.
        batches_ahead: views that were materialized to or from an instant in the future.
    """

    workers_off: int = 0
    rows_ahead: int = 0
    rows_replaced: int = 0
    batches_ahead: int = 0


def count_clock_faults(client: Any, faults: ClockFaults) -> None:
    """Adds to the counters of the server.

    Raises:
        StoreUnavailableError: Redis does not answer.
    """
    with redis_errors("count instants of the future"):
        for name, count in vars(faults).items():
            if count:
                client.hincrby(CLOCK_KEY, name, count)


def read_clock_faults(client: Any) -> ClockFaults:
    """What was counted.

    Raises:
        StoreUnavailableError: Redis does not answer.
    """
    with redis_errors("read counts of instants of the future"):
        found = client.hgetall(CLOCK_KEY)
    return ClockFaults(**{name: int(found.get(name.encode(), 0)) for name in vars(ClockFaults())})


def server_micros(client: Any) -> int:
    """The server's clock in microseconds.

    Raises:
        StoreUnavailableError: Redis does not answer.
    """
    with redis_errors("read the clock"):
        found = client.time()
    clocks = found.values() if isinstance(found, dict) else [found]  # a cluster has as many as nodes
    return max(int(seconds) * SECOND + int(micros) for seconds, micros in clocks)


class BoundedClock:
    """The machine's clock in microseconds, or the server's where they differ by more than clocks do.

    The server is asked every few seconds; in between its clock is counted on by the monotonic one, which
    nobody sets. A server that does not answer bounds nothing that it has not bounded before.
    """

    def __init__(
        self,
        client: redis.Redis,
        clock: Callable[[], int] = now_micros,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Asks nothing yet.

        Args:
            clock: microseconds. steady: seconds, of any origin.
        """
        self._client, self._clock, self._steady = client, clock, steady
        self._asked_at = float("-inf")
        self._offset: int | None = None  # the server's clock less the steady one
        self._is_off = False

    def __call__(self) -> int:
        """Microseconds now."""
        self._ask(ASK_SECONDS)
        now, bound = self._clock(), self._bound()
        if bound is not None and abs(now - bound) > OFF:
            # Before the clock is blamed: a machine that slept has counted on too little.
            self._ask(ASK_AGAIN_SECONDS if self._is_off else 0.0)
            now, bound = self._clock(), self._bound()
        if bound is None or abs(now - bound) <= OFF:
            self._is_off = False
            return now
        if not self._is_off:
            self._is_off = True
            self._report((now - bound) / SECOND)
        return bound

    def _bound(self) -> int | None:
        return None if self._offset is None else self._offset + round(self._steady() * SECOND)

    def _ask(self, seconds: float) -> None:
        """Asks the server if it was not asked for that long."""
        now = self._steady()
        if now - self._asked_at < seconds:
            return
        self._asked_at = now
        try:
            there = server_micros(self._client)
        except StoreUnavailableError:
            return  # whoever needs the server will say so
        self._offset = there - round(self._steady() * SECOND)

    def _report(self, seconds: float) -> None:
        log.warning(
            "this machine's clock is %.0f s %s the Redis server's, which counts until they agree",
            abs(seconds),
            "ahead of" if seconds > 0 else "behind",
        )
        with suppress(StoreUnavailableError):
            count_clock_faults(self._client, ClockFaults(workers_off=1))
