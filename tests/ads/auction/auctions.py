"""Auctions for the tests: a few ads by hand, and random ones with many ties, variants and shared accounts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from recsys.ads.auction.auction import ReserveMoney, run_auction
from recsys.ads.auction.candidates import Candidates
from recsys.ads.auction.outcome import FilledSlot, Outcome
from recsys.ads.auction.placement import Placement, PriceRule, Reserves
from scripts.benchmarks.ads.plain_auction import CPA, CPC, CPM, PlainAd


def ad_of(number: int, bid: int, attraction: float = 0.1, **others: object) -> PlainAd:
    """A CPC ad of its own account and product, unless said otherwise."""
    plain = PlainAd(number, number, number, bid, CPC, attraction, p_purchase=0.5, quality=1.0, can_pay=True)
    return replace(plain, **others)  # type: ignore[arg-type]


def as_candidates(ads: Sequence[PlainAd]) -> Candidates:
    def whole(name: str) -> np.ndarray:
        return np.array([getattr(ad, name) for ad in ads], np.int64)

    def double(name: str) -> np.ndarray:
        return np.array([getattr(ad, name) for ad in ads], np.float64)

    return Candidates(
        ad=whole("ad"),
        account=whole("account"),
        product=whole("product"),
        bid_micros=whole("bid"),
        pricing=whole("pricing"),
        attraction=double("attraction"),
        p_purchase=double("p_purchase"),
        quality=double("quality"),
        can_pay=np.array([ad.can_pay for ad in ads], bool),
    )


@dataclass(frozen=True)
class World:
    """What one auction is given."""

    ads: tuple[PlainAd, ...]
    placement: Placement
    seed: int

    def run(self, reserve_money: ReserveMoney | None = None) -> Outcome:
        return run_auction(as_candidates(self.ads), self.placement, self.seed, reserve_money)

    def without(self, number: int) -> "World":
        return replace(self, ads=tuple(ad for ad in self.ads if ad.ad != number))

    def with_bid(self, number: int, bid: int) -> "World":
        changed = tuple(replace(ad, bid=bid) if ad.ad == number else ad for ad in self.ads)
        return replace(self, ads=changed)

    def reserve_of(self, ad: PlainAd) -> int:
        reserves = self.placement.reserves
        return (reserves.cpc_micros, reserves.cpm_micros, reserves.cpa_micros)[ad.pricing]

    def ad(self, number: int) -> PlainAd:
        return next(ad for ad in self.ads if ad.ad == number)


def prices(outcome: Outcome) -> list[tuple[int, int]]:
    """(ad, price) by slot."""
    return [(slot.ad, slot.price_micros) for slot in outcome.slots]


def rivals(slot: FilledSlot) -> set[int]:
    """The ads that set the price of a slot."""
    return {step.rival for step in slot.price_steps if step.rival is not None}


def position_of(outcome: Outcome, number: int) -> int | None:
    return next((slot.position for slot in outcome.slots if slot.ad == number), None)


def exact_cost(slot: FilledSlot, placement: Placement) -> int:
    """Examination times the price before it is rounded, in micros / 10**9."""
    viewed = placement.examination_ppb[slot.position - 1]
    return sum(round(step.share * viewed) * step.least_micros for step in slot.price_steps)


_SCALES = {CPC: 1, CPM: 10, CPA: 4}  # brings the scores of the three near each other


@st.composite
def random_ads(
    draw: st.DrawFn, most: int = 9, bids: st.SearchStrategy[int] | None = None, alone: bool = False
) -> tuple[PlainAd, ...]:
    """Up to `most` ads; `alone` gives each an account of its own."""
    found = []
    for number in draw(st.lists(st.integers(0, 10**6), max_size=most, unique=True)):
        pricing = draw(st.sampled_from([CPC, CPC, CPM, CPA]))
        found.append(
            PlainAd(
                ad=number,
                account=number if alone else draw(st.integers(0, 3)),
                product=draw(st.integers(0, 6)),
                bid=draw(st.integers(0, 12) if bids is None else bids) * _SCALES[pricing],
                pricing=pricing,
                attraction=draw(st.sampled_from([0.005, 0.01, 0.01, 0.02, 0.03])),
                p_purchase=draw(st.sampled_from([0.25, 0.5])),
                quality=draw(st.sampled_from([1.0, 1.0, 0.5, 0.7])),
                can_pay=draw(st.sampled_from([True, True, True, True, False])),
            )
        )
    return tuple(found)


@st.composite
def placements(
    draw: st.DrawFn, rules: Sequence[PriceRule] = tuple(PriceRule), slots: int = 4, limited: bool = False
) -> Placement:
    """Placements of up to `slots` slots; `limited` ones may also bound the slots of an account."""
    examination = draw(
        st.lists(st.sampled_from([1.0, 0.9, 0.61, 0.5, 1 / 3, 0.1]), min_size=1, max_size=slots)
    )
    return Placement(
        tuple(sorted(examination, reverse=True)),
        draw(st.sampled_from(list(rules))),
        Reserves(draw(st.integers(1, 3)), draw(st.integers(1, 30)), draw(st.integers(1, 12))),
        draw(st.sampled_from([None, 1, 2])) if limited else None,
        draw(st.integers(0, 3)),
    )


def worlds(
    rules: Sequence[PriceRule] = tuple(PriceRule),
    slots: int = 4,
    limited: bool = False,
    alone: bool = False,
    bids: st.SearchStrategy[int] | None = None,
) -> st.SearchStrategy[World]:
    return st.builds(
        World,
        random_ads(bids=bids, alone=alone),
        placements(rules, slots, limited),
        st.integers(-(2**70), 2**70),
    )


def purses(ads: Sequence[PlainAd], money: Sequence[int]) -> tuple[Callable[[int, int], bool], list[int]]:
    """A `reserve_money` by which each ad has an amount of money, and the list of those that were asked."""
    amounts = {ad.ad: amount for ad, amount in zip(ads, money, strict=False)}
    asked: list[int] = []

    def reserve_money(ad: int, price_micros: int) -> bool:
        asked.append(ad)
        return price_micros <= amounts[ad]

    return reserve_money, asked
