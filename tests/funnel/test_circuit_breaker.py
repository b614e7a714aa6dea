"""A store that is away is not asked by every request."""

import pytest

from recsys.errors import StoreUnavailableError
from recsys.funnel.online_features import CircuitBreaker
from tests.fake_world import Clock, ShopFeatures, regulars


@pytest.fixture
def features() -> ShopFeatures:
    return regulars()


def test_a_store_that_answers_is_asked_each_time(features: ShopFeatures) -> None:
    source = CircuitBreaker(features, Clock())
    source.read_user("ann")
    source.read_items(["apple"])
    assert (features.reads, source.open) == (2, False)


def test_after_a_failure_reads_fail_at_once_until_one_is_let_through(features: ShopFeatures) -> None:
    clock = Clock()
    source = CircuitBreaker(features, clock, retry_seconds=1.0)
    features.away = True
    for _ in range(5):
        with pytest.raises(StoreUnavailableError, match="redis"):
            source.read_user("ann")
    assert features.reads == 1
    clock.seconds += 1.0
    for _ in range(5):
        with pytest.raises(StoreUnavailableError):
            source.read_items(["apple"])
    assert features.reads == 2, "one probe a second, not one a request"


def test_it_recovers_with_the_first_probe_that_is_answered(features: ShopFeatures) -> None:
    clock = Clock()
    source = CircuitBreaker(features, clock, retry_seconds=1.0)
    features.away = True
    with pytest.raises(StoreUnavailableError):
        source.read_user("ann")
    features.away = False
    with pytest.raises(StoreUnavailableError):
        source.read_user("ann")
    clock.seconds += 1.0
    source.read_user("ann")
    source.read_user("ann")
    assert not source.open
    assert features.reads == 3
