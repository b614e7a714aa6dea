"""The budget of exploration: who may be explored, what it costs at most, and what it is good for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import polygamma

from recsys.ads.exploration.draws import AdDraws
from recsys.ads.exploration.rule import ExplorationRule
from recsys.ads.exploration.warm_up import Explored, WarmUp, warm_up_spread
from recsys.ads.exploration.worlds import explored_attraction
from recsys.errors import ConfigError

SPREAD = np.array([0.5, 0.5, 0.5, 0.5])
CAMPAIGN = np.array([7, 7, 8, 9])


def spread_of(
    impressions: list[int], used: dict[int, Explored], shop: Explored, warm_up: WarmUp
) -> list[float]:
    return list(warm_up_spread(SPREAD, np.array(impressions), CAMPAIGN, used, shop, warm_up))


def test_only_new_ads_are_explored() -> None:
    found = spread_of([0, 999, 1000, 5000], {}, Explored(), WarmUp(until_impressions=1000))
    assert found == [0.5, 0.5, 0.0, 0.0]


def test_a_campaign_that_used_its_share_is_explored_no_further() -> None:
    """5% of 10,000 and the first 100 are 600."""
    warm_up = WarmUp(share=0.05, first=100)
    used = {7: Explored(10_000, 600), 8: Explored(10_000, 599)}
    assert spread_of([0] * 4, used, Explored(10**6, 0), warm_up) == [0.0, 0.0, 0.5, 0.5]


def test_where_the_shop_used_its_share_nothing_is_explored() -> None:
    assert spread_of([0] * 4, {}, Explored(1000, 150), WarmUp(share=0.05, first=100)) == [0.0] * 4


def test_without_a_share_and_a_first_nothing_is_explored() -> None:
    assert spread_of([0] * 4, {}, Explored(10**9, 0), WarmUp(share=0, first=0)) == [0.0] * 4


@pytest.mark.parametrize("wrong", [{"share": 1.1}, {"share": -0.1}, {"first": -1}, {"until_impressions": -1}])
def test_a_budget_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        WarmUp(**wrong)  # type: ignore[arg-type]


RATE = np.array([0.05] * 5 + [0.10])  # the last is new, and twice as good as the others


def campaign_of_a_new_ad(
    rule: ExplorationRule, warm_up: WarmUp, requests: int, seed: int
) -> tuple[int, int, int]:
    """Clicks, impressions of the new ad and explored impressions; one slot, equal bids, Beta beliefs."""
    rng = np.random.default_rng(seed)
    seen, clicks = np.array([2000.0] * 5 + [0.0]), np.array([100.0] * 5 + [0.0])
    total, used = 0, Explored()
    for request in range(requests):
        a, b = clicks + 0.8, seen - clicks + 19.2  # a prior of 20 impressions at 4%
        attraction, spread = a / (a + b), np.sqrt(polygamma(1, a) + polygamma(1, b))
        kept = warm_up_spread(spread, seen.astype(int), np.arange(6), {5: used}, used, warm_up)
        draws = AdDraws(seed * 10**6 + request, np.arange(6))
        taken, _ = explored_attraction(attraction, kept, draws, rule)
        shown = int(np.argmax(taken))
        explored = shown != int(np.argmax(attraction))
        used = Explored(used.total + 1, used.explored + explored)
        clicked = rng.random() < RATE[shown]
        seen[shown] += 1
        clicks[shown] += clicked
        total += clicked
    return total, int(seen[5]), used.explored


def test_without_exploration_a_good_new_ad_is_never_seen() -> None:
    _, seen, explored = campaign_of_a_new_ad(ExplorationRule(), WarmUp(first=0), 300, seed=1)
    assert seen == 0
    assert explored == 0


@pytest.mark.parametrize("by", ["upper", "thompson"])
def test_with_it_the_ad_is_found_and_clicks_rise(by: str) -> None:
    """800 requests at 5% are 40 clicks; at 10% they would be 80."""
    rule = ExplorationRule(by, share=0.3)  # type: ignore[arg-type]
    totals = [campaign_of_a_new_ad(rule, WarmUp(share=0.3, first=50), 800, seed) for seed in range(4)]
    assert np.mean([clicks for clicks, _, _ in totals]) > 50
    assert np.mean([seen for _, seen, _ in totals]) > 250


@settings(max_examples=20, deadline=None)
@given(
    share=st.floats(0, 0.3),
    first=st.integers(0, 30),
    seed=st.integers(0, 1000),
    by=st.sampled_from(["upper", "thompson"]),
)
def test_explored_impressions_stay_within_the_budget(share: float, first: int, seed: int, by: str) -> None:
    rule = ExplorationRule(by, deviations=3.0, share=0.9)  # type: ignore[arg-type]
    _, _, explored = campaign_of_a_new_ad(rule, WarmUp(share, first), 120, seed)
    assert explored <= share * 120 + first + 1  # the last one may pass it by itself
