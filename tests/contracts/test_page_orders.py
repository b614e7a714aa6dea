"""Orders of first pages: kept for a while, found by any process; the fake and Redis alike."""

import time
from collections.abc import Callable

import pytest
import redis

from recsys.errors import StoreUnavailableError
from recsys.search.pages import PageStore
from recsys.stores.reconnecting import Reconnecting
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.client import open_url
from recsys.stores.search.page_orders import RedisPageOrders
from tests.search.small_shop import FakePages

Open = Callable[[], PageStore]


def redis_orders(url: str, seconds: int = 60) -> RedisPageOrders:
    return RedisPageOrders(Reconnecting(lambda: open_url(url), lambda client: client.close()), seconds)


@pytest.fixture(params=["fake", "redis"])
def open_pages(
    request: pytest.FixtureRequest, redis_address: redis_server.Address, redis_client: redis.Redis
) -> Open:
    """Opens the same orders once more, as another process would."""
    if request.param == "redis":
        return lambda: redis_orders(redis_address.url)
    pages = FakePages()
    return lambda: pages


def test_an_order_that_one_process_keeps_another_finds(open_pages: Open) -> None:
    open_pages().save("q", b"\x00order\xff")
    assert open_pages().load("q") == b"\x00order\xff"


def test_an_order_that_was_never_kept_is_none(open_pages: Open) -> None:
    assert open_pages().load("unknown") is None


def test_an_order_that_is_kept_again_is_the_later_one(open_pages: Open) -> None:
    pages = open_pages()
    pages.save("q", b"one")
    pages.save("q", b"two")
    assert pages.load("q") == b"two"


def test_redis_forgets_an_order_in_time(redis_address: redis_server.Address) -> None:
    pages = redis_orders(redis_address.url, seconds=1)
    pages.save("q", b"order")
    end = time.monotonic() + 30
    while pages.load("q") is not None and time.monotonic() < end:
        time.sleep(0.1)
    assert pages.load("q") is None


def test_a_server_that_is_away_is_said_to_be(free_tcp_port: int) -> None:
    with pytest.raises(StoreUnavailableError):
        redis_orders(f"redis://127.0.0.1:{free_tcp_port}/0").load("q")
