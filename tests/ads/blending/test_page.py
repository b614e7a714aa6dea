"""Pages by hand: visible arithmetic for each rule, and what is said of each ad."""

from itertools import pairwise

import pytest

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.blending.explanation import describe_decision
from recsys.ads.blending.items import OrganicItem, SponsoredItem, organic_value, sponsored_value
from recsys.ads.blending.memory import MOST_ORGANIC, MOST_SPONSORED, PageMemory
from recsys.ads.blending.page import MOST_ADS, BlendedPage, blend_page
from recsys.ads.blending.rules import PageRules
from recsys.errors import ConfigError, DataError
from tests.ads.blending.pages import ad, organic

EVEN = PageRules((1.0,) * 8, most_percent=50, least_between=1)
MICRO = 1_000_000


def order(page: BlendedPage) -> str:
    return " ".join(each.ad_id or each.product_id for each in page.positions)


def reasons(page: BlendedPage) -> list[str]:
    return [describe_decision(each) for each in page.decisions]


def test_without_ads_the_page_is_the_organic_one() -> None:
    page = blend_page(organic(*"abc"), [], EVEN)
    assert (order(page), page.value_micros, page.organic_read) == ("a b c", 3000, 3)


def test_an_ad_takes_the_position_where_the_page_is_worth_most() -> None:
    """At 1: 1500 + 1000 + 90 = 2590; at 2: 2000 + 750 + 90 = 2840; at 3: 2000 + 450 + 150 = 2600."""
    items = [OrganicItem("a1", "a", 2000), OrganicItem("b1", "b", 900), OrganicItem("c1", "c", 800)]
    page = blend_page(items, [ad("x", 1500)], PageRules((1.0, 0.5, 0.1), 50))
    assert (order(page), page.value_micros) == ("a ad-x b", 2840)
    # Without it: 2000 + 450 + 80 = 2530.
    assert page.decisions[0].difference_micros == 310


def test_an_ad_that_is_worth_less_than_what_it_displaces_is_left_out() -> None:
    page = blend_page(organic(*"abcdefgh"), [ad("x", 999)], EVEN)
    assert order(page) == "a b c d e f g h"
    assert reasons(page) == ["ad-x: left out: with it 1,000 views of the page are worth 0.000001 less"]


def test_the_cap_on_ad_load_counts_the_positions_that_the_page_has() -> None:
    ads = [ad("x", 5000), ad("y", 4000), ad("z", 3000)]
    rules = PageRules((1.0,) * 8, most_percent=25, least_between=1)
    assert order(blend_page(organic(*"abcdefgh"), ads, rules)).count("ad-") == 2
    assert order(blend_page(organic(*"abcde"), ads, rules)).count("ad-") == 1  # 2 of 7 would be 29%
    page = blend_page(organic(*"ab"), ads, rules)
    assert order(page) == "a b"
    assert reasons(page)[0] == "ad-x: left out: ad load, spacing or its neighbours leave it no position"


def test_sponsored_items_stand_apart_and_not_above_the_first_position() -> None:
    rules = PageRules((1.0,) * 8, most_percent=50, first_position=2, least_between=2)
    page = blend_page(organic(*"abcdefgh", value=MICRO), [ad(each, 2 * MICRO) for each in "xyz"], rules)
    places = [each.position for each in page.positions if each.sponsored]
    assert len(places) == 3
    assert places[0] >= 2
    assert min(b - a for a, b in pairwise(places)) >= 3


def test_a_sponsored_item_takes_its_organic_copies_out() -> None:
    items = [*organic(*"abc"), OrganicItem("b2", "b", 900), *organic(*"def")]
    page = blend_page(items, [ad("b", 9000)], PageRules((1.0, 0.9, 0.8, 0.7), 50))
    assert order(page) == "ad-b a c d"
    assert (page.removed, page.organic_read) == (("b1", "b2"), 5)


def test_of_two_ads_for_variants_of_a_product_one_is_placed() -> None:
    other = SponsoredItem("ad-x2", "x8", "x", 5000, 1.0)
    page = blend_page(organic(*"abcdefgh"), [ad("x", 3000), other], EVEN)
    assert order(page).count("ad-") == 1
    assert reasons(page) == [
        "ad-x: left out: with it 1,000 views of the page are worth 0.002 less",
        f"ad-x2: at position {page.decisions[1].position}; "
        "without it 1,000 views of the page are worth 0.002 less",
    ]


def test_an_ad_below_the_floor_on_relevance_is_left_out_whatever_it_pays() -> None:
    rules = PageRules((1.0,) * 4, most_percent=50, least_relevance=0.3)
    page = blend_page(organic(*"abcd"), [ad("x", 10**12, relevance=0.29)], rules)
    assert order(page) == "a b c d"
    assert reasons(page) == ["ad-x: left out: relevance 0.29 is below 0.3"]


def test_an_ad_never_stands_beside_a_category_that_it_refuses() -> None:
    items = [*organic("a"), *organic("b", categories="wine"), *organic("c", "d")]
    page = blend_page(items, [ad("x", 5000, never_beside="wine")], PageRules((1.0, 0.9, 0.8, 0.7), 50))
    assert order(page) == "ad-x a b c"
    rules = PageRules((1.0, 0.9, 0.8, 0.7), 50, first_position=2)
    assert order(blend_page(items, [ad("x", 5000, never_beside="wine")], rules)) == "a b c ad-x"


def test_the_next_page_knows_what_this_one_showed() -> None:
    rules = PageRules((1.0, 0.9, 0.8), most_percent=50, least_between=3)
    first = blend_page(organic(*"abcxdef"), [ad("x", 5000)], rules)
    assert (order(first), first.organic_read) == ("ad-x a b", 2)
    rest = organic(*"abcxdef")[first.organic_read :]
    second = blend_page(rest, [ad("x", 5000), ad("a", 5000), ad("y", 5000)], rules, first.memory)
    # Two organic items followed the first ad, so one more comes before the next; x was shown and goes.
    assert order(second) == "c ad-y d"
    assert second.removed == ("x1",)
    earlier = "left out: its product was on an earlier page of the visit"
    assert reasons(second)[:2] == [f"ad-x: {earlier}", f"ad-a: {earlier}"]


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    many = [(f"p{place}", False) for place in range(300)]
    ads = [(f"s{place}", True) for place in range(100)]
    memory = PageMemory().after(many).after(ads)
    assert (len(memory.organic), len(memory.sponsored)) == (MOST_ORGANIC, MOST_SPONSORED)
    assert not memory.showed("p171")
    assert memory.showed("p172")
    assert not memory.showed_sponsored("s35")
    assert memory.showed_sponsored("s36")


def test_a_product_that_is_shown_again_is_remembered_once_and_longer() -> None:
    memory = PageMemory().after([("tea", False), ("pot", False), ("tea", False)])
    assert memory == PageMemory().after([("pot", False), ("tea", False)])


def test_values_are_in_one_currency_and_rounded_down_once() -> None:
    """20 clicks at .10 are 2.00; a price of .30 a click adds 6.00, CPM its 5.00, CPA 20 x .1 x 2 = 4.00."""
    assert organic_value(0.02, 100_000) == 2_000_000
    assert sponsored_value(PricingCode.CPC, 300_000, 0.02, 0.0, 100_000) == 8_000_000
    assert sponsored_value(PricingCode.CPM, 5_000_000, 0.02, 0.0, 100_000) == 7_000_000
    assert sponsored_value(PricingCode.CPA, 2_000_000, 0.02, 0.1, 100_000) == 6_000_000
    assert organic_value(0.0015, 1) == 1


def test_what_cannot_be_blended_is_refused() -> None:
    with pytest.raises(DataError, match="organic item 'a1' is there twice"):
        blend_page(organic("a", "a"), [], EVEN)
    with pytest.raises(DataError, match="ad 'ad-x' is there twice"):
        blend_page(organic("a"), [ad("x", 1), ad("x", 1)], EVEN)
    with pytest.raises(DataError, match=f"7 ads are more than {MOST_ADS}"):
        blend_page(organic("a"), [ad(each, 1) for each in "qrstuvw"], EVEN)
    with pytest.raises(DataError, match="relevance nan"):
        ad("x", 1, float("nan"))
    with pytest.raises(DataError, match="value_micros -1 of 'a1' is below 0"):
        OrganicItem("a1", "a", -1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"examination": ()}, "examination is empty"),
        ({"examination": (0.5, 0.6)}, "examination 0.6 is not above 0 and at most 0.5"),
        ({"most_percent": 101}, "most_percent = 101 is not at least 0 and at most 100"),
        ({"first_position": 0}, "first_position = 0 is not at least 1"),
        ({"least_between": 0}, "least_between = 0 is not at least 1"),
        ({"least_relevance": float("nan")}, "least_relevance = nan"),
    ],
)
def test_rules_out_of_range_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PageRules(**{"examination": (1.0,), **changed})  # type: ignore[arg-type]
