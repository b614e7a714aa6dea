"""A forecast follows what was counted, logged and sold; the report tells how far off it was."""

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import orjson
import pytest

from recsys.ads.delivery.counts import CountedHour
from recsys.ads.delivery.steps import Step
from recsys.config import Settings
from recsys.errors import RequestError
from recsys.funnel.served_answer import SEARCH, ServedAnswer, answer_line
from recsys.jobs.ads.accounts import AccountEditing
from recsys.jobs.ads.campaign_options import CampaignOptions
from recsys.jobs.ads.campaigns import CampaignEditing
from recsys.jobs.ads.delivery.campaign_delivery import CampaignDelivery
from recsys.jobs.ads.delivery.campaign_forecast import CampaignForecasts, ShownForecast
from recsys.stores.ads.delivery import DeliveryStore
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.store import AdsStore
from tests.ads.delivery.served_slots import served_slot
from tests.jobs.ads.ads_shop import NOON, make_shop
from tests.jobs.ads.served_home import ServedHome
from tests.stores.ads.books_shop import Clock, click

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OPEN = CampaignOptions(name="summer", bid="0.40", items=["1"])


@pytest.fixture
def shop(tmp_path: Path) -> Settings:
    settings = make_shop(tmp_path / "home")
    AccountEditing(settings, "ann").create("acme", "UTC")
    return settings


def count(settings: Settings, sequence: int, hours: Iterable[CountedHour]) -> None:
    with DeliveryStore.open(settings, lambda: NOON) as store:
        store.add("one", sequence, list(hours))


def log_searches(settings: Settings, queries: Iterable[str]) -> None:
    """One search each, spread over the hour before NOON."""
    settings.paths.served.mkdir(parents=True, exist_ok=True)
    lines = [
        answer_line(ServedAnswer(SEARCH, str(each), NOON - HOUR / 2, "b", (), surface="search", query=query))
        for each, query in enumerate(queries)
    ]
    (settings.paths.served / "slates-000001.jsonl").write_bytes(
        b"".join(orjson.dumps(line) + b"\n" for line in lines)
    )


def forecast(settings: Settings, given: CampaignOptions = OPEN) -> ShownForecast:
    return CampaignForecasts(settings, "ann", lambda: NOON).new("acme", given)


def made(settings: Settings, given: CampaignOptions = OPEN) -> tuple[str, str, str]:
    """Ids of account, campaign and line of a campaign that is made three days before NOON."""
    shown = CampaignEditing(settings, "ann", clock=lambda: NOON - 3 * DAY).create("acme", given)
    return shown.account.account_id, shown.campaign.campaign_id, shown.campaign.lines[0].line_id


def test_demand_is_that_of_the_counted_days_without_held_out_requests(shop: Settings) -> None:
    hours = [CountedHour(NOON - each * HOUR, "home", False, 10, {}) for each in range(48)]
    count(shop, 1, [*hours, CountedHour(NOON, "home", True, 10_000, {})])
    found = forecast(shop).forecast
    assert (found.matched.low, found.matched.expected, found.matched.high) == (240, 240, 240)
    assert found.assumptions[0] == "demand stays as the requests for ads of the last 2 days"
    assert "no auction was counted yet" in found.assumptions[1]


def test_a_shop_without_ads_has_the_demand_of_its_answers(shop: Settings) -> None:
    log_searches(shop, ["milk"] * 30)
    found = forecast(shop).forecast
    assert found.matched.expected == 30
    assert found.assumptions[0] == "each answer of the shop comes with a request for ads, as the last 1 days"


def test_keywords_are_met_by_the_share_of_logged_queries(shop: Settings) -> None:
    log_searches(shop, ["oat milk"] * 50 + ["penne"] * 150)
    words = CampaignOptions(name="w", bid="0.40", items=["1"], keywords=["milk"])
    found = forecast(shop, words).forecast
    assert found.matched.expected == pytest.approx(50, rel=0.05)
    assert "what requests are about is as in 200 logged answers" in found.assumptions
    home = CampaignOptions(name="h", bid="0.40", items=["1"], targets=["surface=home"])
    assert forecast(shop, home).forecast.matched.expected == 0


def test_wins_clicks_and_prices_are_those_of_late(shop: Settings) -> None:
    account, campaign, line = made(shop)
    steps = {(campaign, Step.WON): 50, (campaign, Step.OUTBID): 50, (campaign, Step.PACING): 100}
    count(shop, 1, [CountedHour(NOON - each * HOUR, "home", False, 200, steps) for each in range(1, 21)])
    with AdsLedger.open(shop, Clock()) as books:
        lease = books.take_lease(account, "worker", 60)
        assert lease is not None
        ids = {"account_id": account, "campaign_id": campaign, "line_id": line}
        books.charge_all(lease, [click(f"t{each}", 100_000, **ids) for each in range(100)])
    found = CampaignForecasts(shop, "ann", lambda: NOON).existing("summer", CampaignOptions()).forecast
    assert found.matched.expected == 4000
    assert found.impressions.expected == pytest.approx(2000, rel=0.03)  # half of what competed
    assert found.clicks.expected == pytest.approx(200, rel=0.1)  # 100 clicks of 1,000 shown
    assert found.spend_micros.expected == pytest.approx(20_000_000, rel=0.1)  # at 0.10 of the bid of 0.40
    cheap = CampaignForecasts(shop, "ann", lambda: NOON).existing("summer", CampaignOptions(bid="0.05"))
    assert cheap.forecast.spend_micros.expected == pytest.approx(10_000_000, rel=0.1)
    budget = CampaignOptions(budget_per_day="5.00")
    capped = CampaignForecasts(shop, "ann", lambda: NOON).existing("summer", budget).forecast
    assert capped.budget_share is not None
    assert capped.budget_share.expected == pytest.approx(1.0, rel=0.01)
    assert capped.spend_micros.high == 5_000_000


def test_a_forecast_changes_no_campaign(shop: Settings) -> None:
    forecast(shop)
    with AdsStore.open(shop) as store:
        assert store.campaigns() == ()
    made(shop)
    CampaignForecasts(shop, "ann", lambda: NOON).existing("summer", CampaignOptions(bid="9"))
    shown = CampaignEditing(shop).campaign("summer")
    assert shown.campaign.version == 1


def test_the_report_holds_days_against_the_last_forecast_before_them(shop: Settings) -> None:
    hours = [CountedHour(NOON - 4 * DAY + each * HOUR, "home", False, 10, {}) for each in range(1, 25)]
    count(shop, 1, hours)
    before = NOON - 3 * DAY  # on 28 April, of which the forecast tells nothing
    CampaignForecasts(shop, "ann", lambda: before).new("acme", OPEN)
    _, campaign, _ = made(shop)
    count(shop, 2, [CountedHour(NOON - 2 * DAY, "home", False, 90, {(campaign, Step.WON): 90})])
    shown = CampaignDelivery(shop, clock=lambda: NOON).report("summer")
    assert list(shown.forecasts) == [date(2026, 4, 29), date(2026, 4, 30)]
    days = {each["day"]: each["forecast"] for each in shown.to_json()["days"]}
    found = days[date(2026, 4, 29)]["impressions"]
    assert (found["actual"], found["error"]) == (90, 90 - found["expected"])
    assert days[date(2026, 4, 28)] is days[date(2026, 5, 1)] is None
    assert [row["expected spend"] is None for row in shown.to_rows()[-4:]] == [False, False, True, True]


def test_what_cannot_be_forecast_is_said(shop: Settings) -> None:
    automatic = CampaignOptions(name="a", most_clicks=True, budget_per_day="5", items=["1"])
    with pytest.raises(RequestError, match="nothing tells what a click would cost"):
        forecast(shop, automatic)
    with pytest.raises(RequestError, match="the catalog does not have: '77'"):
        forecast(shop, CampaignOptions(bid="0.40", items=["77"]))
    assert forecast(shop).forecast.assumptions[0] == "there was no request yet"


def test_what_had_to_be_outbid_of_late_decides_what_a_bid_wins(shop: Settings) -> None:
    home = ServedHome(shop.paths.home)
    count(shop, 1, [CountedHour(NOON - each * HOUR, "home", False, 10, {}) for each in range(24)])
    for number in range(120):  # of 240 requests; clicked with .05, so that 0.40 is worth 20,000 micros a view
        bid = 400_000 if number % 2 else 200_000
        at = NOON - HOUR - timedelta(seconds=number)
        home.serve(served_slot(f"s{number}", request_id=f"r{number}", bid_micros=bid, served_at=at))
    bids = {"0.10": 0.5, "0.30": 0.75, "0.50": 1.0}
    for bid, share in bids.items():
        found = forecast(shop, CampaignOptions(name="summer", bid=bid, items=["1"])).forecast
        assert found.impressions.expected == pytest.approx(240 * share, rel=0.02)
        assert f"at its bid it is shown in {share:.1%} of what meets its targets" in found.assumptions[1]
    for file in shop.paths.ad_log.glob("ads-2026*.jsonl"):
        file.unlink()
    lost = forecast(shop, CampaignOptions(name="summer", bid="0.10", items=["1"])).forecast
    assert "no auction was counted yet" in lost.assumptions[1], (
        "a log with gaps tells nothing of what is asked"
    )
