"""How often keys may call: over processes, while the shared buckets are away, and with few round trips."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from recsys.access.keys import KeyRecord
from recsys.access.rates import Grant, RateBound, TokenBucket
from recsys.errors import ConfigError, RecsysError, StoreUnavailableError
from recsys.service_settings import AccessSettings
from serving.access.metrics import AccessMetrics
from serving.access.rate_limits import LEASE_SECONDS, RETRY_SECONDS, LocalRates, RateLimits
from tests.fake_world import Clock

BURST = AccessSettings(burst_seconds=1)


def key(rate: float | None, key_id: str = "k1") -> KeyRecord:
    return KeyRecord(key_id, "web", "storefront", "", datetime(2025, 1, 1, tzinfo=UTC), rate=rate)


class CountedRates(LocalRates):
    """Shared buckets that count round trips, and fail while `error` is set."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.trips = 0
        self.error: RecsysError | None = None

    def take(self, key_id: str, bound: RateBound, wanted: int) -> Grant:
        self.trips += 1
        if self.error is not None:
            raise self.error
        return super().take(key_id, bound, wanted)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(clock: Clock) -> CountedRates:
    return CountedRates(clock)


@pytest.fixture
def metrics() -> AccessMetrics:
    return AccessMetrics(CollectorRegistry())


@pytest.fixture
def limits(clock: Clock, shared: CountedRates, metrics: AccessMetrics) -> Iterator[RateLimits]:
    with closing(RateLimits(BURST, shared, metrics, clock)) as opened:
        yield opened


def asked(limits: RateLimits, who: KeyRecord, times: int) -> list[float]:
    async def ask() -> list[float]:
        return [await limits.wait_seconds(who) for _ in range(times)]

    return asyncio.run(ask())


def test_a_key_without_a_rate_asks_nobody(limits: RateLimits, shared: CountedRates) -> None:
    assert asked(limits, key(None), 1000) == [0.0] * 1000
    assert shared.trips == 0


def test_a_burst_goes_through_and_then_the_rate(limits: RateLimits, clock: Clock) -> None:
    assert asked(limits, key(10), 11) == [0.0] * 10 + [pytest.approx(0.1)]
    clock.seconds += 0.25  # 2.5 tokens
    assert asked(limits, key(10), 3) == [0.0, 0.0, pytest.approx(0.05)]


def test_a_lease_is_a_tenth_of_a_second_so_that_few_requests_wait_for_a_round_trip(
    limits: RateLimits, shared: CountedRates
) -> None:
    assert asked(limits, key(1000), 1000) == [0.0] * 1000
    assert shared.trips == 10  # 1000 requests / (1000 a second * 0.1 s)


def test_a_key_that_has_to_wait_costs_no_round_trips(limits: RateLimits, shared: CountedRates) -> None:
    asked(limits, key(1), 2)
    before = shared.trips
    assert all(wait > 0 for wait in asked(limits, key(1), 500))
    assert shared.trips == before


def test_requests_at_once_share_a_round_trip(limits: RateLimits, shared: CountedRates) -> None:
    async def at_once() -> list[float]:
        return list(await asyncio.gather(*(limits.wait_seconds(key(100)) for _ in range(20))))

    assert asyncio.run(at_once()) == [0.0] * 20
    assert shared.trips == 2  # of 10 tokens each


def test_a_changed_rate_holds_at_once(limits: RateLimits) -> None:
    assert asked(limits, key(1), 2)[1] > 0
    assert asked(limits, key(100), 1) == [pytest.approx(0.01)]


@settings(deadline=None, max_examples=30)
@given(
    rate=st.sampled_from([1.0, 7.0, 25.0, 300.0]),
    processes=st.integers(1, 4),
    pauses=st.lists(st.floats(0, 0.5), min_size=1, max_size=40),
)
def test_processes_together_let_through_what_one_may_and_a_lease_each(
    rate: float, processes: int, pauses: list[float]
) -> None:
    clock = Clock()
    shared = CountedRates(clock)
    metrics = AccessMetrics(CollectorRegistry())
    several = [RateLimits(BURST, shared, metrics, clock) for _ in range(processes)]
    started, through = clock.seconds, 0

    async def ask() -> int:
        return sum([await each.wait_seconds(key(rate)) == 0.0 for each in several for _ in range(10)])

    for pause in pauses:
        clock.seconds += pause
        through += asyncio.run(ask())
    for each in several:
        each.close()
    lease = max(math.floor(rate * LEASE_SECONDS), 1)
    most = max(rate, 1.0) + rate * (clock.seconds - started) + processes * lease
    assert through <= most + 1e-6
    offered = 10 * processes * len(pauses)
    assert through >= min(offered, math.floor(max(rate, 1.0)) - processes * lease)


@pytest.mark.parametrize(
    "error", [StoreUnavailableError("redis", "count", 0.1), ConfigError("another shop's")]
)
def test_without_the_shared_buckets_each_process_counts_for_itself_and_says_so(
    limits: RateLimits,
    shared: CountedRates,
    metrics: AccessMetrics,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    error: RecsysError,
) -> None:
    def local() -> float:
        (sample,) = [sample for found in metrics.rates_local.collect() for sample in found.samples]
        return sample.value

    assert local() == 0
    shared.error = error
    assert asked(limits, key(1), 2) == [0.0, pytest.approx(1.0)]
    assert local() == 1
    assert shared.trips == 1, "it is asked again after a pause"
    shared.error = None
    clock.seconds += max(RETRY_SECONDS, 1.0)
    assert asked(limits, key(1), 1) == [0.0]
    assert local() == 0
    said = [record.message for record in caplog.records]
    assert len([each for each in said if "counts the requests of keys for itself" in each]) == 1


@given(
    rate=st.floats(0.01, 1000),
    capacity=st.floats(1, 100),
    takes=st.lists(st.tuples(st.floats(0, 10), st.integers(1, 50)), max_size=30),
)
def test_a_bucket_never_hands_out_more_than_came_in(
    rate: float, capacity: float, takes: list[tuple[float, int]]
) -> None:
    bucket, bound, now, out = TokenBucket(capacity, 0.0), RateBound(rate, capacity), 0.0, 0
    for pause, wanted in takes:
        now += pause
        grant = bucket.take(bound, wanted, now)
        out += grant.tokens
        assert 0 <= grant.tokens <= wanted
        assert out <= capacity + rate * now + 1e-3
        if grant.tokens == 0:
            assert 0 < grant.wait_seconds <= 1 / rate + 1e-9
            assert bucket.take(bound, 1, now + grant.wait_seconds + 1e-6).tokens == 1
            now, out = now + grant.wait_seconds + 1e-6, out + 1
