"""The four estimators by visible arithmetic, by properties, and by figures of Open Bandit Pipeline."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.arrays import DoubleArray
from recsys.evaluation.off_policy.estimators import (
    RatioOfSums,
    direct_method,
    doubly_robust,
    inverse_propensity,
    logged_value,
    policy_prediction,
    self_normalised,
)
from recsys.evaluation.off_policy.log import PolicyLog, policy_log
from recsys.evaluation.off_policy.outcome_model import fit_outcome_model
from recsys.evaluation.off_policy.policies import TargetPolicy
from recsys.evaluation.off_policy.simulated import simulate_log, simulated_world
from recsys.evaluation.off_policy.weights import importance_weights
from tests.evaluation.off_policy.random_logs import logs

Case = tuple[PolicyLog, TargetPolicy, TargetPolicy]


@pytest.fixture
def twelve() -> tuple[PolicyLog, TargetPolicy, DoubleArray]:
    """Four rows of each of three arms, with 2, 3 and 1 clicks; weights .2 / .5, .3 / .25 and .5 / .25."""
    clicks = np.array([1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1, 1.0])
    log = policy_log(list("abc") * 4, clicks, np.array([0.5, 0.25, 0.25] * 4))
    return log, TargetPolicy("t", np.tile([0.2, 0.3, 0.5], (12, 1))), np.tile([0.4, 0.6, 0.2], (12, 1))


def four(log: PolicyLog, policy: TargetPolicy, predicted: DoubleArray) -> list[float]:
    """IPS, SNIPS, direct method and doubly robust, by given predictions."""
    weights = importance_weights(log, policy)
    return [
        inverse_propensity(log, weights).value,
        self_normalised(log, weights).value,
        float(policy_prediction(policy, predicted).mean()),
        doubly_robust(log, policy, weights, predicted).value,
    ]


def test_the_four_estimates_of_twelve_rows(twelve: tuple[PolicyLog, TargetPolicy, DoubleArray]) -> None:
    clicks = 2 * 0.4 + 3 * 1.2 + 1 * 2.0
    weights = 4 * (0.4 + 1.2 + 2.0)
    expected = 0.2 * 0.4 + 0.3 * 0.6 + 0.5 * 0.2
    missed = 0.4 * (2 - 4 * 0.4) + 1.2 * (3 - 4 * 0.6) + 2.0 * (1 - 4 * 0.2)
    assert four(*twelve) == pytest.approx([clicks / 12, clicks / weights, expected, expected + missed / 12])


# The next two have figures of Open Bandit Pipeline 0.4.1 for the same arms, outcomes, propensities, target
# and predictions, computed once in an environment of its own: `estimate_policy_value` of its classes
# InverseProbabilityWeighting, SelfNormalizedInverseProbabilityWeighting, DirectMethod and DoublyRobust.


def test_twelve_rows_agree_with_open_bandit_pipeline(
    twelve: tuple[PolicyLog, TargetPolicy, DoubleArray],
) -> None:
    assert four(*twelve) == pytest.approx([0.5333333333, 0.4444444444, 0.36, 0.4666666667], abs=1e-9)


def test_ten_thousand_rows_agree_with_open_bandit_pipeline() -> None:
    log, policy = simulate_log(simulated_world(), 10_000, np.random.default_rng(7))
    first, second = log.features[:, :1], log.features[:, 1:]
    predicted = np.clip(0.3 + 0.2 * first * np.array([1, -1, 1, -1]) + 0.1 * second, 0, 1)
    assert log.outcome.sum() == 3246, "numpy draws other numbers now: the figures below are of another log"
    assert four(log, policy, predicted) == pytest.approx(
        [0.4714280995146319, 0.46870154777450346, 0.2636489355842784, 0.47142922604718623], abs=1e-12
    )


@given(logs())
@settings(max_examples=60, deadline=None)
def test_the_policy_that_wrote_the_log_is_worth_the_plain_mean(case: Case) -> None:
    log, behaviour, _ = case
    weights = importance_weights(log, behaviour)
    assert weights == pytest.approx(1.0)
    for ratio in (inverse_propensity(log, weights), self_normalised(log, weights)):
        assert ratio.value == pytest.approx(log.outcome.mean())
        assert ratio.value == pytest.approx(logged_value(log).value)


@given(logs(), st.floats(0.01, 100))
@settings(max_examples=60, deadline=None)
def test_snips_does_not_change_if_all_weights_are_scaled(case: Case, scale: float) -> None:
    log, _, target = case
    weights = importance_weights(log, target)
    assert self_normalised(log, scale * weights).value == pytest.approx(self_normalised(log, weights).value)
    assert inverse_propensity(log, scale * weights).value == pytest.approx(
        scale * inverse_propensity(log, weights).value
    )


@given(logs())
@settings(max_examples=60, deadline=None)
def test_snips_never_leaves_the_outcomes_that_were_seen(case: Case) -> None:
    log, _, target = case
    value = self_normalised(log, importance_weights(log, target)).value
    assert log.outcome.min() - 1e-9 <= value <= log.outcome.max() + 1e-9


@given(logs(), st.floats(-50, 50))
@settings(max_examples=60, deadline=None)
def test_snips_and_doubly_robust_move_with_the_outcomes(case: Case, shift: float) -> None:
    log, _, target = case
    predicted = np.random.default_rng(0).normal(size=(len(log), len(log.arms)))
    weights = importance_weights(log, target)
    moved = policy_log(
        [log.arms[arm] for arm in log.arm], log.outcome + shift, log.propensity, log.unit.tolist()
    )
    assert self_normalised(moved, weights).value == pytest.approx(self_normalised(log, weights).value + shift)
    assert doubly_robust(moved, target, weights, predicted + shift).value == pytest.approx(
        doubly_robust(log, target, weights, predicted).value + shift
    )


@given(logs())
@settings(max_examples=60, deadline=None)
def test_doubly_robust_with_a_perfect_model_is_the_truth_whatever_the_propensities(case: Case) -> None:
    """Outcomes without noise: a row's outcome is that of its arm, and the model knows all of them."""
    log, _, target = case
    true = np.random.default_rng(1).normal(size=(len(log), len(log.arms)))
    wrong = np.random.default_rng(2).uniform(0.05, 1, len(log))
    exact = policy_log(
        [log.arms[arm] for arm in log.arm], true[np.arange(len(log)), log.arm], wrong, log.unit.tolist()
    )
    value = doubly_robust(exact, target, importance_weights(exact, target), true).value
    assert value == pytest.approx(float((target.probabilities * true).sum(axis=1).mean()))


@given(logs())
@settings(max_examples=60, deadline=None)
def test_doubly_robust_with_a_model_that_says_nothing_is_ips(case: Case) -> None:
    log, _, target = case
    weights = importance_weights(log, target)
    nothing = np.zeros((len(log), len(log.arms)))
    assert doubly_robust(log, target, weights, nothing).value == pytest.approx(
        inverse_propensity(log, weights).value
    )


@given(logs())
@settings(max_examples=60, deadline=None)
def test_an_estimate_is_pulled_by_its_rows_by_nothing_in_total(case: Case) -> None:
    log, _, target = case
    ratio: RatioOfSums = self_normalised(log, importance_weights(log, target))
    assert ratio.influence.sum() == pytest.approx(0, abs=1e-9)


def test_the_direct_method_says_what_its_model_says_and_knows_that_the_model_is_estimated() -> None:
    log, policy = simulate_log(simulated_world(), 2_000, np.random.default_rng(5))
    model = fit_outcome_model(log)
    ratio, plain = direct_method(log, policy, model), policy_prediction(policy, model.predicted)
    assert ratio.value == pytest.approx(float(plain.mean()))
    assert ratio.above.std() > 2 * plain.std()
