"""What holds in every auction: prices within reserve and bid, no gain by lies, no harm by those who lose."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsys.ads.auction.loss_reasons import LossReason
from recsys.ads.auction.outcome import Outcome
from recsys.ads.auction.placement import Placement, PriceRule
from tests.ads.auction.auctions import (
    World,
    ad_of,
    exact_cost,
    placements,
    position_of,
    prices,
    purses,
    random_ads,
    rivals,
    worlds,
)

SECOND_PRICE = [PriceRule.GSP, PriceRule.VCG]
TRIED = range(130)  # bids; the highest of `worlds` is 120
promise = settings(max_examples=60, deadline=None)


def losers(outcome: Outcome, world: World) -> list[int]:
    return [ad.ad for row, ad in enumerate(world.ads) if outcome.reason(row) != LossReason.NONE]


@promise
@given(worlds(limited=True), st.lists(st.integers(0, 60), min_size=9, max_size=9))
def test_a_price_is_at_least_the_reserve_and_at_most_the_bid(world: World, money: list[int]) -> None:
    for slot in world.run(purses(world.ads, money)[0]).slots:
        assert world.reserve_of(world.ad(slot.ad)) <= slot.price_micros <= slot.held_micros <= slot.bid_micros
        assert slot.bid_micros == world.ad(slot.ad).bid
        assert isinstance(slot.price_micros, int)


@promise
@given(worlds(SECOND_PRICE, limited=True))
def test_with_a_micro_less_than_its_price_a_winner_would_have_lost_the_slot(world: World) -> None:
    for slot in world.run().slots:
        if slot.price_micros > world.reserve_of(world.ad(slot.ad)):
            position = position_of(world.with_bid(slot.ad, slot.price_micros - 1).run(), slot.ad)
            assert position is None or position > slot.position


@promise
@given(worlds([PriceRule.GSP], alone=True))
def test_a_bid_of_the_gsp_price_keeps_the_slot_at_that_price(world: World) -> None:
    for slot in world.run().slots:
        at_price = world.with_bid(slot.ad, slot.price_micros).run().slots[slot.position - 1]
        assert (at_price.ad, at_price.price_micros) == (slot.ad, slot.price_micros)


@promise
@given(worlds([PriceRule.FIRST], limited=True))
def test_a_first_price_is_the_bid(world: World) -> None:
    for slot in world.run().slots:
        assert (slot.price_micros, slot.price_steps) == (slot.bid_micros, ())


@promise
@given(worlds(limited=True))
def test_prices_rise_from_vcg_over_gsp_to_first_and_winners_are_the_same(world: World) -> None:
    by_rule = [
        replace(world, placement=replace(world.placement, price_rule=rule)).run()
        for rule in (PriceRule.VCG, PriceRule.GSP, PriceRule.FIRST)
    ]
    for vcg, gsp, first in zip(*(outcome.slots for outcome in by_rule), strict=True):
        assert vcg.ad == gsp.ad == first.ad
        assert vcg.price_micros <= gsp.price_micros <= first.price_micros


@promise
@given(worlds(limited=True))
def test_without_a_bidder_that_neither_won_nor_set_a_price_nothing_changes(world: World) -> None:
    outcome = world.run()
    setters = set().union(*(rivals(slot) for slot in outcome.slots))
    for number in set(losers(outcome, world)) - setters:
        assert prices(world.without(number).run()) == prices(outcome)


@promise
@given(worlds())
def test_without_a_loser_the_same_ads_win_and_no_price_is_higher(world: World) -> None:
    outcome = world.run()
    for number in losers(outcome, world):
        after = world.without(number).run()
        assert [slot.ad for slot in after.slots] == [slot.ad for slot in outcome.slots]
        for slot, before in zip(after.slots, outcome.slots, strict=True):
            assert slot.price_micros <= before.price_micros


@promise
@given(worlds(limited=True))
def test_so_it_is_with_a_limit_an_account_where_each_product_is_of_one_account(world: World) -> None:
    own = tuple(replace(ad, product=ad.product * 10 + ad.account) for ad in world.ads)
    world = replace(world, ads=own)
    outcome = world.run()
    for number in losers(outcome, world):
        after = world.without(number).run()
        assert [slot.ad for slot in after.slots] == [slot.ad for slot in outcome.slots]
        for slot, before in zip(after.slots, outcome.slots, strict=True):
            assert slot.price_micros <= before.price_micros


# A loser, ad 4, keeps two ads away: 5 by its account, which may have two slots, and 6 by its product.
KEPT_AWAY = World(
    (
        ad_of(1, 60, 0.2, account=1),
        ad_of(2, 110, account=1),
        ad_of(3, 101, account=2),
        ad_of(4, 81, account=2, product=9),
        ad_of(5, 79, account=2),
        ad_of(6, 61, account=3, product=9),
        ad_of(7, 3, account=4),
    ),
    Placement((1.0, 1.0, 0.5), PriceRule.VCG, most_per_account=2),
    seed=1,
)


def test_under_vcg_a_limit_with_a_product_of_two_accounts_may_raise_a_price_without_a_loser() -> None:
    # Ads 1, 2, 3 win. Without account 1 it would be 3, 4, 7. Ad 1 is clicked twice as often, so it beats 4
    # with 81 / 2 = 40.5, so 41, and 7 with 2: (1 - .5) x 41 + .5 x 2 = 21.5.
    assert prices(KEPT_AWAY.run())[0] == (1, 21)
    # Without ad 4 it would be 3, 5, 6: (1 - .5) x 40 + .5 x 31 = 35.5.
    assert prices(KEPT_AWAY.without(4).run())[0] == (1, 35)
    assert position_of(KEPT_AWAY.run(), 4) is None


def test_nobody_pays_more_than_it_has_reserved_whoever_leaves_afterwards() -> None:
    # Ad 1 reserves 21. Then 2 cannot pay, and 4, which gets a slot for it, cannot either.
    outcome = KEPT_AWAY.run(lambda ad, _: ad not in (2, 4))
    assert [slot.ad for slot in outcome.slots] == [1, 3, 5]
    assert (outcome.slots[0].price_micros, outcome.slots[0].held_micros) == (21, 21)


@settings(max_examples=25, deadline=None)
@given(worlds([PriceRule.GSP], slots=1, alone=True), st.data())
def test_one_slot_under_gsp_no_bid_is_better_than_the_true_value(world: World, data: st.DataObject) -> None:
    assume(world.ads)
    number = data.draw(st.sampled_from([ad.ad for ad in world.ads]))
    value = world.ad(number).bid

    def gain(bid: int) -> int:
        return sum(
            value - slot.price_micros for slot in world.with_bid(number, bid).run().slots if slot.ad == number
        )

    assert max(gain(bid) for bid in TRIED) <= gain(value)


@settings(max_examples=25, deadline=None)
@given(worlds([PriceRule.VCG], alone=True), st.data())
def test_under_vcg_no_bid_is_better_than_the_true_value(world: World, data: st.DataObject) -> None:
    """Exactly so before prices are rounded; after it no lie gains as much as a micro an event."""
    assume(world.ads)
    number = data.draw(st.sampled_from([ad.ad for ad in world.ads]))
    value = world.ad(number).bid

    def gains(bid: int) -> tuple[int, int, int]:
        """Exact and rounded gain, and examination, all in parts of a billion."""
        for slot in world.with_bid(number, bid).run().slots:
            if slot.ad == number:
                viewed = world.placement.examination_ppb[slot.position - 1]
                return (
                    viewed * value - exact_cost(slot, world.placement),
                    viewed * (value - slot.price_micros),
                    viewed,
                )
        return 0, 0, 0

    exact, rounded, _ = gains(value)
    for bid in TRIED:
        other_exact, other_rounded, viewed = gains(bid)
        assert other_exact <= exact
        assert other_rounded < rounded + max(viewed, 1)


@settings(max_examples=25, deadline=None)
@given(worlds(limited=True), st.data())
def test_a_higher_bid_never_loses_a_slot(world: World, data: st.DataObject) -> None:
    assume(world.ads)
    number = data.draw(st.sampled_from([ad.ad for ad in world.ads]))
    reached = len(world.placement.examination) + 1
    for bid in TRIED[::3]:
        position = (
            position_of(world.with_bid(number, bid).run(), number) or len(world.placement.examination) + 1
        )
        assert position <= reached
        reached = position


@promise
@given(worlds(limited=True), st.lists(st.integers(0, 60), min_size=9, max_size=9))
def test_who_cannot_reserve_its_price_neither_wins_nor_sets_one(world: World, money: list[int]) -> None:
    world = replace(world, placement=replace(world.placement, most_reruns=9))
    outcome = world.run(purses(world.ads, money)[0])
    unable = {ad.ad for row, ad in enumerate(world.ads) if outcome.reason(row) == LossReason.MONEY}
    assert not unable & {slot.ad for slot in outcome.slots}
    assert not unable & set().union(*(rivals(slot) for slot in outcome.slots))
    able = replace(world, ads=tuple(ad for ad in world.ads if ad.ad not in unable)).run()
    assert [slot.ad for slot in able.slots] == [slot.ad for slot in outcome.slots]
    assert [slot.next_ad for slot in able.slots] == [slot.next_ad for slot in outcome.slots]
    for slot, alone in zip(outcome.slots, able.slots, strict=True):
        assert slot.price_micros == min(alone.price_micros, slot.held_micros)
        if world.placement.most_per_account is None:
            assert slot.price_micros == alone.price_micros


@promise
@given(worlds(limited=True), st.lists(st.integers(0, 60), min_size=9, max_size=9))
def test_nobody_is_asked_for_money_twice_and_no_more_leave_than_the_bound(
    world: World, money: list[int]
) -> None:
    reserve_money, asked = purses(world.ads, money)
    outcome = world.run(reserve_money)
    assert len(asked) == len(set(asked))
    assert {slot.ad for slot in outcome.slots} <= set(asked)
    assert outcome.reruns == len(asked) - len(outcome.slots) <= world.placement.most_reruns + 1
    assert outcome.stopped == (outcome.reruns > world.placement.most_reruns)
    assert sum(outcome.counts().values()) == len(world.ads)


@promise
@given(worlds(limited=True))
def test_an_account_never_prices_itself(world: World) -> None:
    for slot in world.run().slots:
        assert all(world.ad(rival).account != slot.account for rival in rivals(slot))


@promise
@given(worlds(limited=True), st.integers(0, 10**6))
def test_a_variant_of_a_product_that_has_a_slot_changes_no_price(world: World, bid: int) -> None:
    before = world.run()
    for slot in before.slots:
        variant = replace(world.ad(slot.ad), ad=10**6 + 1, bid=min(bid, slot.bid_micros) // 2)
        assert prices(replace(world, ads=(*world.ads, variant)).run()) == prices(before)


@promise
@given(worlds(limited=True))
def test_no_product_is_shown_twice_and_no_account_more_often_than_it_may(world: World) -> None:
    outcome = world.run()
    accounts = [slot.account for slot in outcome.slots]
    assert len({slot.product for slot in outcome.slots}) == len(outcome.slots)
    assert max(map(accounts.count, accounts), default=0) <= world.placement.account_limit


@promise
@given(worlds(alone=True, slots=1), st.sampled_from(SECOND_PRICE))
def test_a_sole_bidder_pays_the_reserve(world: World, rule: PriceRule) -> None:
    placement = replace(world.placement, price_rule=rule)
    for ad in world.ads:
        for slot in World((ad,), placement, world.seed).run().slots:
            assert slot.price_micros == world.reserve_of(ad)


@promise
@given(worlds(limited=True))
def test_a_bidder_without_budget_or_at_its_cap_changes_nothing(world: World) -> None:
    able = replace(world, ads=tuple(ad for ad in world.ads if ad.can_pay))
    assert prices(world.run()) == prices(able.run())
    assert all(world.ad(rival).can_pay for slot in world.run().slots for rival in rivals(slot))


@promise
@given(worlds(limited=True), st.randoms())
def test_the_order_in_which_ads_are_given_does_not_matter(world: World, random: object) -> None:
    shuffled = list(world.ads)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert prices(replace(world, ads=tuple(shuffled)).run()) == prices(world.run())


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("seeds", [range(1000), range(10**18, 10**18 + 1000)], ids=["low", "high"])
def test_equal_scores_win_equally_often_over_seeds(count: int, seeds: range) -> None:
    ads = tuple(ad_of(number, 10) for number in range(count))
    wins = [0] * count
    for seed in seeds:
        wins[World(ads, Placement((1.0,)), seed).run().slots[0].ad] += 1
    # Five standard errors of a share of 1 / count in 1,000 draws.
    bound = 5 * (1000 * (1 / count) * (1 - 1 / count)) ** 0.5
    assert all(abs(won - 1000 / count) <= bound for won in wins)


@promise
@given(random_ads(), placements(limited=True), st.integers())
def test_one_seed_gives_one_outcome(ads: tuple, placement: Placement, seed: int) -> None:
    world = World(ads, placement, seed)
    assert world.run().slots == world.run().slots
