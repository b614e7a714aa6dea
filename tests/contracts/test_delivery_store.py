"""What the store of delivery promises, on SQLite and on a real PostgreSQL alike."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from recsys.ads.campaigns.bidding import Budget
from recsys.ads.delivery.counts import CountedHour, CountingProcess
from recsys.ads.delivery.forecast import Estimate, Forecast
from recsys.ads.delivery.report import ChargedEvents
from recsys.ads.delivery.steps import Step
from recsys.config import Settings
from recsys.errors import StoreUnavailableError
from recsys.stores.ads.delivery.campaign_sums import SoldEvents
from recsys.stores.ads.delivery.forecasts import ForecastStore, KeptForecast
from recsys.stores.ads.delivery.store import DeliveryStore
from recsys.stores.ads.store import AdsStore
from tests.stores.ads.books_shop import ACME, Clock, campaign, click, open_books

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = date(2026, 5, 1)
HOUR = timedelta(hours=1)
SEARCH = CountedHour(NOON, "search", False, 3, {("cmp_1", Step.WON): 2, ("cmp_2", Step.FLOOR): 3})
GHOSTS = CountedHour(NOON, "search", True, 1, {("cmp_1", Step.WON): 1})
LATER = CountedHour(NOON + HOUR, "home", False, 5, {})


@pytest.fixture
def store(shop: Settings) -> Iterator[DeliveryStore]:
    with DeliveryStore.open(shop, lambda: NOON) as opened:
        yield opened


def test_counts_of_several_batches_and_processes_add_up(store: DeliveryStore) -> None:
    assert store.add("one", 1, [SEARCH, GHOSTS])
    assert store.add("one", 2, [SEARCH, LATER])
    assert store.add("two", 1, [SEARCH])
    summed = CountedHour(NOON, "search", False, 9, {("cmp_1", Step.WON): 6, ("cmp_2", Step.FLOOR): 9})
    assert store.hours(NOON, NOON + 2 * HOUR) == (summed, GHOSTS, LATER)


def test_a_batch_that_is_repeated_counts_once(store: DeliveryStore) -> None:
    assert store.add("one", 1, [SEARCH])
    assert not store.add("one", 1, [SEARCH])
    assert store.add("one", 2, [])
    assert not store.add("one", 1, [SEARCH])
    assert store.hours(NOON, NOON + HOUR) == (SEARCH,)


def test_the_oldest_hour_that_is_kept_no_longer_goes_at_a_time(shop: Settings) -> None:
    """400 days are kept: of hours 402, 401 and 399 days back the first two go, one with each call."""
    with DeliveryStore.open(shop, lambda: NOON) as store:
        store.add("one", 1, [SEARCH, GHOSTS, LATER])
    old = [replace(SEARCH, hour=NOON + timedelta(days=days)) for days in (1, 3)]
    now = NOON + timedelta(days=402)
    with DeliveryStore.open(shop, lambda: now) as store:
        store.add("two", 1, old)
        left = []
        for _ in range(4):
            store.remove_oldest()
            left.append([each.hour for each in store.hours(NOON, now)])
        assert left[0] == [LATER.hour, *(each.hour for each in old)]
        assert left[1] == [each.hour for each in old]
        assert left[2] == left[3] == [old[1].hour]
        assert store.kept_since == NOON + timedelta(days=2)
        assert [each.process for each in store.processes(NOON, now + HOUR)] == ["two"]
        assert store.hours(NOON, now, "cmp_1") == (replace(old[1], steps={("cmp_1", Step.WON): 2}),)


def test_requests_of_an_hour_are_those_of_all_surfaces_but_of_held_out_units(store: DeliveryStore) -> None:
    store.add("one", 1, [SEARCH, GHOSTS, replace(SEARCH, surface="home", requests=4), LATER])
    assert store.requests(NOON, NOON + 2 * HOUR) == {NOON: 7, NOON + HOUR: 5}
    assert store.requests(NOON, NOON + HOUR) == {NOON: 7}


def test_hours_are_read_from_one_to_before_another_and_of_one_campaign(store: DeliveryStore) -> None:
    store.add("one", 1, [SEARCH, LATER])
    assert store.hours(NOON + HOUR, NOON + 2 * HOUR) == (LATER,)
    assert store.hours(NOON - HOUR, NOON) == ()
    of_one = CountedHour(NOON, "search", False, 3, {("cmp_1", Step.WON): 2})
    assert store.hours(NOON, NOON + HOUR, "cmp_1") == (of_one,)


def test_processes_say_when_they_began_last_wrote_and_ended(shop: Settings) -> None:
    now = [NOON]
    with DeliveryStore.open(shop, lambda: now[0]) as store:
        store.add("one", 1, [SEARCH])
        now[0] = NOON + HOUR
        store.add("one", 2, [])
        store.add("two", 1, [])
        store.end("two")
        store.end("nobody")
        assert store.processes(NOON, NOON + 2 * HOUR) == (
            CountingProcess("one", NOON, NOON + HOUR),
            CountingProcess("two", NOON + HOUR, NOON + HOUR, NOON + HOUR),
        )
        assert [each.process for each in store.processes(NOON, NOON + HOUR)] == ["one"]
        assert store.processes(NOON + 2 * HOUR, NOON + 3 * HOUR) == ()


def test_processes_that_write_the_same_rows_at_once_lose_nothing(store: DeliveryStore) -> None:
    def write(process: int) -> None:
        steps = {(f"cmp_{number}", Step.OUTBID): 1 for number in range(20)}
        if process % 2:
            steps = dict(reversed(steps.items()))
        for sequence in range(1, 11):
            store.add(str(process), sequence, [CountedHour(NOON, "home", False, 1, steps)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    [hour] = store.hours(NOON, NOON + HOUR)
    assert hour.requests == 40
    assert hour.steps == {(f"cmp_{number}", Step.OUTBID): 40 for number in range(20)}


def test_a_batch_is_added_as_a_whole_or_not_at_all(store: DeliveryStore) -> None:
    wrong = CountedHour(NOON + HOUR, "home", False, -1, {})
    with pytest.raises(StoreUnavailableError, match="keep what became of ads"):
        store.add("one", 1, [SEARCH, wrong])
    assert store.hours(NOON, NOON + 2 * HOUR) == ()
    assert store.add("one", 1, [SEARCH])


def test_the_books_tell_of_a_campaign_by_day_event_and_outcome(shop: Settings) -> None:
    budget = Budget(day_micros=100)
    with open_books(shop, Clock(), campaign(1, ACME, budget), campaign(2, ACME, Budget())) as books:
        lease = books.take_lease("acc_1", "worker", 60)
        assert lease is not None
        late = {"served_at": NOON - HOUR}
        next_day = {"occurred_at": NOON + 5 * HOUR}  # midnight in Shanghai is 16:00 UTC
        books.charge_all(
            lease,
            [
                *(click("a", 60), click("b", 60), click("c", 60, **late), click("d", 40)),
                *(click("e", 7, 2), click("f", 9, **next_day)),
            ],
        )
        books.return_charge("click:a", "refund")
    with DeliveryStore.open(shop) as store:
        found = store.charged("cmp_1", DAY, DAY)
        assert found.events == (
            ChargedEvents(DAY, "click", "charged", 2, 100, 100_000),
            ChargedEvents(DAY, "click", "late", 1, 0, 60_000),
            ChargedEvents(DAY, "click", "over_budget", 1, 0, 60_000),
        )
        assert found.returned_micros == {DAY: 60}
        later = store.charged("cmp_1", DAY + timedelta(days=1), DAY + timedelta(days=1))
        assert [each.micros for each in later.events] == [9]
        assert store.charged("cmp_3", DAY, DAY).events == ()
        assert store.sold(NOON - HOUR) == (
            SoldEvents("cmp_1", "click", 5, 3, 109),
            SoldEvents("cmp_2", "click", 1, 1, 7),
        )
        assert store.sold(NOON + HOUR) == (SoldEvents("cmp_1", "click", 1, 1, 9),)


def test_forecasts_are_kept_of_campaigns_and_of_names_before_they_are_saved(shop: Settings) -> None:
    open_books(shop, Clock(), campaign(1, ACME, Budget())).close()
    estimate = Estimate(1.5, 0.0, 3.0)
    made = Forecast(estimate, estimate, estimate, estimate, Estimate(4e6, 1e6, 5e6), None, ("a guess",))
    other = replace(made, budget_share=estimate)
    with AdsStore.open(shop) as ads, ForecastStore.open(shop, lambda: NOON) as store:
        saved = ads.campaign("cmp_1")
        unsaved = replace(saved, version=0, campaign_id="cmp_9")
        store.keep(unsaved, made, "ann")
        store.keep(replace(unsaved, name="another"), other, "ann")
        store.keep(saved, other, "ann")
        assert store.forecasts(saved) == (KeptForecast(NOON, made), KeptForecast(NOON, other))
        assert store.forecasts(replace(saved, campaign_id="cmp_2", name="none")) == ()
