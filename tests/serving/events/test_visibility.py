"""What the service knows of the stream without asking it for each request."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from recsys.errors import BacklogError, StoreUnavailableError
from recsys.stores.reconnecting import Reconnecting
from recsys.streaming.stream import PartitionStatus
from serving.events.backlog import STALE_SECONDS, STATUS_SECONDS, Backlog
from serving.events.visibility import POLL_SECONDS, Visibility
from tests.fake_world import Clock


def status(*lags: int) -> tuple[PartitionStatus, ...]:
    return tuple(PartitionStatus(partition, lag, 0, lag) for partition, lag in enumerate(lags))


class Looks:
    """A status that counts how often it is read."""

    def __init__(self, *lags: int) -> None:
        self.lags = lags
        self.count = 0
        self.away = False

    def __call__(self) -> tuple[PartitionStatus, ...]:
        self.count += 1
        if self.away:
            raise StoreUnavailableError("redis", "status", 0.2)
        return status(*self.lags)


def at_once(look: Callable[[], None]) -> None:
    look()


def test_the_backlog_is_looked_at_twice_a_second_however_many_ask() -> None:
    looks, clock = Looks(1, 1, 0), Clock()
    backlog = Backlog(looks, at_once, 10, clock)
    for _ in range(100):
        backlog.check([0])
        clock.seconds += STATUS_SECONDS / 10
    assert looks.count == 10


@pytest.mark.parametrize(
    ("lags", "partitions", "waiting"),
    [
        ((6, 5, 0), [0], 11),
        ((6, 5, 99), [1], 11),
        ((6, 4, 99), [1], None),
        ((99, 0, 10), [2], None),
        ((0, 0, 11), [2], 11),
        ((1, 1, 12), [0, 2], 12),
    ],
)
def test_all_users_partitions_count_together_and_the_catalogs_alone(
    lags: tuple[int, ...], partitions: list[int], waiting: int | None
) -> None:
    backlog = Backlog(Looks(*lags), at_once, 10, Clock())
    if waiting is None:
        backlog.check(partitions)
        return
    with pytest.raises(BacklogError, match=f"^{waiting} events wait already"):
        backlog.check(partitions)


def test_what_is_not_known_any_more_holds_nobody_up() -> None:
    looks, clock = Looks(99, 0), Clock()
    backlog = Backlog(looks, at_once, 10, clock)
    with pytest.raises(BacklogError):
        backlog.check([0])
    looks.away = True
    clock.seconds += STALE_SECONDS + 1
    backlog.check([0])


PATIENCE = 60.0  # seconds; nobody waits that long


class Reached:
    """Progress that counts how often it is read, and reaches offset 7 at one of these looks."""

    def __init__(self, at_look: int | None = None) -> None:
        self.offsets: dict[int, int] = {}
        self.count, self.at_look = 0, at_look

    def __call__(self) -> dict[int, int]:
        self.count += 1
        time.sleep(0.002)
        if self.count == self.at_look:
            self.offsets = {0: 7}
        return dict(self.offsets)


def test_all_who_wait_share_the_looks_and_are_released_together() -> None:
    reached = Reached(at_look=20)

    async def fifty(visibility: Visibility) -> list[bool]:
        return list(await asyncio.gather(*(visibility.wait({0: 7}, PATIENCE) for _ in range(50))))

    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        assert all(asyncio.run(fifty(Visibility(reached, pool.submit))))
    assert 19 * POLL_SECONDS <= time.monotonic() - started < PATIENCE / 2
    assert reached.count == 20, "one look every few milliseconds, not one for each of fifty"


def test_who_gives_up_is_told_no_and_takes_the_look_from_nobody() -> None:
    reached = Reached()

    async def both(visibility: Visibility) -> list[bool]:
        patient = asyncio.create_task(visibility.wait({0: 7}, PATIENCE))
        impatient = await visibility.wait({0: 7}, 0.001)
        reached.offsets = {0: 7}
        return [impatient, await patient]

    with ThreadPoolExecutor(1) as pool:
        assert asyncio.run(both(Visibility(reached, pool.submit))) == [False, True]


def test_what_was_seen_once_is_not_asked_again() -> None:
    reached = Reached()
    reached.offsets = {0: 7}

    async def twice(visibility: Visibility) -> None:
        assert await visibility.wait({0: 7}, PATIENCE)
        assert await visibility.wait({0: 5}, 0)

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(twice(Visibility(reached, pool.submit)))
    assert reached.count == 1


def test_what_failed_is_closed_and_opened_anew_and_what_is_wrong_is_not() -> None:
    opened, closed = iter("abc"), []
    store = Reconnecting(lambda: next(opened), closed.append)

    def away(_: str) -> Any:
        raise StoreUnavailableError("redis", "append", 0.2)

    def wrong(_: str) -> Any:
        raise ValueError("not the store's fault")

    assert [store.call(str.upper), store.call(str.upper)] == ["A", "A"]
    with pytest.raises(ValueError, match="not the store"):
        store.call(wrong)
    assert (store.call(str.upper), closed) == ("A", [])
    with pytest.raises(StoreUnavailableError):
        store.call(away)
    assert (store.call(str.upper), closed) == ("B", ["a"])
    store.close()
    assert closed == ["a", "b"]
