"""Scores are expected revenue, and values that cannot be are refused by name."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.ads.auction.candidates import Candidates, PricingCode
from recsys.ads.auction.loss_reasons import LossReason
from recsys.ads.auction.placement import Placement, Reserves
from recsys.errors import DataError
from scripts.benchmarks.ads.plain_auction import CPA, CPC, CPM
from tests.ads.auction.auctions import World, ad_of, as_candidates

TWO = as_candidates([ad_of(1, 10), ad_of(2, 20)])


def test_a_score_is_the_revenue_of_a_thousand_viewed_slots_times_quality() -> None:
    ads = [
        ad_of(1, 50, attraction=0.02, quality=0.5, pricing=CPC),
        ad_of(2, 50, attraction=0.02, quality=0.5, pricing=CPM),
        ad_of(3, 50, attraction=0.02, quality=0.5, pricing=CPA, p_purchase=0.1),
    ]
    candidates = as_candidates(ads)
    expected = [50 * 1000 * 0.02 * 0.5, 50 * 0.5, 50 * 1000 * 0.02 * 0.1 * 0.5]
    assert candidates.bid_micros * candidates.weights() == pytest.approx(expected)


def test_the_reserve_is_that_of_what_an_ad_bids_for() -> None:
    candidates = as_candidates([ad_of(code, 1, pricing=code) for code in PricingCode])
    assert candidates.reserves(Reserves(cpc_micros=3, cpm_micros=4, cpa_micros=5)).tolist() == [3, 4, 5]


@pytest.mark.parametrize("attraction", [0.0, 1e-150])
def test_an_ad_that_nobody_would_click_does_not_compete_unless_it_pays_for_being_viewed(
    attraction: float,
) -> None:
    ads = (ad_of(1, 10, attraction=attraction), ad_of(2, 10, attraction=attraction, pricing=CPM))
    outcome = World(ads, Placement((1.0, 1.0)), seed=1).run()
    assert [slot.ad for slot in outcome.slots] == [2]
    assert outcome.reason(0) == LossReason.SCORE


def test_no_ads_fill_no_slot() -> None:
    outcome = World((), Placement((1.0,)), seed=1).run()
    assert (outcome.slots, outcome.counts()) == ((), {})


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("attraction", np.array([0.1]), r"attraction has shape \(1,\), ad \(2,\)"),
        ("bid_micros", np.array([1.0, 2.0]), "bid_micros is float64"),
        ("can_pay", np.array([1, 0]), "can_pay is int64"),
        ("ad", np.array([7, 7]), "ad 7 is there twice"),
        ("bid_micros", np.array([-1, 2]), "bid_micros -1 is not between 0"),
        ("bid_micros", np.array([1, 2**51 + 1]), "bid_micros 2251799813685249 is not between 0"),
        ("pricing", np.array([0, 3]), "pricing 3 is not between 0 and 2"),
        ("attraction", np.array([0.1, 1.5]), "attraction 1.5 is not between 0 and 1"),
        ("p_purchase", np.array([0.1, np.nan]), "p_purchase nan is not between 0 and 1"),
        ("quality", np.array([np.inf, 1.0]), "quality inf is not between 0"),
    ],
)
def test_what_cannot_be_is_refused_with_its_value(name: str, values: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(TWO, **{name: values})  # type: ignore[arg-type]


def test_no_probability_is_too_small_for_a_price() -> None:
    ads = (ad_of(1, 2**51, attraction=1e-90), ad_of(2, 2**50, attraction=1e-90))
    slot = World(ads, Placement((1.0,)), seed=1).run().slots[0]
    assert slot.ad == 1
    assert slot.price_micros in (2**50, 2**50 + 1)  # as equal scores are drawn


def test_candidates_of_no_ads_are_checked_too() -> None:
    empty = as_candidates([])
    assert isinstance(empty, Candidates)
    with pytest.raises(DataError, match="quality has shape"):
        replace(empty, quality=np.ones(1))
