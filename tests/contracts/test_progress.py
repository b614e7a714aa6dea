"""What workers' progress promises, in memory and in Redis; and the percentiles that Redis keeps."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from recsys.errors import StoreUnavailableError
from recsys.stores.redis.client import open_url
from recsys.stores.stream.progress import FreshnessSummary, RedisProgress
from recsys.streaming.stream import StreamProgress
from tests.fake_stream import FakeProgress


@pytest.fixture(params=["fake", "redis"])
def progress(request: pytest.FixtureRequest) -> Iterator[StreamProgress]:
    """Progress of nobody yet."""
    if request.param == "fake":
        yield FakeProgress()
    else:
        yield RedisProgress(request.getfixturevalue("redis_client"))


def test_nothing_is_visible_at_first(progress: StreamProgress) -> None:
    assert progress.reached([0, 5]) == {0: 0, 5: 0}
    assert progress.reached([]) == {}


def test_each_partition_advances_on_its_own(progress: StreamProgress) -> None:
    progress.advance({0: 10, 1: 1_790_000_000_000 << 20}, [])
    progress.advance({2: 7}, [100, 200])
    assert progress.reached(iter([0, 1, 2])) == {0: 10, 1: 1_790_000_000_000 << 20, 2: 7}


@pytest.mark.parametrize(("old", "new"), [(10, 9), (1 << 60, (1 << 60) - 1), (1000, 999), (5, 5)])
def test_visible_offsets_never_go_back(progress: StreamProgress, old: int, new: int) -> None:
    progress.advance({0: old}, [])
    progress.advance({0: new}, [])
    assert progress.reached([0]) == {0: old}
    progress.advance({0: old + 1}, [])
    assert progress.reached([0]) == {0: old + 1}


def test_percentiles_are_those_of_the_waits(redis_client: redis.Redis) -> None:
    progress = RedisProgress(redis_client)
    assert progress.freshness() == FreshnessSummary(0, 0.0, 0.0, 0.0, 0.0)
    waits = [1000 * wait for wait in range(1, 1001)]  # 1 ms .. 1 s
    progress.advance({0: 1}, waits[:500])
    progress.advance({0: 2}, waits[500:])
    found = progress.freshness()
    assert (found.count, found.max_ms) == (1000, 1000.0)
    assert found.p50_ms == pytest.approx(500, rel=0.05)
    assert found.p90_ms == pytest.approx(900, rel=0.05)
    assert found.p99_ms == pytest.approx(990, rel=0.05)


def test_waits_of_a_clock_set_back_count_as_none(redis_client: redis.Redis) -> None:
    progress = RedisProgress(redis_client)
    progress.advance({0: 1}, [-5_000_000, 0])
    assert progress.freshness() == FreshnessSummary(2, 0.0, 0.0, 0.0, 0.0)


def test_waits_are_forgotten_after_ten_minutes(redis_client: redis.Redis) -> None:
    now = [6_000_000.0]
    progress = RedisProgress(redis_client, clock=lambda: now[0])
    progress.advance({0: 1}, [8_000_000])
    now[0] += 9 * 60
    progress.advance({0: 2}, [1000])
    assert (progress.freshness().count, progress.freshness().max_ms) == (2, 8000.0)
    now[0] += 60
    assert (progress.freshness().count, progress.freshness().max_ms) == (1, 1.0)
    times = [redis_client.ttl(key) for key in redis_client.scan_iter("*waited*")]
    assert all(600 < left <= 900 for left in times)


def test_advancing_is_one_round_trip(redis_client: redis.Redis) -> None:
    progress = RedisProgress(redis_client)
    progress.advance({0: 1}, [5])  # the script is known from here on
    before = redis_client.info("commandstats")["cmdstat_evalsha"]["calls"]
    processed = redis_client.info("stats")["total_net_input_bytes"]
    progress.advance({partition: 2 for partition in range(9)}, list(range(1, 2000)))
    assert redis_client.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 1
    assert redis_client.info("stats")["total_net_input_bytes"] - processed < 5000


def test_redis_away_is_said() -> None:
    with closing(open_url("redis://127.0.0.1:1/0", 0.5)) as client:
        progress = RedisProgress(client)
        for call in (
            lambda: progress.reached([0]),
            lambda: progress.advance({0: 1}, [1]),
            lambda: progress.freshness(),
            lambda: progress.count(1, 0),
            lambda: progress.counted(),
            lambda: progress.beat("a"),
            lambda: progress.leave("a", 60.0),
            lambda: progress.workers(),
        ):
            with pytest.raises(StoreUnavailableError):
                call()


def test_events_are_counted_for_ten_minutes(redis_client: redis.Redis) -> None:
    now = [6_000_000.0]
    progress = RedisProgress(redis_client, clock=lambda: now[0])
    assert progress.counted() == (0, 0)
    progress.count(100, 5)
    now[0] += 9 * 60
    progress.count(20, 0)
    assert progress.counted() == (120, 5)
    now[0] += 60
    assert progress.counted() == (20, 0)
    assert all(600 < redis_client.ttl(key) <= 900 for key in redis_client.scan_iter("*counted*"))


def test_workers_give_signs_of_life_and_take_them_back(redis_client: redis.Redis) -> None:
    now = [6_000_000.0]
    progress = RedisProgress(redis_client, clock=lambda: now[0])
    assert progress.workers() == ()
    progress.beat("killed")
    now[0] += 100
    progress.beat("a", ["compaction"])
    now[0] += 5
    progress.beat("b")
    signs = [(sign.worker, sign.seconds, sign.failing) for sign in progress.workers()]
    assert signs == [("b", 0.0, ()), ("a", 5.0, ("compaction",)), ("killed", 105.0, ())]
    progress.leave("b", dead_seconds=60.0)
    assert [sign.worker for sign in progress.workers()] == ["a"], "with it goes what was killed long ago"
    now[0] += 90_000
    assert progress.workers() == ()
