"""The attraction that a request uses, and what it could have been."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from recsys.ads.exploration.draws import AdDraws
from recsys.ads.exploration.rule import ExplorationRule
from recsys.ads.exploration.worlds import explored_attraction
from recsys.errors import ConfigError, DataError

ATTRACTION = np.array([0.1, 0.2, 0.0, 1.0, 0.05])
SPREAD = np.array([0.0, 0.5, 0.0, 0.0, 1.0])
RULES = [ExplorationRule("upper"), ExplorationRule("thompson")]


def draws(seed: int, ad: list[int] | None = None) -> AdDraws:
    return AdDraws(seed, np.array(ad or [3, 1, 4, 15, 9]))


def test_without_a_rule_nothing_changes_and_every_chance_is_one() -> None:
    used, worlds = explored_attraction(ATTRACTION, SPREAD, draws(1), ExplorationRule())
    assert used is ATTRACTION
    assert len(worlds) == 1
    assert worlds.chances.tolist() == [1.0]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.by)
def test_an_ad_that_is_certain_keeps_its_attraction_to_the_last_digit(rule: ExplorationRule) -> None:
    for seed in range(20):
        used, worlds = explored_attraction(ATTRACTION, SPREAD, draws(seed), rule)
        certain = SPREAD == 0
        assert (worlds.attractions[:, certain] == ATTRACTION[certain]).all()
        assert (used == worlds.attractions[worlds.used]).all()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.by)
def test_where_all_is_certain_nothing_is_explored(rule: ExplorationRule) -> None:
    used, worlds = explored_attraction(ATTRACTION, np.zeros(5), draws(1), rule)
    assert used is ATTRACTION
    assert len(worlds) == 1


def test_a_share_of_requests_takes_the_upper_bound() -> None:
    """Log-odds of .2 and 2 spreads of .5 above: sigmoid(logit(.2) + 1) = .4046."""
    rule = ExplorationRule("upper", deviations=2.0, share=0.25)
    found = [explored_attraction(ATTRACTION, SPREAD, draws(seed), rule)[0][1] for seed in range(2000)]
    assert sorted({round(float(each), 4) for each in found}) == [0.2, 0.4046]
    assert np.mean(np.array(found) > 0.3) == pytest.approx(0.25, abs=0.03)


def test_draws_have_the_log_odds_that_are_expected_and_the_spread_that_is_believed() -> None:
    rule = ExplorationRule("thompson", draws=2)
    found = logit([explored_attraction(ATTRACTION, SPREAD, draws(seed), rule)[0] for seed in range(2000)])
    assert found[:, 1].mean() == pytest.approx(logit(0.2), abs=0.04)
    assert found[:, 1].std() == pytest.approx(0.5, abs=0.03)
    assert found[:, 4].std() == pytest.approx(1.0, abs=0.06)
    assert abs(np.corrcoef(found[:, 1], found[:, 4])[0, 1]) < 0.07  # one ad's draw says nothing of another's


@settings(deadline=None)
@given(seed=st.integers(0, 2**64 - 1), leaves=st.integers(0, 4), rule=st.sampled_from(RULES))
def test_an_ads_draw_does_not_change_when_another_one_leaves(
    seed: int, leaves: int, rule: ExplorationRule
) -> None:
    rest = [place for place in range(5) if place != leaves]
    ads = draws(seed).ad
    used, _ = explored_attraction(ATTRACTION, SPREAD, AdDraws(seed, ads), rule)
    fewer, worlds = explored_attraction(ATTRACTION[rest], SPREAD[rest], AdDraws(seed, ads[rest]), rule)
    assert len(worlds) > 1
    np.testing.assert_array_equal(used[rest], fewer)


@settings(deadline=None)
@given(
    attraction=st.lists(st.floats(0, 1), min_size=1, max_size=6),
    spread=st.floats(0, 50),
    seed=st.integers(0, 2**63),
    rule=st.sampled_from(RULES),
)
def test_attractions_stay_probabilities(
    attraction: list[float], spread: float, seed: int, rule: ExplorationRule
) -> None:
    ads = AdDraws(seed, np.arange(len(attraction)))
    used, worlds = explored_attraction(np.array(attraction), np.full(len(attraction), spread), ads, rule)
    assert ((worlds.attractions >= 0) & (worlds.attractions <= 1)).all()
    assert used.shape == (len(attraction),)
    assert worlds.chances.sum() == pytest.approx(1)


def test_uniform_numbers_of_neighbouring_requests_share_nothing() -> None:
    first = np.array([draws(seed).normals(2)[0] for seed in range(200)])
    second = np.array([draws(seed).normals(2)[1] for seed in range(200)])
    assert not np.isin(first, second).any()
    assert len(np.unique(first)) == first.size


def test_the_upper_bound_is_above_what_is_expected() -> None:
    _, worlds = explored_attraction(ATTRACTION, SPREAD, draws(0), ExplorationRule("upper"))
    assert worlds.attractions[1].tolist() == pytest.approx(
        [0.1, expit(logit(0.2) + 0.5), 0, 1, 0.1252], abs=1e-4
    )


@pytest.mark.parametrize("spread", [-0.1, np.nan, np.inf])
def test_a_spread_that_is_none_is_refused(spread: float) -> None:
    with pytest.raises(DataError, match="is not 0 or more"):
        explored_attraction(np.array([0.1]), np.array([spread]), draws(0, [1]), ExplorationRule())


@pytest.mark.parametrize(
    "wrong",
    [{"by": "chance"}, {"share": 0.0}, {"share": 1.0}, {"draws": 1}, {"draws": 1000}, {"deviations": 0.0}],
)
def test_a_rule_out_of_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ExplorationRule(**wrong)  # type: ignore[arg-type]
