"""How far the online features are, in Redis: offsets by partition, and how long events waited."""

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import redis
from redis.exceptions import NoScriptError

from recsys.stores.redis.client import redis_errors
from recsys.stores.redis.clock import read_clock_faults

PREFIX = "recsys:{progress}"  # one slot of a cluster: the script below writes to both keys
MINUTES = 10
KEPT_SECONDS = 900  # of counts by minute, as the script below has it for waits
WORKERS_KEPT_SECONDS = 86_400
STEPS = 8  # buckets a doubling: a percentile is within 4.5% of the truth

# KEYS: visible offsets, this minute's buckets. ARGV: number of partitions, then partition and offset of
# each, the longest wait, then bucket and count of each. An offset is a text here: Lua's doubles are too
# short for it; a longer one is larger.
ADVANCE_SCRIPT = """
local n = tonumber(ARGV[1])
for i = 2, 2 * n, 2 do
  local new = ARGV[i + 1]
  local old = redis.call('HGET', KEYS[1], ARGV[i])
  if not old or #new > #old or (#new == #old and new > old) then
    redis.call('HSET', KEYS[1], ARGV[i], new)
  end
end
if #ARGV > 2 * n + 2 then
  local longest = redis.call('HGET', KEYS[2], 'max')
  if not longest or tonumber(longest) < tonumber(ARGV[2 * n + 2]) then
    redis.call('HSET', KEYS[2], 'max', ARGV[2 * n + 2])
  end
  for i = 2 * n + 3, #ARGV, 2 do
    redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1])
  end
  redis.call('EXPIRE', KEYS[2], 900)
end
return n
"""
ADVANCE_SHA = hashlib.sha1(ADVANCE_SCRIPT.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class FreshnessSummary:
    """How long events of the last ten minutes waited from accepted to visible online, in milliseconds."""

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True)
class WorkerSign:
    """A worker's last sign of life, `seconds` ago, and which of its background tasks failed then."""

    worker: str
    seconds: float
    failing: tuple[str, ...]


class RedisProgress:
    """`StreamProgress` in Redis, whatever the event stream's transport is; safe to share between threads.

    Args:
        prefix: of the keys.
        clock: seconds since 1970, to which minute a wait belongs.
    """

    def __init__(
        self, client: redis.Redis, prefix: str = PREFIX, clock: Callable[[], float] = time.time
    ) -> None:
        self._client: Any = client
        self._timeout: float | None = client.connection_pool.connection_kwargs.get("socket_timeout")
        self._visible = f"{prefix}:visible"
        self._waited = f"{prefix}:waited"
        self._counted = f"{prefix}:counted"
        self._workers = f"{prefix}:workers"
        self._clock = clock

    def reached(self, partitions: Iterable[int]) -> dict[int, int]:
        """The visible offset of each partition, 0 = nothing yet; one round trip.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        wanted = list(partitions)
        if not wanted:
            return {}
        with redis_errors("read progress", self._timeout):
            offsets = self._client.hmget(self._visible, [str(partition) for partition in wanted])
        return {partition: int(offset or 0) for partition, offset in zip(wanted, offsets, strict=True)}

    def advance(self, offsets: Mapping[int, int], waited_micros: Sequence[int]) -> None:
        """Moves offsets forward, never back, and counts the waits; one round trip.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        buckets, counts = np.unique(_buckets(waited_micros), return_counts=True)
        words: list[Any] = [len(offsets), *(word for pair in offsets.items() for word in pair)]
        words += [max(waited_micros, default=0)]
        words += np.stack([buckets, counts], axis=1).ravel().tolist()
        keys = (self._visible, self._minute(0, self._waited))
        with redis_errors("write progress", self._timeout):
            try:
                self._client.evalsha(ADVANCE_SHA, 2, *keys, *words)
            except NoScriptError:
                self._client.eval(ADVANCE_SCRIPT, 2, *keys, *words)

    def freshness(self) -> FreshnessSummary:
        """Percentiles of the waits of the last ten minutes.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        minutes = self._minutes(self._waited, "read freshness")
        longest = max((int(minute.pop(b"max", 0)) for minute in minutes), default=0)
        return _summary(minutes, longest)

    def count(self, received: int, unknown: int) -> None:
        """Counts the events of a batch, and those about items that the catalog does not have.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        key = self._minute(0, self._counted)
        pipe = self._client.pipeline(transaction=False)
        for name, count in (("received", received), ("unknown", unknown)):
            if count:
                pipe.hincrby(key, name, count)
        pipe.expire(key, KEPT_SECONDS)
        with redis_errors("count events", self._timeout):
            pipe.execute()

    def counted(self) -> tuple[int, int]:
        """(events, those about unknown items) of the last ten minutes.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        minutes = self._minutes(self._counted, "read counts")
        received, unknown = (
            sum(int(minute.get(name, 0)) for minute in minutes) for name in (b"received", b"unknown")
        )
        return received, unknown

    def beat(self, worker: str, failing: Collection[str] = ()) -> None:
        """Says that `worker` is alive, and which of its background tasks fail; forgotten after a day.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        sign = json.dumps({"at": self._clock(), "failing": sorted(failing)})
        pipe = self._client.pipeline(transaction=False)
        pipe.hset(self._workers, worker, sign)
        pipe.expire(self._workers, WORKERS_KEPT_SECONDS)
        with redis_errors("write a sign of life", self._timeout):
            pipe.execute()

    def leave(self, worker: str, dead_seconds: float) -> None:
        """Says that `worker` ended as it should; those without a sign for so long are forgotten with it.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        dead = [sign.worker for sign in self.workers() if sign.seconds > dead_seconds]
        with redis_errors("take a sign of life back", self._timeout):
            self._client.hdel(self._workers, worker, *dead)

    def workers(self) -> tuple[WorkerSign, ...]:
        """The last sign of life of each worker of the last day that did not leave, the latest first.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        with redis_errors("read signs of life", self._timeout):
            found: dict[bytes, bytes] = self._client.hgetall(self._workers)
        now, signs = self._clock(), []
        for worker, text in found.items():
            sign = json.loads(text)
            seconds = max(0.0, now - sign["at"])
            if seconds < WORKERS_KEPT_SECONDS:
                signs.append(WorkerSign(worker.decode(), seconds, tuple(sign["failing"])))
        return tuple(sorted(signs, key=lambda sign: sign.seconds))

    def clock_faults(self) -> dict[str, int]:
        """What wrong clocks did, and how often.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        return vars(read_clock_faults(self._client))

    def _minutes(self, head: str, operation: str) -> list[dict[bytes, bytes]]:
        pipe = self._client.pipeline(transaction=False)
        for ago in range(MINUTES):
            pipe.hgetall(self._minute(ago, head))
        with redis_errors(operation, self._timeout):
            minutes: list[dict[bytes, bytes]] = pipe.execute()
        return minutes

    def _minute(self, ago: int, head: str) -> str:
        return f"{head}:{int(self._clock() // 60) - ago}"


def _buckets(waited_micros: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Logarithmic buckets: `STEPS` a doubling, 0 = up to one microsecond (a clock set back counts so too)."""
    waits = np.maximum(np.asarray(waited_micros, np.float64), 1.0)
    buckets: np.ndarray[Any, np.dtype[np.int64]] = np.floor(STEPS * np.log2(waits)).astype(np.int64)
    return buckets


def _summary(minutes: Iterable[dict[bytes, bytes]], longest: int) -> FreshnessSummary:
    pairs = [(int(bucket), int(count)) for minute in minutes for bucket, count in minute.items()]
    if not pairs:
        return FreshnessSummary(0, 0.0, 0.0, 0.0, 0.0)
    buckets, counts = np.array(sorted(pairs), np.int64).T
    passed = np.cumsum(counts)
    total = int(passed[-1])
    places = np.searchsorted(passed, np.ceil(total * np.array([0.50, 0.90, 0.99])))
    middles = np.exp2((buckets[places] + 0.5) / STEPS)
    p50, p90, p99 = (float(min(micros, longest)) / 1000 for micros in middles)
    return FreshnessSummary(total, p50, p90, p99, longest / 1000)
