"""A campaign's report agrees with what serving counted and with its bill, for its advertiser alone."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from recsys.ads.delivery.counts import CountedHour
from recsys.ads.delivery.served_slot import ServedSlot
from recsys.ads.delivery.steps import Step
from recsys.ads.ledger.charges import charge_key
from recsys.config import Settings
from recsys.errors import RequestError, UnknownCampaignError
from recsys.jobs.ads.accounts import AccountEditing
from recsys.jobs.ads.campaign_options import CampaignOptions
from recsys.jobs.ads.campaigns import CampaignEditing
from recsys.jobs.ads.delivery.campaign_delivery import CampaignDelivery
from recsys.jobs.ads.delivery.waterfall_picture import waterfall_picture
from recsys.stores.ads.delivery.store import DeliveryStore
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.store import AdsStore
from tests.ads.delivery.served_slots import served_slot
from tests.jobs.ads.ads_shop import NOON, make_shop
from tests.jobs.ads.served_home import ServedHome
from tests.stores.ads.books_shop import Clock, click

HOUR = timedelta(hours=1)
BEGIN = NOON - 6 * HOUR  # 06:00 UTC, 14:00 in Shanghai
DAY = date(2026, 5, 1)


@pytest.fixture
def shop(tmp_path: Path) -> Settings:
    """Two accounts with a campaign `summer` each, made at BEGIN."""
    settings = make_shop(tmp_path / "home")
    for name in ("acme", "beta"):
        AccountEditing(settings, "ann").create(name, "Asia/Shanghai")
        editing = CampaignEditing(settings, "ann", clock=lambda: BEGIN)
        given = CampaignOptions(name="summer", bid="1.00", budget_per_day="0.000500", items=["1"])
        with pytest.raises(RequestError, match="nothing could ever be paid"):
            editing.create(name, given)
        editing.create(
            name, CampaignOptions(name="summer", bid="0.000400", budget_per_day="0.000500", items=["1"])
        )
    return settings


def ids(settings: Settings, account: str) -> tuple[str, str, str]:
    with AdsStore.open(settings) as store:
        owner = store.account(account)
        [campaign] = store.campaigns(owner.account_id)
        return owner.account_id, campaign.campaign_id, campaign.lines[0].line_id


def serve(settings: Settings) -> None:
    """100 requests an hour from 10 to 13 UTC; those of beta are more."""
    _, acme, _ = ids(settings, "acme")
    _, beta, _ = ids(settings, "beta")
    steps = {(acme, Step.WON): 2, (acme, Step.OUTBID): 6, (acme, Step.FLOOR): 12, (beta, Step.WON): 50}
    hours = [CountedHour(NOON + each * HOUR, "search", False, 100, steps) for each in (-2, -1, 0)]
    with DeliveryStore.open(settings, lambda: NOON) as store:
        store.add("one", 1, [*hours, CountedHour(NOON, "search", True, 7, {(acme, Step.WON): 7})])


def charge(settings: Settings) -> None:
    """A click of 300 micros, one that does not fit the budget of 500, a late one; the first is returned."""
    account, campaign, line = ids(settings, "acme")
    mine = {"account_id": account, "campaign_id": campaign, "line_id": line}
    with AdsLedger.open(settings, Clock()) as books:
        lease = books.take_lease(account, "worker", 60)
        assert lease is not None
        late = {"served_at": NOON - HOUR}
        books.charge_all(
            lease, [click("a", 300, **mine), click("b", 300, **mine), click("c", 300, **mine, **late)]
        )
        books.return_charge(charge_key("click", "a"), "write_off")


def test_a_day_has_its_waterfall_its_events_and_its_money(shop: Settings) -> None:
    serve(shop)
    charge(shop)
    shown = CampaignDelivery(shop, clock=lambda: NOON + HOUR).report("summer", "acme")
    assert list(shown.days) == [DAY - timedelta(days=each) for each in range(6, -1, -1)]
    found = shown.days[DAY]
    assert (found.waterfall.requests, found.waterfall.matched, found.waterfall.auctions) == (300, 60, 24)
    assert (found.waterfall.won, found.clicks, found.click_rate) == (6, 3, 3 / 6)
    assert (found.spend_micros, found.lost_micros, found.returned_micros) == (300, 300, 300)
    assert (found.billed, found.free, found.price_micros) == (1, 2, 300)
    assert (found.waterfall.win_rate, found.waterfall.share_of_voice) == (6 / 24, 6 / 60)
    assert (found.viewable, found.purchases) == (None, None)
    assert shown.total == found
    assert shown.held_out == 7


def test_spend_less_what_was_returned_is_the_bill(shop: Settings) -> None:
    charge(shop)
    shown = CampaignDelivery(shop, clock=lambda: NOON).report("summer", "acme").total
    with AdsStore.open(shop) as store, AdsLedger.open(shop, Clock()) as books:
        bill = books.statement(store.account("acme"), DAY, DAY)
    assert bill.billed_micros == shown.spend_micros - shown.returned_micros == 0


def test_a_day_on_which_nothing_happened_is_zeros(shop: Settings) -> None:
    shown = CampaignDelivery(shop, clock=lambda: NOON).report("summer", "acme", "2026-04-30", "2026-04-30")
    [(day, found)] = shown.days.items()
    assert (day, found.waterfall.requests, found.clicks, found.click_rate) == (date(2026, 4, 30), 0, 0, None)


def test_a_report_that_begins_before_what_is_kept_says_since_when_requests_are_counted(
    shop: Settings,
) -> None:
    """400 days are kept; at noon New York and UTC have the same day."""
    kept = (NOON - timedelta(days=400)).date()
    delivery = CampaignDelivery(shop, clock=lambda: NOON)
    first, last = kept - timedelta(days=1), kept + timedelta(days=1)
    shown = delivery.report("summer", "acme", first.isoformat(), last.isoformat())
    assert shown.counted_since == kept
    assert shown.to_json()["counted_since"] == kept.isoformat()
    assert delivery.report("summer", "acme", last.isoformat(), last.isoformat()).counted_since is None


def test_before_it_was_made_a_campaign_was_not_running(shop: Settings) -> None:
    with DeliveryStore.open(shop, lambda: NOON) as store:
        store.add("one", 1, [CountedHour(BEGIN - HOUR, "home", False, 10, {})])
    found = CampaignDelivery(shop, clock=lambda: NOON).report("summer", "acme").days[DAY].waterfall
    assert (found.requests, found.not_running, found.not_targeted) == (10, 10, 0)


def test_a_campaign_that_runs_now_runs_in_all_requests_of_the_current_hour(shop: Settings) -> None:
    serve(shop)
    for clock in (NOON + HOUR / 10, NOON + HOUR):
        found = CampaignDelivery(shop, clock=lambda clock=clock: clock).report("summer", "acme").total
        assert (found.waterfall.requests, found.waterfall.not_running) == (300, 0)


def test_the_last_24_hours_tell_where_most_was_lost(shop: Settings) -> None:
    delivery = CampaignDelivery(shop, clock=lambda: NOON + HOUR / 2)
    assert delivery.last_hours("summer", "acme").message is None
    serve(shop)
    found = delivery.last_hours("summer", "acme")
    assert found.waterfall.requests == 300
    assert found.message is not None
    assert found.message.startswith("36 of the 60 requests that came so far: it bids less than the reserve")
    assert found.to_json()["largest_loss"] == "floor"


def test_killed_processes_are_told_by_the_seconds_that_they_may_have_lost(shop: Settings) -> None:
    serve(shop)
    report = CampaignDelivery(shop, clock=lambda: NOON + HOUR).report("summer", "acme")
    assert report.lost_seconds == 1.0
    with DeliveryStore.open(shop, lambda: NOON) as store:
        store.end("one")
    assert CampaignDelivery(shop, clock=lambda: NOON + HOUR).report("summer", "acme").lost_seconds == 0.0


def test_an_advertiser_sees_its_own_campaign_and_no_other(shop: Settings) -> None:
    serve(shop)
    account, _, _ = ids(shop, "acme")
    _, beta, _ = ids(shop, "beta")
    mine = CampaignDelivery(shop, account, clock=lambda: NOON + HOUR)
    assert mine.report("summer").campaign.account_id == account
    for ask in (mine.report, mine.last_hours):
        with pytest.raises(UnknownCampaignError) as found:
            ask(beta)
        with pytest.raises(UnknownCampaignError) as unknown:
            ask("cmp_0000000000000000")
        assert str(found.value).replace(beta, "ID") == str(unknown.value).replace(
            "cmp_0000000000000000", "ID"
        )


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("1 May", None, "--from '1 May' is no day"),
        ("2026-05-02", "2026-05-01", "before its first day 2026-05-02"),
        ("2020-01-01", "2026-05-01", "366 are allowed"),
    ],
)
def test_days_that_cannot_be_are_refused(shop: Settings, first: str, last: str | None, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        CampaignDelivery(shop).report("summer", "acme", first, last)


def test_equal_waterfalls_give_equal_pictures(shop: Settings) -> None:
    serve(shop)
    found = CampaignDelivery(shop, clock=lambda: NOON + HOUR).report("summer", "acme").total.waterfall
    picture = waterfall_picture(found, "summer")
    assert picture.startswith(b"\x89PNG")
    assert picture == waterfall_picture(found, "summer")
    assert waterfall_picture(found, "spring") != picture


def test_events_of_served_ads_are_counted_from_the_log_where_that_is_asked(shop: Settings) -> None:
    account, campaign, line = ids(shop, "acme")
    home = ServedHome(shop.paths.home)

    def slot(slot_id: str, **changes: object) -> ServedSlot:
        usual = {"account_id": account, "campaign_id": campaign, "line_id": line}
        return served_slot(slot_id, **{**usual, "served_at": NOON - 8 * HOUR, **changes})

    home.serve(slot("a"), "click", "purchase")
    home.serve(slot("b"), "click")
    home.serve(slot("c"))
    home.serve(slot("d"), viewable=False)
    home.serve(slot("e", served_at=NOON + 5 * HOUR), "click")  # tomorrow in Shanghai
    home.serve(slot("f", campaign_id="cmp_other"), "click")
    home.serve(slot("g", arm="holdout"), "click")
    home.flush()
    delivery = CampaignDelivery(shop, clock=lambda: NOON + 30 * HOUR)
    shown = delivery.report("summer", "acme", "2026-05-01", "2026-05-02", from_log=True)
    found = shown.days[DAY]
    assert (found.viewable, found.clicks, found.purchases, found.value_micros) == (3, 2, 1, 5_000_000)
    assert found.click_rate == 2 / 3
    assert (shown.total.clicks, shown.gaps) == (3, ())
    assert shown.to_rows()[0]["value"] == "5.00"
    plain = delivery.report("summer", "acme", "2026-05-01", "2026-05-02").total
    assert (plain.viewable, plain.clicks, plain.value_micros) == (None, 0, None)
    for file in shop.paths.ad_log.glob("ads-2026*.jsonl"):
        file.unlink()
    lacking = delivery.report("summer", "acme", "2026-05-01", "2026-05-02", from_log=True)
    assert lacking.gaps
    assert all("is gone" in gap for gap in lacking.gaps)
    assert lacking.total.clicks == 0
