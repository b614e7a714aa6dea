"""What shared token buckets promise: those of one process and those in Redis alike."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import redis

from recsys.access.rates import RateBound, TokenSource
from recsys.errors import StoreUnavailableError
from recsys.stores.access.shared_rates import RedisRates
from recsys.stores.redis.client import open_url
from serving.access.rate_limits import LocalRates

SLOW = RateBound(rate=0.001, capacity=5.0)  # nothing comes in while a test runs


@pytest.fixture(params=["local", "redis"])
def source(request: pytest.FixtureRequest) -> Iterator[TokenSource]:
    if request.param == "local":
        yield LocalRates()
        return
    client = request.getfixturevalue("redis_client")
    url = request.getfixturevalue("redis_address").url
    del client  # it has emptied the server
    with closing(RedisRates(lambda: open_url(url, 5.0))) as opened:
        yield opened


def test_a_new_bucket_is_full_and_hands_out_no_more_than_it_holds(source: TokenSource) -> None:
    assert [source.take("a", SLOW, wanted).tokens for wanted in (2, 2, 2, 2)] == [2, 2, 1, 0]


def test_an_empty_bucket_says_when_there_is_a_token(source: TokenSource) -> None:
    assert source.take("a", SLOW, 5).tokens == 5
    wait = source.take("a", SLOW, 1).wait_seconds
    assert 990 < wait <= 1000  # 1 token / 0.001 a second


def test_each_key_has_a_bucket_of_its_own(source: TokenSource) -> None:
    assert source.take("a", SLOW, 5).tokens == 5
    assert source.take("b", SLOW, 5).tokens == 5


def test_tokens_come_in_at_the_rate_and_stop_at_the_capacity(source: TokenSource) -> None:
    fast = RateBound(rate=200.0, capacity=4.0)
    assert source.take("a", fast, 10).tokens == 4
    time.sleep(0.05)  # 10 tokens would have come in
    assert source.take("a", fast, 10).tokens == 4


def test_a_bound_that_was_lowered_holds_at_once(source: TokenSource) -> None:
    source.take("a", SLOW, 1)
    assert source.take("a", RateBound(rate=0.001, capacity=2.0), 5).tokens == 2


def test_processes_share_the_buckets_in_redis(redis_client: redis.Redis, redis_address) -> None:
    def open_rates() -> RedisRates:
        return RedisRates(lambda: open_url(redis_address.url, 5.0))

    with closing(open_rates()) as one, closing(open_rates()) as other:
        assert one.take("a", SLOW, 3).tokens == 3
        assert other.take("a", SLOW, 3).tokens == 2
    assert 0 < redis_client.pttl("recsys:rate:a") <= 5_001_000, (
        "an idle key's bucket goes away when it is full"
    )


def test_a_server_that_is_away_is_an_error_of_ours() -> None:
    opener: Callable[[], redis.Redis] = lambda: open_url("redis://127.0.0.1:1/0", 0.2)  # noqa: E731
    with closing(RedisRates(opener)) as rates, pytest.raises(StoreUnavailableError, match="redis"):
        rates.take("a", SLOW, 1)
