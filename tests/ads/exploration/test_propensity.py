"""Propensities: exact where they are said to be, and what off-policy estimates make of them."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from recsys.ads.auction.auction import run_auction
from recsys.ads.auction.candidates import Candidates
from recsys.ads.auction.placement import Placement, PriceRule
from recsys.ads.exploration.draws import AdDraws
from recsys.ads.exploration.propensity import (
    expected_weight,
    explored_slots,
    replay_auction,
    slot_chances,
    slot_propensities,
)
from recsys.ads.exploration.rule import ExplorationRule
from recsys.ads.exploration.worlds import Worlds, explored_attraction
from recsys.arrays import DoubleArray
from recsys.evaluation.off_policy.estimators import inverse_propensity
from recsys.evaluation.off_policy.intervals import analytic_estimate
from recsys.evaluation.off_policy.log import policy_log
from recsys.evaluation.off_policy.policies import TargetPolicy
from recsys.evaluation.off_policy.weights import importance_weights
from tests.ads.auction.auctions import ad_of, as_candidates

PLACEMENT = Placement((1.0, 0.6), PriceRule.GSP)
# Two variants of one product and two ads of one account: the slots are not simply the best scores.
ADS = [
    ad_of(0, 400_000, 0.10),
    ad_of(1, 380_000, 0.10, product=0),
    ad_of(2, 300_000, 0.11),
    ad_of(3, 300_000, 0.08),
    ad_of(4, 280_000, 0.09, account=3),
]
EXPECTED = np.array([ad.attraction for ad in ADS])
SPREAD = np.array([0.0, 0.3, 0.2, 0.6, 0.6])
SEED = 11


def one_request(seed: int, rule: ExplorationRule) -> tuple[list[int], tuple[float, ...], Worlds]:
    used, worlds = explored_attraction(EXPECTED, SPREAD, AdDraws(seed, np.arange(5)), rule)
    shown = won(used)
    return shown, slot_propensities(worlds, shown, REPLAY), worlds


def won(attraction: DoubleArray) -> list[int]:
    values = {name: getattr(CANDIDATES, name) for name in CANDIDATES.__dataclass_fields__}
    outcome = run_auction(Candidates(**(values | {"attraction": attraction})), PLACEMENT, SEED)
    return [slot.row for slot in outcome.slots]


CANDIDATES = as_candidates(ADS)
REPLAY = replay_auction(CANDIDATES, PLACEMENT, SEED)


@pytest.mark.parametrize("seed", range(30))
def test_a_replay_has_the_winners_of_the_auction(seed: int) -> None:
    attraction = np.random.default_rng(seed).uniform(0, 0.3, 5)
    assert list(REPLAY(attraction)) == won(attraction)


def test_who_was_refused_its_money_stays_out_of_every_replay() -> None:
    outcome = run_auction(CANDIDATES, PLACEMENT, SEED, lambda ad, price: ad != 0)
    replay = replay_auction(CANDIDATES, PLACEMENT, SEED, unable=[0])
    assert [slot.row for slot in outcome.slots] == list(replay(EXPECTED)) != list(REPLAY(EXPECTED))


def test_without_exploration_the_propensity_is_one_and_nothing_is_replayed() -> None:
    def never(attraction: DoubleArray) -> list[int]:
        raise AssertionError

    _, worlds = explored_attraction(EXPECTED, SPREAD, AdDraws(1, np.arange(5)), ExplorationRule())
    assert slot_propensities(worlds, [0, 2], never) == (1.0, 1.0)


def test_by_upper_the_logged_propensity_is_the_share_of_requests_in_which_the_ad_has_the_slot() -> None:
    rule = ExplorationRule("upper", deviations=1.0, share=0.3)
    requests = [one_request(seed, rule) for seed in range(3000)]
    counts = Counter((slot, row) for shown, _, _ in requests for slot, row in enumerate(shown))
    logged = {
        (slot, row): p
        for shown, propensities, _ in requests
        for slot, (row, p) in enumerate(zip(shown, propensities, strict=True))
    }
    assert len({p for p in logged.values()}) > 1
    for key, propensity in logged.items():
        assert counts[key] / 3000 == pytest.approx(propensity, abs=0.03)


def test_by_thompson_the_mean_of_inverse_propensities_is_that_of_the_formula() -> None:
    """Of an ad that wins with probability q: q x mean(1 / propensity) = 1 - (1 - q)^draws."""
    rule = ExplorationRule("thompson", draws=4)
    requests = [one_request(seed, rule) for seed in range(3000)]
    first = np.array([shown[0] for shown, _, _ in requests])
    weight = np.array([1 / propensities[0] for _, propensities, _ in requests])
    for row in np.unique(first):
        q = float((first == row).mean())
        assert q * weight[first == row].mean() == pytest.approx(expected_weight(q, 4), abs=0.1)
    assert expected_weight(0.25, 4) == pytest.approx(1 - 0.75**4)


Choice = Callable[[DoubleArray], int]


@pytest.mark.parametrize(
    "rule",
    [ExplorationRule("upper", share=0.3), ExplorationRule("thompson", draws=24)],
    ids=lambda rule: rule.by,
)
def test_ips_with_the_logged_propensities_is_right_in_19_of_20_logs(rule: ExplorationRule) -> None:
    """The value of never exploring, from a log that explored; the truth is the click rate of its winner."""
    truth = np.array([0.10, 0.14, 0.09, 0.16, 0.05])
    greedy = won(EXPECTED)[0]
    requests = [one_request(seed, rule) for seed in range(800)]
    shown = np.array([rows[0] for rows, _, _ in requests])
    propensity = np.array([propensities[0] for _, propensities, _ in requests])
    assert 0.2 < (shown == greedy).mean() < 0.95
    inside = 0
    for turn in range(200):
        rng = np.random.default_rng(turn)
        picked = rng.integers(0, len(shown), len(shown))
        arm, p = shown[picked], propensity[picked]
        clicked = (rng.random(len(arm)) < truth[arm]).astype(np.float64)
        log = policy_log([str(each) for each in arm.tolist()], clicked, p)
        target = TargetPolicy(
            "greedy", np.tile(np.array(log.arms) == str(greedy), (len(arm), 1)).astype(float)
        )
        estimate = analytic_estimate(inverse_propensity(log, importance_weights(log, target)), log.unit)
        inside += abs(estimate.value - truth[greedy]) <= 2 * estimate.standard_error
    assert inside >= 0.9 * 200  # 95% +- 3 standard errors of 1.5%, and the same propensities in all logs


def test_the_chance_of_a_slot_is_that_of_its_item_whichever_ad_shows_it() -> None:
    """Ads 0 and 3 show one item: where either of them has the slot, the user sees the same."""
    of_four = EXPECTED + np.array([0, 0, 0, 0.3, 0])
    worlds = Worlds(np.stack([EXPECTED, EXPECTED[::-1], of_four]), np.full(3, 1 / 3), 0)
    firsts = [won(each)[0] for each in worlds.attractions]
    assert firsts == [0, 0, 3]
    alone, shared = (
        slot_chances(worlds, CANDIDATES, PLACEMENT, SEED, won(EXPECTED), items=items)
        for items in (None, ["a", "b", "c", "a", "e"])
    )
    assert alone[0].propensity == pytest.approx(2 / 3)
    assert shared[0].propensity == pytest.approx(1)


def test_explored_slots_are_those_of_ads_that_would_have_none() -> None:
    expected = won(EXPECTED)
    assert explored_slots(EXPECTED, expected, REPLAY) == (False, False)
    assert explored_slots(EXPECTED, [expected[1], 3], REPLAY) == (False, True)


def test_prices_are_those_of_the_attraction_that_was_used() -> None:
    """Ad 3 of .2 instead of .08 keeps its slot with any bid above 40,000 / .2 = 200,000, which it pays."""
    used = np.array([0.10, 0.0, 0.0, 0.2, 0.0])
    values = {name: getattr(CANDIDATES, name) for name in CANDIDATES.__dataclass_fields__}
    outcome = run_auction(
        Candidates(**(values | {"attraction": used})), Placement((1.0,), PriceRule.GSP), SEED
    )
    assert [(slot.row, slot.price_micros) for slot in outcome.slots] in ([(3, 200_000)], [(3, 200_001)])
