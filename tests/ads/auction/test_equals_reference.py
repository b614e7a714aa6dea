"""The auction against three oracles: plain Python, a search for the least bids, and VCG by its definition."""

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.ads.auction.placement import Placement, PriceRule
from scripts.benchmarks.ads.plain_auction import PlainAd, plain_auction
from tests.ads.auction.auctions import World, position_of, purses, random_ads, worlds

SIZES = st.one_of(
    st.integers(0, 12), st.integers(0, 2**47)
)  # CPM bids are 10 times that, and 2**51 is the most


@settings(max_examples=200, deadline=None)
@given(worlds(limited=True, bids=SIZES), st.lists(st.integers(0, 2000), min_size=9, max_size=9))
def test_plain_python_gives_the_same_slots_prices_and_reasons(world: World, money: list[int]) -> None:
    theirs, their_asked = purses(world.ads, money)
    ours, our_asked = purses(world.ads, money)
    slots, reasons = plain_auction(list(world.ads), world.placement, world.seed, theirs)
    outcome = world.run(ours)
    found = [(slot.ad, slot.price_micros, slot.held_micros, slot.next_ad) for slot in outcome.slots]
    assert found == [(slot.ad, slot.price, slot.held, slot.next_ad) for slot in slots]
    assert our_asked == their_asked
    for row, ad in enumerate(world.ads):
        assert outcome.reason(row).name == reasons.get(ad.ad, "NONE")


@settings(max_examples=60, deadline=None)
@given(worlds([PriceRule.GSP, PriceRule.VCG], limited=True))
def test_prices_are_made_of_the_least_bids_that_win_a_slot_or_a_better_one(world: World) -> None:
    """Each bid from the reserve up is tried, without the winner's other ads of lower rank."""
    outcome = world.run()
    numbers = [slot.ad for slot in outcome.slots]
    for slot in outcome.slots:
        alone = world
        for ad in world.ads:
            above = ad.ad in numbers[: slot.position]
            if ad.account == slot.account and not above:
                alone = alone.without(ad.ad)
        lowest = world.reserve_of(world.ad(slot.ad))

        def least(position: int, at: World = alone, ad: int = slot.ad, lowest: int = lowest) -> int:
            for bid in range(lowest, world.ad(ad).bid + 1):
                found = position_of(at.with_bid(ad, bid).run(), ad)
                if found is not None and found <= position:
                    return bid
            raise AssertionError("not even its own bid wins the slot")

        if world.placement.price_rule is PriceRule.GSP:
            assert slot.price_micros == least(slot.position)
            continue
        viewed = [*world.placement.examination_ppb[slot.position - 1 :], 0]
        parts = [viewed[i] - viewed[i + 1] for i in range(len(viewed) - 1)]
        cost = sum(part * least(slot.position + step) for step, part in enumerate(parts))
        assert slot.price_micros == cost // viewed[0]


def best_welfare(ads: tuple[PlainAd, ...], examination: tuple[float, ...]) -> float:
    """The most that slots are worth together, of all ways to fill them with ads of unlike products."""
    best = 0.0
    for count in range(min(len(ads), len(examination)) + 1):
        for shown in permutations(ads, count):
            if len({ad.product for ad in shown}) == count:
                worth = sum(x * ad.bid * ad.weight for x, ad in zip(examination, shown, strict=False))
                best = max(best, worth)
    return best


@settings(max_examples=200, deadline=None)
@given(random_ads(most=6), st.lists(st.sampled_from([1.0, 0.7, 0.5, 0.2]), min_size=1, max_size=3))
def test_under_vcg_an_account_pays_what_the_others_would_have_gained_without_it(
    ads: tuple[PlainAd, ...], examination: list[float]
) -> None:
    """To within a micro an event, by which the least bids are rounded up and the price down."""
    able = tuple(ad for ad in ads if ad.can_pay)
    placement = Placement(tuple(sorted(examination, reverse=True)), PriceRule.VCG)
    outcome = World(able, placement, seed=1).run()
    of = {ad.ad: ad for ad in able}
    viewed = {slot.ad: placement.examination[slot.position - 1] for slot in outcome.slots}
    for account in {slot.account for slot in outcome.slots}:
        own = [slot for slot in outcome.slots if slot.account == account]
        paid = sum(viewed[slot.ad] * of[slot.ad].weight * slot.price_micros for slot in own)
        rounding = sum(viewed[slot.ad] * of[slot.ad].weight for slot in own)
        others = sum(viewed[n] * of[n].weight * of[n].bid for n in viewed if of[n].account != account)
        without = best_welfare(tuple(ad for ad in able if ad.account != account), placement.examination)
        assert without - others - rounding - 1e-6 <= paid <= without - others + rounding + 1e-6
