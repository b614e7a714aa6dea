"""How often keys may call: a process takes tokens for a tenth of a second at a time and spends them."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from recsys.access.keys import KeyRecord
from recsys.access.rates import Grant, RateBound, TokenBucket, TokenSource
from recsys.errors import RecsysError
from recsys.service_settings import AccessSettings
from serving.access.metrics import AccessMetrics

log = logging.getLogger("recsys.serving")

THREADS = 4  # they wait for the shared buckets
LEASE_SECONDS = 0.1  # of a key's rate that a process takes at a time
SHORTEST_WAIT_SECONDS = 0.001
RETRY_SECONDS = 1.0  # pause after the shared buckets failed to answer


class LocalRates:
    """A `TokenSource` of one process.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, key_id: str, bound: RateBound, wanted: int) -> Grant:
        """As the protocol says."""
        now = self._clock()
        with self._lock:
            bucket = self._buckets.setdefault(key_id, TokenBucket(bound.capacity, now))
            return bucket.take(bound, wanted, now)


@dataclass
class _Lease:
    """What a process has of one key's tokens; `closed_until` is when there may be another one.

    `lock` is held for a moment, by the event loop too; `renewing` as long as a round trip takes.
    """

    bound: RateBound
    tokens: int = 0
    closed_until: float = float("-inf")
    lock: Lock = field(default_factory=Lock)
    renewing: Lock = field(default_factory=Lock)


class RateLimits:
    """Lets each key through as often as it may call, over all processes that share a `TokenSource`.

    All processes together let through at most capacity + rate * seconds, and once a lease for each process:
    a tenth of a second of the rate, or one request. Where the shared buckets do not answer, each process
    counts for itself.

    Args:
        shared: None = each process counts for itself from the start. clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: AccessSettings,
        shared: TokenSource | None,
        metrics: AccessMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._shared = shared
        self._metrics = metrics
        self._clock = clock
        self._local = LocalRates(clock)
        self._retry_at = float("-inf")
        self._failed = False
        self._leases: dict[str, _Lease] = {}
        self._pool = ThreadPoolExecutor(THREADS, "rates")
        metrics.rates_local.set(shared is None)

    async def wait_seconds(self, key: KeyRecord) -> float:
        """0 where a request of `key` may go on, and is counted; else the seconds after which one may."""
        rate = key.rate if key.rate is not None else self._settings.default_rate
        if rate is None:
            return 0.0
        bound = RateBound(rate, max(rate * self._settings.burst_seconds, 1.0))
        lease = self._leases.get(key.key_id)
        if lease is None or lease.bound != bound:
            lease = self._leases[key.key_id] = _Lease(bound)
        if (wait := self._spend(lease)) is not None:
            return wait
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._renew, key.key_id, lease)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=True)

    def _spend(self, lease: _Lease) -> float | None:
        """0 for a token that is there, the wait where there can be none yet; None where one may be had."""
        with lease.lock:
            if lease.tokens > 0:
                lease.tokens -= 1
                return 0.0
            wait = lease.closed_until - self._clock()
            return wait if wait > 0 else None

    def _renew(self, key_id: str, lease: _Lease) -> float:
        """As `_spend`, with new tokens where there are none; one round trip for all that wait for it."""
        with lease.renewing:
            if (found := self._spend(lease)) is not None:
                return found
            wanted = max(math.floor(lease.bound.rate * LEASE_SECONDS), 1)
            grant = self._take(key_id, lease.bound, wanted)
            with lease.lock:
                if grant.tokens > 0:
                    lease.tokens = grant.tokens - 1
                    return 0.0
                wait = max(grant.wait_seconds, SHORTEST_WAIT_SECONDS)
                lease.closed_until = self._clock() + wait
                return wait

    def _take(self, key_id: str, bound: RateBound, wanted: int) -> Grant:
        if self._shared is not None and self._clock() >= self._retry_at:
            try:
                found = self._shared.take(key_id, bound, wanted)
            except RecsysError as error:
                self._retry_at = self._clock() + RETRY_SECONDS
                self._note(error)
            else:
                self._note(None)
                return found
        return self._local.take(key_id, bound, wanted)

    def _note(self, error: RecsysError | None) -> None:
        """Logs when counting together ends and when it begins again, not each time."""
        failed = error is not None
        if failed == self._failed:
            return
        self._failed = failed
        self._metrics.rates_local.set(failed)
        if failed:
            log.warning("each process counts the requests of keys for itself: %s", error)
        else:
            log.info("the requests of keys are counted over all processes again")
