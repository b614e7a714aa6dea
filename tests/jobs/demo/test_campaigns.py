"""Coupon lists of the demo shop as campaigns: which lists, which items, and the dates moved to today."""

from datetime import date

import pandas as pd

from recsys.jobs.demo.campaigns import ADVERTISERS, ITEMS, plan_campaigns

TODAY = date(2026, 5, 2)
DESCRIPTIONS = pd.DataFrame(
    [
        ("2", "Type B", "2017-03-08", "2017-04-09"),
        ("1", "Type A", "2017-03-03", "2017-04-09"),
        ("10", "Type C", "2017-06-28", "2017-07-30"),
        ("3", "Type C", "2017-03-13", "2017-05-08"),
    ],
    columns=["campaign_id", "campaign_type", "start_date", "end_date"],
)
COUPONS = pd.DataFrame(
    [("2", "oat"), ("2", "rye"), ("2", "gone"), ("1", "oat"), ("10", "tea"), ("3", "gone")],
    columns=["campaign_id", "product_id"],
)
CATEGORIES = {"oat": "Cereal", "rye": "Bread", "tea": "Drinks"}


def test_lists_of_types_b_and_c_that_have_items_become_campaigns_in_their_order() -> None:
    planned = plan_campaigns(COUPONS, DESCRIPTIONS, CATEGORIES, {"rye": 5, "oat": 2}, TODAY)
    assert [each.name for each in planned] == ["coupons 2", "coupons 10"]  # 3 has nothing that is sold
    assert [each.advertiser for each in planned] == list(ADVERTISERS[:2])
    assert planned[0].items == ("rye", "oat")  # bought most first
    assert planned[0].categories == ("Bread", "Cereal")


def test_a_campaign_lasts_as_long_as_its_list_did_and_began_yesterday() -> None:
    first = plan_campaigns(COUPONS, DESCRIPTIONS, CATEGORIES, {}, TODAY)[0]
    assert (first.start, (first.end - first.start).days) == (date(2026, 5, 1), 32)  # 8 March to 9 April


def test_of_a_long_list_what_is_bought_most_is_advertised() -> None:
    items = [f"i{number:02}" for number in range(40)]
    coupons = pd.DataFrame({"campaign_id": "2", "product_id": items})
    bought = {item: place for place, item in enumerate(items)}
    (only,) = plan_campaigns(coupons, DESCRIPTIONS, dict.fromkeys(items, "Tea"), bought, TODAY)
    assert only.items == tuple(reversed(items[-ITEMS:]))


def test_at_most_twelve_are_made() -> None:
    numbers = [str(number) for number in range(1, 20)]
    descriptions = pd.DataFrame(
        {
            "campaign_id": numbers,
            "campaign_type": "Type B",
            "start_date": "2017-01-01",
            "end_date": "2017-02-01",
        }
    )
    coupons = pd.DataFrame({"campaign_id": numbers, "product_id": "oat"})
    planned = plan_campaigns(coupons, descriptions, CATEGORIES, {}, TODAY)
    assert [each.name for each in planned] == [f"coupons {number}" for number in range(1, 13)]
