"""What campaigns sold: cancellations, new buyers of a brand, and sums that count each purchase once."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.ads.attribution.new_to_brand import new_to_brand
from recsys.ads.attribution.records import Purchases, standing_purchases
from recsys.ads.attribution.rule import AttributionRule
from recsys.ads.attribution.totals import CampaignSales, campaign_sales
from recsys.amounts import UNKNOWN
from tests.ads.attribution.purchases import GROUPS, micros, purchases, touches, whole
from tests.ads.attribution.test_last_touch import purchase_rows, rules, touch_rows

RULE = AttributionRule(7, 1, "brand")


def events(*rows: tuple[float, bool, int, int], item: int = 0) -> Purchases:
    """(day, cancels, quantity, value) each, of one user and item."""
    day, cancels, quantity, value = zip(*rows, strict=True)
    same = np.ones(len(rows), np.int64)
    return standing_purchases(
        same, item * same, micros(day), np.array(cancels, bool), whole(quantity), whole(value)
    )


def test_a_partial_return_leaves_the_rest_of_the_value() -> None:
    """Two pieces for 5.00, one comes back: 2.50 stand."""
    found = events((1, False, 2000, 5_000_000), (9, True, 1000, UNKNOWN))
    assert (found.quantity.tolist(), found.value_micros.tolist(), found.taken_micros.tolist()) == (
        [1000],
        [2_500_000],
        [2_500_000],
    )


def test_a_cancellation_without_an_amount_undoes_the_latest_purchase() -> None:
    found = events((1, False, 1000, 3_000_000), (2, False, 1000, 4_000_000), (3, True, 0, UNKNOWN))
    assert found.quantity.tolist() == [1000, 0]
    assert found.value_micros.tolist() == [3_000_000, 0]
    assert found.taken_micros.tolist() == [0, 4_000_000]


def test_a_return_after_the_window_still_subtracts() -> None:
    bought = events((2, False, 1000, 3_000_000), (60, True, 0, UNKNOWN))
    (found,) = campaign_sales(touches((0, 1, 0, 1.0, True)), bought, GROUPS, [RULE], np.array([True]))
    assert found == CampaignSales(undone=1, taken_micros=3_000_000)


def test_sales_are_told_apart_by_touch_and_by_item() -> None:
    given = touches((0, 1, 0, 1.0, True), (0, 2, 0, 1.0, False), (1, 3, 3, 1.0, True))
    bought = purchases((1, 0, 1.5), (1, 2, 1.5), (2, 0, 1.5), (3, 3, 1.5), (3, 0, 1.5))
    first, second = campaign_sales(given, bought, GROUPS, [RULE, RULE], np.ones(5, bool))
    assert first == CampaignSales(
        purchases=3,
        by_click=2,
        by_view=1,
        same_item=2,
        halo=1,
        new_to_brand=3,
        quantity=3000,
        value_micros=6_000_000,
    )
    assert (second.purchases, second.same_item, second.halo) == (1, 1, 0)


def test_only_purchases_of_the_period_count() -> None:
    given, bought = touches((0, 1, 0, 1.0, True)), purchases((1, 0, 1.5), (1, 0, 2.5))
    (found,) = campaign_sales(given, bought, GROUPS, [RULE], np.array([False, True]))
    assert (found.purchases, found.new_to_brand) == (1, 0)  # the earlier one made the user known to the brand


def test_new_to_brand_looks_back_a_year_at_the_same_user() -> None:
    """Items 0 and 1 are of brand 1, item 5 of none; 365 days and a bit make new again."""
    bought = purchases((1, 0, 0.0), (1, 1, 365.0), (1, 0, 730.1), (2, 0, 730.1), (1, 3, 1.0), (1, 5, 0.0))
    assert new_to_brand(bought, GROUPS).tolist() == [True, False, True, True, True, False]


def test_lines_of_one_order_are_new_together() -> None:
    assert new_to_brand(purchases((1, 0, 1.0), (1, 1, 1.0), (1, 2, 2.0)), GROUPS).tolist() == [
        True,
        True,
        False,
    ]


def test_what_was_undone_makes_nobody_known_to_a_brand() -> None:
    bought = purchases((1, 0, 1.0), (1, 1, 2.0))
    bought.quantity[0] = 0
    assert new_to_brand(bought, GROUPS).tolist() == [False, True]


@settings(deadline=None)
@given(touch_rows, purchase_rows, st.tuples(rules, rules, rules))
def test_no_purchase_is_counted_twice_and_the_parts_make_the_whole(
    given: list[tuple[int, int, int, float, bool]],
    bought: list[tuple[int, int, float]],
    three: tuple[AttributionRule, ...],
) -> None:
    found = campaign_sales(touches(*given), purchases(*bought), GROUPS, three, np.ones(len(bought), bool))
    assert sum(each.purchases for each in found) <= len(bought)
    for each in found:
        assert each.by_click + each.by_view == each.same_item + each.halo == each.purchases
        assert each.new_to_brand <= each.purchases
        assert each.value_micros == 2_000_000 * each.purchases


@settings(deadline=None)
@given(purchase_rows)
def test_new_to_brand_is_what_looking_at_every_earlier_purchase_finds(
    bought: list[tuple[int, int, float]],
) -> None:
    expected = [
        GROUPS.brand[item] > 0
        and not any(
            who == user and GROUPS.brand[other] == GROUPS.brand[item] and 0 < day - at <= 365
            for who, other, at in bought
        )
        for user, item, day in bought
    ]
    assert new_to_brand(purchases(*bought), GROUPS).tolist() == expected
