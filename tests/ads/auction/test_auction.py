"""Auctions of a few ads, with prices that can be computed in the head. Scores of CPC ads are 100 x bid."""

import pytest

from recsys.ads.auction.explanation import describe_slot
from recsys.ads.auction.loss_reasons import LossReason
from recsys.ads.auction.outcome import Outcome
from recsys.ads.auction.placement import Placement, PriceRule, Reserves
from recsys.ads.auction.ranking import tie_numbers
from scripts.benchmarks.ads.plain_auction import CPA, CPM, PlainAd
from tests.ads.auction.auctions import World, ad_of, as_candidates, prices

RESERVES = Reserves(cpc_micros=7, cpm_micros=400, cpa_micros=30)


def run(*ads: PlainAd, slots: int = 1, rule: PriceRule = PriceRule.GSP) -> Outcome:
    return World(ads, Placement((1.0, 0.5, 0.25)[:slots], rule, RESERVES), seed=1).run()


def _tie(winner: int, rival: int) -> int:
    """Micros to add where scores are equal: 1 where the draw of seed 1 puts the rival first."""
    first, second = tie_numbers(as_candidates([ad_of(winner, 1), ad_of(rival, 1)]).ad, 1)
    return int(second < first)


@pytest.mark.parametrize(("pricing", "reserve"), [(0, 7), (CPM, 400), (CPA, 30)])
@pytest.mark.parametrize("rule", [PriceRule.GSP, PriceRule.VCG])
def test_a_sole_bidder_pays_the_reserve_of_its_pricing(pricing: int, reserve: int, rule: PriceRule) -> None:
    assert prices(run(ad_of(1, 5000, pricing=pricing), slots=2, rule=rule)) == [(1, reserve)]


def test_a_bid_of_the_reserve_wins_and_a_micro_less_does_not_compete() -> None:
    assert prices(run(ad_of(1, 7))) == [(1, 7)]
    below = run(ad_of(1, 6))
    assert (below.slots, below.reason(0)) == ((), LossReason.RESERVE)


def test_a_rival_that_the_reserve_beats_sets_no_price() -> None:
    weak = ad_of(2, 8, attraction=0.01)  # a score of 80, which ad 1 beats with 1 micro
    slot = run(ad_of(1, 60), weak).slots[0]
    assert (slot.price_micros, slot.price_steps[0].rival, slot.next_ad) == (7, None, 2)
    strong = run(ad_of(1, 60), ad_of(2, 8)).slots[0]
    assert (strong.price_micros, strong.price_steps[0].rival) == (8 + _tie(1, 2), 2)


def test_ads_of_three_pricings_meet_in_one_order() -> None:
    # Of 1,000 views: 1,000 x .1 x 30 = 3,000; 2,550; 1,000 x .1 x .5 x 41 = 2,050.
    ads = ad_of(1, 41, pricing=CPA), ad_of(2, 2550, pricing=CPM), ad_of(3, 30)
    # Ad 3 beats 2,550 with 25.5, so 26; ad 2 beats 2,050 with that; ad 1 has no rival.
    assert prices(run(*ads, slots=3)) == [(3, 26), (2, 2050 + _tie(2, 1)), (1, 30)]


def test_variants_of_a_product_get_one_slot_and_do_not_make_each_other_dearer() -> None:
    ads = ad_of(1, 50, account=1, product=1), ad_of(2, 40, account=1, product=1), ad_of(3, 20)
    outcome = run(*ads, slots=3)
    assert [slot.ad for slot in outcome.slots] == [1, 3]
    assert prices(outcome) == [(1, 20 + _tie(1, 3)), (3, 7)]
    assert outcome.reason(1) == LossReason.PRODUCT


def test_one_product_of_two_accounts_is_sold_by_the_one_that_bids_more() -> None:
    outcome = run(ad_of(1, 50, product=9), ad_of(2, 40, product=9), slots=2)
    assert [slot.ad for slot in outcome.slots] == [1]
    assert outcome.slots[0].price_micros == 40 + _tie(1, 2)


def test_half_the_attraction_or_quality_makes_a_click_cost_twice_as_much() -> None:
    rival = ad_of(2, 1990, pricing=CPM)
    assert prices(run(ad_of(1, 60), rival)) == [(1, 20)]  # 100 x 20 beats 1,990
    assert prices(run(ad_of(1, 60, attraction=0.05), rival)) == [(1, 40)]  # 50 x 40 does
    assert prices(run(ad_of(1, 60, quality=0.5), rival)) == [(1, 40)]


def test_vcg_pays_for_what_each_slot_adds() -> None:
    # Least bids for slots 1 and 2 are 21 and 11: half of the views come with slot 1 only: (21 + 11) / 2.
    ads = ad_of(1, 60), ad_of(2, 2050, pricing=CPM), ad_of(3, 1050, pricing=CPM)
    assert prices(run(*ads, slots=2, rule=PriceRule.VCG)) == [(1, 16), (2, 1050 + _tie(2, 3))]
    assert prices(run(*ads, slots=2, rule=PriceRule.GSP)) == [(1, 21), (2, 1050 + _tie(2, 3))]


def test_who_cannot_pay_leaves_and_the_price_is_set_by_the_next_one() -> None:
    ads = ad_of(1, 50), ad_of(2, 4050, pricing=CPM), ad_of(3, 2050, pricing=CPM)
    world = World(ads, Placement((1.0, 0.5), reserves=RESERVES), seed=1)
    asked = []

    def reserve_money(ad: int, price_micros: int) -> bool:
        asked.append((ad, price_micros))
        return ad != 2

    outcome = world.run(reserve_money)
    # Ad 1 reserves what beats ad 2, and pays what beats ad 3: the difference goes back.
    assert asked == [(1, 41), (2, 2050 + _tie(2, 3)), (3, 400)]
    assert prices(outcome) == [(1, 21), (3, 400)]
    assert [slot.held_micros for slot in outcome.slots] == [41, 400]
    assert (outcome.reruns, outcome.stopped, outcome.reason(1)) == (1, False, LossReason.MONEY)


def test_after_the_bound_of_reruns_the_slots_left_are_organic() -> None:
    ads = tuple(ad_of(number, 100 - number) for number in range(10))
    world = World(ads, Placement((1.0, 0.5), most_reruns=2), seed=1)
    outcome = world.run(lambda ad, _: ad in (0, 4))
    assert [slot.ad for slot in outcome.slots] == [0]  # 1, 2 and 3 could not pay, and 4 is not asked
    assert (outcome.reruns, outcome.stopped) == (3, True)
    assert outcome.counts() == {LossReason.NONE: 1, LossReason.MONEY: 3, LossReason.STOPPED: 6}


def test_an_account_at_its_limit_leaves_the_slot_to_others() -> None:
    ads = ad_of(1, 50, account=1), ad_of(2, 40, account=1), ad_of(3, 30)
    world = World(ads, Placement((1.0, 0.5), most_per_account=1), seed=1)
    outcome = world.run()
    assert [slot.ad for slot in outcome.slots] == [1, 3]
    assert outcome.reason(1) == LossReason.ACCOUNT


def test_a_slot_is_told_in_one_sentence() -> None:
    ads = ad_of(1, 60_000), ad_of(2, 2_050_050, pricing=CPM), ad_of(3, 1_050_050, pricing=CPM)
    names = {1: "tea", 2: "cup", 3: "pot"}.__getitem__
    sentences = {
        rule: [describe_slot(slot, names) for slot in run(*ads, slots=3, rule=rule).slots]
        for rule in PriceRule
    }
    assert sentences[PriceRule.GSP][0] == (
        "slot 1: tea pays 0.020501 for a click: the least bid that beats cup; cup came next"
    )
    # .5 x 20,501 + .25 x 10,501 + .25 x 7 = 12,877.5 micros
    assert sentences[PriceRule.VCG][0] == (
        "slot 1: tea pays 0.012877 for a click: 50.0% of 0.020501, the least bid that beats cup"
        " + 25.0% of 0.010501, the least bid that beats pot + 25.0% of 0.000007, the reserve; cup came next"
    )
    assert sentences[PriceRule.FIRST][2] == (
        "slot 3: pot pays 1.050050 for 1,000 viewable impressions: its bid; nobody came next"
    )
