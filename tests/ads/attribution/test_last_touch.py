"""The touch that a purchase is attributed to."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.ads.attribution.last_touch import NONE, Match, attribute_purchases
from recsys.ads.attribution.records import Purchases, Touches
from recsys.ads.attribution.rule import DAY_MICROS, AttributionRule
from recsys.errors import ConfigError, DataError
from tests.ads.attribution.purchases import GROUPS, micros, purchases, touches, whole

WEEK = AttributionRule(click_days=7, view_days=1)


def attributed(given: Touches, bought: Purchases, *rules: AttributionRule) -> list[int]:
    return attribute_purchases(given, bought, GROUPS, rules).touch.tolist()


def test_a_purchase_is_the_last_clicks() -> None:
    given = touches((0, 1, 0, 1.0, True), (0, 1, 0, 2.0, True), (0, 1, 0, 4.0, True))
    assert attributed(given, purchases((1, 0, 3.0)), WEEK) == [1]


def test_windows_end_to_the_microsecond() -> None:
    given = touches((0, 1, 0, 1.0, True))
    bought = purchases((1, 0, 8.0), (1, 0, 8.0), (1, 0, 1.0), (1, 0, 1.0))
    bought.at[1] += 1  # a microsecond after seven days
    bought.at[3] -= 1  # a microsecond before the click
    assert attributed(given, bought, WEEK) == [0, NONE, 0, NONE]


def test_a_click_goes_before_a_later_impression() -> None:
    given = touches((0, 1, 0, 1.0, True), (1, 1, 0, 2.9, False))
    assert attributed(given, purchases((1, 0, 3.0)), WEEK, WEEK) == [0]


def test_without_a_click_it_is_the_last_impression_within_its_own_window() -> None:
    given = touches((0, 1, 0, 1.0, False), (0, 1, 0, 2.5, False))
    assert attributed(given, purchases((1, 0, 3.0), (1, 0, 4.0)), WEEK) == [1, NONE]


def test_impressions_count_nothing_where_the_view_window_is_0() -> None:
    given = touches((0, 1, 0, 1.0, False))
    assert attributed(given, purchases((1, 0, 1.1)), AttributionRule(view_days=0)) == [NONE]


def test_each_campaign_has_its_own_window_and_an_ended_one_hides_no_older_open_one() -> None:
    month, day = AttributionRule(30), AttributionRule(1)
    given = touches((0, 1, 0, 1.0, True), (1, 1, 0, 5.0, True), (1, 1, 0, 6.0, True))
    assert attributed(given, purchases((1, 0, 6.5), (1, 0, 9.0)), month, day) == [2, 0]


def test_other_users_and_items_have_nothing_to_do_with_it() -> None:
    given = touches((0, 1, 0, 1.0, True))
    assert attributed(given, purchases((2, 0, 2.0), (1, 3, 2.0)), WEEK) == [NONE, NONE]


@pytest.mark.parametrize(
    ("halo", "item", "match"),
    [
        ("none", 1, NONE),
        ("brand", 1, Match.BRAND),
        ("brand", 3, NONE),
        ("category", 3, Match.CATEGORY),
        ("category", 1, NONE),
        ("brand", 0, Match.ITEM),
        ("category", 0, Match.ITEM),
    ],
)
def test_a_halo_takes_in_other_items_of_the_brand_or_of_the_category(
    halo: str, item: int, match: int
) -> None:
    rule = AttributionRule(7, halo=halo)  # type: ignore[arg-type]
    found = attribute_purchases(touches((0, 1, 0, 1.0, True)), purchases((1, item, 2.0)), GROUPS, [rule])
    assert found.match.tolist() == [match]
    assert (found.touch >= 0).tolist() == [match != NONE]


def test_items_without_a_brand_are_not_each_others_halo() -> None:
    given = touches((0, 1, 4, 1.0, True))
    assert attributed(given, purchases((1, 5, 2.0)), AttributionRule(halo="brand")) == [NONE]


def test_the_later_touch_counts_whatever_it_matches_by() -> None:
    halo = AttributionRule(7, halo="brand")
    given = touches((0, 1, 0, 1.0, True), (1, 1, 2, 2.0, True))
    found = attribute_purchases(given, purchases((1, 0, 3.0)), GROUPS, [halo, halo])
    assert (found.touch.tolist(), found.match.tolist()) == ([1], [Match.BRAND])


def test_without_touches_or_purchases_nothing_is_attributed() -> None:
    assert attributed(touches(), purchases((1, 0, 3.0)), WEEK) == [NONE]
    assert attributed(touches((0, 1, 0, 1.0, True)), purchases(), WEEK) == []


def test_a_window_that_is_not_offered_is_refused() -> None:
    for wrong in ({"click_days": 2}, {"view_days": 3}, {"halo": "all"}):
        with pytest.raises(ConfigError, match="is not known"):
            AttributionRule(**wrong)  # type: ignore[arg-type]


def test_columns_of_unlike_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="differ in length"):
        Purchases(whole([1]), whole([1, 2]), whole([1]), whole([1]), whole([1]), whole([0]))


rules = st.builds(
    AttributionRule,
    st.sampled_from([1, 7, 14, 30]),
    st.sampled_from([0, 1, 7]),
    st.sampled_from(["none", "brand", "category"]),
)
# Half days, so that many instants are alike and windows end where purchases are.
days = st.integers(0, 80).map(lambda half: half / 2)
touch_rows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 5), days, st.booleans()), max_size=25
)
purchase_rows = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), days), min_size=1, max_size=12)


@settings(deadline=None)
@given(touch_rows, purchase_rows, st.tuples(rules, rules, rules))
def test_it_is_what_trying_every_touch_finds(
    given: list[tuple[int, int, int, float, bool]],
    bought: list[tuple[int, int, float]],
    three: tuple[AttributionRule, ...],
) -> None:
    """Instead of searching: of all touches that fit the one with the largest (click, instant, match)."""
    found = attribute_purchases(touches(*given), purchases(*bought), GROUPS, three)
    for place, (user, item, day) in enumerate(bought):
        fitting = []
        for campaign, who, ad, at, clicked in given:
            rule = three[campaign]
            window = rule.click_days if clicked else rule.view_days
            brand = rule.halo == "brand" and GROUPS.brand[ad] == GROUPS.brand[item] > 0
            category = rule.halo == "category" and GROUPS.category[ad] == GROUPS.category[item] > 0
            match = (
                Match.ITEM if ad == item else Match.BRAND if brand else Match.CATEGORY if category else NONE
            )
            if who == user and match != NONE and window and 0 <= day - at <= window:
                fitting.append((clicked, at, -match))
        touch = found.touch[place]
        if not fitting:
            assert touch == NONE
        else:
            assert (given[touch][4], given[touch][3], -found.match[place]) == max(fitting)
            assert given[touch][1] == user


@settings(deadline=None)
@given(touch_rows, purchase_rows, st.sampled_from([1, 7, 14, 30]), st.sampled_from(["none", "brand"]))
def test_with_one_rule_it_is_polars_join_of_the_latest(
    given: list[tuple[int, int, int, float, bool]],
    bought: list[tuple[int, int, float]],
    window: int,
    halo: str,
) -> None:
    """Clicks alone, by item or by brand: `join_asof` backwards with the window as its tolerance."""
    clicks = [row for row in given if row[4]]
    rule = AttributionRule(window, 0, halo)  # type: ignore[arg-type]
    found = attribute_purchases(touches(*clicks), purchases(*bought), GROUPS, [rule] * 3)
    own = np.array([clicks[row][3] if row != NONE else np.nan for row in found.touch])
    by_item = _joined(clicks, bought, window, range(1, 7))
    by_brand = _joined(clicks, bought, window, GROUPS.brand.tolist())
    expected = np.fmax(by_item, by_brand) if halo == "brand" else by_item
    np.testing.assert_array_equal(own, expected)


def _joined(
    clicks: list[tuple[int, int, int, float, bool]],
    bought: list[tuple[int, int, float]],
    window: int,
    groups: range | list[int],
) -> np.ndarray:
    """(P,) days of the latest click of the same user and group, NaN without one."""
    schema = {"user": pl.Int64, "group": pl.Int64, "at": pl.Datetime("us"), "day": pl.Float64}
    left = pl.DataFrame(
        [(user, groups[item], int(micros([day])[0]), day) for user, item, day in bought],
        schema=schema | {"at": pl.Int64},
        orient="row",
    ).with_row_index("row")
    right = pl.DataFrame(
        [
            (user, groups[item], int(micros([day])[0]), day)
            for _, user, item, day, _ in clicks
            if groups[item]
        ],
        schema=schema | {"at": pl.Int64},
        orient="row",
    )
    joined = left.sort("at").join_asof(
        right.sort("at"), on="at", by=["user", "group"], tolerance=window * DAY_MICROS, check_sortedness=False
    )
    return joined.sort("row")["day_right"].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def test_a_day_is_86_400_seconds() -> None:
    assert timedelta(microseconds=DAY_MICROS) == timedelta(days=1)
