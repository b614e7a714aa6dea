"""What is known of ads as time goes on: campaigns, spend, pace, and when it is no longer believed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from recsys.ads.campaigns.bidding import Budget
from recsys.ads.campaigns.targets import Targets
from recsys.ads.selection.spending import RunningNumber
from recsys.funnel.catalog import Catalog
from recsys.service_settings import AdsSettings
from tests.ads.selection.small_market import campaign
from tests.fake_ads import FakeAds
from tests.fake_world import NOW, Clock, shop_bundle

HOUR = timedelta(hours=1)
MILK = campaign("milk", "milk", budget=Budget(95_000_000))


@pytest.fixture
def ads() -> Iterator[FakeAds]:
    clock = Clock()
    catalog = Catalog(shop_bundle())
    found = FakeAds(lambda: catalog, lambda: NOW, clock, AdsSettings())
    found.clock = clock  # type: ignore[attr-defined]
    yield found
    found.watch.stop()


def test_campaigns_are_read_when_they_changed_and_not_otherwise(ads: FakeAds) -> None:
    ads.run(MILK)
    assert (ads.source.reads, ads.watch.campaigns) == (1, 1)
    ads.watch.check()
    assert ads.source.reads == 1
    ads.run()
    assert (ads.source.reads, ads.watch.campaigns) == (2, 0)
    assert ads.watch.current().standing is None


def test_a_campaign_that_cannot_be_shown_is_named_once(ads: FakeAds, caplog) -> None:
    bad = replace(campaign("bad", "bread"), targets=Targets(segment="spent >>> 5"))
    ads.run(MILK, bad)
    ads.run(MILK, bad)
    assert (ads.watch.campaigns, list(ads.watch.left_out)) == (1, ["cmp_bad"])
    assert caplog.text.count("cmp_bad is left out") == 1


def test_what_was_spent_and_the_pace_reach_the_standing(ads: FakeAds) -> None:
    ads.run(MILK)
    standing = ads.watch.current().standing
    assert standing is not None
    assert standing.participation.tolist() == [1.0]
    day = NOW.date().isoformat()
    ads.source.rows = [RunningNumber("cmp_milk", day, spent_micros=95_000_000)]
    ads.gate.refresh("acc_1", {f"cmp_milk/{day}": 95_000_000})
    ads.watch.check()
    ads.watch.check()
    standing = ads.watch.current().standing
    assert standing is not None
    assert standing.funds.funded.tolist() == [False]
    assert standing.participation.tolist() == [0.0], "ahead of its plan by all of it"


def test_the_day_is_planned_by_the_demand_of_the_weeks_before(ads: FakeAds) -> None:
    """Requests come before 6:00 UTC alone, and it is later: what is left is planned for what is left."""
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    ads.source.hours = {midnight - n * HOUR: 100 if (24 - n) % 24 < 6 else 0 for n in range(1, 29 * 24)}
    ads.run(MILK)
    throttles = ads.watch._throttles
    assert throttles.forecast.demand[:7] == (100.0,) * 6 + (0.0,)
    assert throttles.controllers.share.tolist() == [pytest.approx(0.99, abs=0.01)]


def test_generations_of_the_database_are_expected_of_the_gate(ads: FakeAds) -> None:
    ads.source.noted = {"acc_1": 10**9}
    ads.run(MILK)
    ads.watch.check()
    ads.watch.check()
    standing = ads.watch.current().standing
    assert standing is not None
    assert standing.closed.tolist() == [True, False], "a gate with an older generation was rolled back"


def test_the_start_is_not_blind_and_a_database_that_stays_away_is(ads: FakeAds) -> None:
    ads.source.away = True
    ads.watch.check()
    assert not ads.watch.current().is_blind
    ads.clock.seconds += AdsSettings().blind_seconds + 1  # type: ignore[attr-defined]
    assert ads.watch.current().is_blind
    assert ads.watch.tasks[0].failures == 0, "the next look is as soon as ever"


def test_a_charge_worker_that_stays_away_for_longer_than_holds_last_is_known(ads: FakeAds) -> None:
    lasts = timedelta(seconds=AdsSettings().cpm_hold_seconds)
    ads.source.kept = NOW - lasts
    ads.run(MILK)
    assert not ads.watch.current().is_unkept
    ads.source.kept = NOW - lasts - timedelta(seconds=1)
    ads.watch.check()
    assert ads.watch.current().is_unkept
    ads.source.kept = None  # the first worker has still to come: the gate itself refuses until then
    ads.watch.check()
    assert not ads.watch.current().is_unkept


def test_it_looks_by_itself_once_started(ads: FakeAds) -> None:
    quick = AdsSettings(reload_seconds=0.01, pacing_seconds=0.01)
    catalog = Catalog(shop_bundle())
    found = FakeAds(lambda: catalog, lambda: NOW, Clock(), quick)
    found.gate.rebuild("acc_1", {})
    found.watch.start()
    try:
        found.source.campaigns = [MILK]
        found.source.stored_version = 1
        for _ in range(2000):
            if found.watch.campaigns:
                break
            found.watch.tasks[0]._stop.wait(0.01)
        assert found.watch.campaigns == 1
    finally:
        found.watch.stop()
