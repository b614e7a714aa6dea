"""What campaigns sold, from a home's ad log, its events and its catalog."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from recsys import columns
from recsys.ads.attribution.rule import AttributionRule
from recsys.ads.attribution.totals import CampaignSales
from recsys.errors import ConfigError, UnknownCampaignError
from recsys.jobs.ads.accounts import AccountEditing
from recsys.jobs.ads.attributed_sales import SalesQuestion, SalesReport, attributed_sales
from recsys.jobs.ads.campaign_options import CampaignOptions
from recsys.jobs.ads.campaigns import CampaignEditing
from tests.ads.delivery.served_slots import NOW, served_slot
from tests.jobs.ads.ads_shop import make_shop
from tests.jobs.ads.served_home import ServedHome

RULE = AttributionRule(click_days=7, view_days=1)


class Shop:
    """A shop of six items with two campaigns of one account that serves ads to ann."""

    def __init__(self, folder: Path) -> None:
        settings = make_shop(folder)
        AccountEditing(settings).create("acme", "UTC", None, False)
        editing = CampaignEditing(settings)
        self.ids = {
            name: editing.create(
                "acme", CampaignOptions(name=name, bid="0.40", items=[item])
            ).campaign.campaign_id
            for name, item in (("pasta", "1"), ("rice", "3"))
        }
        self.home, self.more = ServedHome(folder), list[Mapping[str, object]]()
        self.served = 0

    def serve(self, campaign: str, item: str, *kinds: str, days: float = 0.0) -> None:
        self.served += 1
        self.home.serve(
            served_slot(
                f"s{self.served}",
                campaign_id=self.ids[campaign],
                item_id=item,
                user_id="ann",
                served_at=NOW + timedelta(days=days),
            ),
            *kinds,
        )

    def buy(self, item: str, days: float, kind: str = "purchase") -> None:
        self.more.append(
            {
                columns.EVENT_ID: f"{kind}-{item}-{days}",
                columns.KIND: kind,
                columns.USER_ID: "ann",
                columns.ITEM_ID: item,
                columns.AT: NOW + timedelta(days=days),
                columns.SEQUENCE: 1000 + len(self.more),
                columns.WEIGHT: 1.0,
                columns.VALUE_MICROS: 2_000_000 if kind == "purchase" else None,
            }
        )

    def sales(self, days: float = 20.0, **asked: object) -> SalesReport:
        self.home.flush([dict(each) for each in self.more])
        question = SalesQuestion(**({"rule": RULE, "days": 30} | asked))  # type: ignore[arg-type]
        return attributed_sales(self.home.settings, question, NOW + timedelta(days=days))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "home")


def of(report: SalesReport) -> dict[str, CampaignSales]:
    return {shown.campaign.name: sold for shown, sold in zip(report.campaigns, report.sales, strict=True)}


def test_a_purchase_within_the_window_of_a_click_is_the_campaigns(shop: Shop) -> None:
    shop.serve("pasta", "1", "click")
    shop.buy("1", 3)
    shop.buy("1", 9)  # two days too late
    found = of(shop.sales())
    assert found["pasta"] == CampaignSales(1, 1, 0, 1, 0, 0, 0, 1000, 2_000_000, 0)
    assert found["rice"] == CampaignSales()


def test_an_impression_counts_for_a_day_and_a_return_takes_its_purchase_back(shop: Shop) -> None:
    shop.serve("pasta", "1")
    shop.buy("1", 0.5)
    shop.buy("1", 15, "cancel")
    found = of(shop.sales())["pasta"]
    assert (found.purchases, found.undone, found.taken_micros) == (0, 1, 2_000_000)


def test_touches_of_other_campaigns_compete_though_one_is_asked_for(shop: Shop) -> None:
    shop.serve("pasta", "1", "click")
    shop.serve("rice", "1", "click", days=1)
    shop.buy("1", 2)
    assert of(shop.sales(campaign="pasta")) == {"pasta": CampaignSales()}
    assert of(shop.sales(campaign="rice"))["rice"].purchases == 1


def test_a_halo_of_the_category_is_told_apart(shop: Shop) -> None:
    shop.serve("pasta", "1", "click")
    shop.buy("2", 1)
    assert of(shop.sales())["pasta"].purchases == 0
    found = of(shop.sales(rule=AttributionRule(7, 1, "category")))["pasta"]
    assert (found.purchases, found.same_item, found.halo) == (1, 0, 1)


def test_only_purchases_of_the_days_asked_for_count(shop: Shop) -> None:
    shop.serve("pasta", "1", "click")
    shop.buy("1", 3)
    assert of(shop.sales())["pasta"].purchases == 1
    week = SalesQuestion(days=7, rule=RULE)
    later = attributed_sales(shop.home.settings, week, NOW + timedelta(days=20))
    assert of(later)["pasta"] == CampaignSales()


def test_what_is_printed_names_the_campaign_and_its_money(shop: Shop) -> None:
    shop.serve("pasta", "1", "click")
    shop.buy("1", 3)
    report = shop.sales(account="acme")
    row = report.to_rows()[0]
    assert (row["account"], row["campaign"], row["purchases"]) == ("acme", "pasta", 1)
    assert row["value"] == "2.00 EUR"
    assert report.to_json()["campaigns"][0]["value_micros"] == 2_000_000


def test_a_shop_that_served_nothing_sold_nothing_by_ads(shop: Shop) -> None:
    shop.buy("1", 3)
    assert set(of(shop.sales()).values()) == {CampaignSales()}


def test_unknown_campaigns_and_days_out_of_range_are_refused(shop: Shop) -> None:
    with pytest.raises(UnknownCampaignError):
        shop.sales(campaign="soup")
    with pytest.raises(ConfigError, match="--days 0"):
        SalesQuestion(days=0)
    with pytest.raises(ConfigError, match="--halo 'all' is not known"):
        SalesQuestion.of(None, None, 28, 14, 1, "all")
