"""Outcome models: no row is predicted by a model that saw its unit, and arms with few rows are held back."""

import numpy as np
import pytest
from hypothesis import given, settings

from recsys.errors import ConfigError
from recsys.evaluation.off_policy.log import PolicyLog, policy_log
from recsys.evaluation.off_policy.outcome_model import check_model_size, fit_outcome_model
from recsys.evaluation.off_policy.policies import TargetPolicy
from tests.evaluation.off_policy.random_logs import logs


@given(logs())
@settings(max_examples=30, deadline=None)
def test_a_row_is_never_predicted_by_a_model_that_saw_its_unit(
    case: tuple[PolicyLog, TargetPolicy, TargetPolicy],
) -> None:
    """Another outcome of one unit changes no prediction of its own rows."""
    log = case[0]
    other = log.outcome.copy()
    mine = log.unit == log.unit[0]
    other[mine] = np.where(log.binary, 1 - other[mine], other[mine] + 100)
    changed = policy_log(
        [log.arms[arm] for arm in log.arm], other, log.propensity, log.unit.tolist(), log.features
    )
    before, after = fit_outcome_model(log), fit_outcome_model(changed)
    assert before.predicted[mine] == pytest.approx(after.predicted[mine])
    assert len(np.unique(before.fold[mine])) == 1


def test_outcomes_of_0_and_1_are_logistic_and_others_linear() -> None:
    arms, propensity = list("ab" * 10), np.full(20, 0.5)
    clicks, money = np.tile([0.0, 1.0, 1.0, 0.0], 5), np.arange(20.0)
    assert fit_outcome_model(policy_log(arms, clicks, propensity)).kind == "logistic"
    assert fit_outcome_model(policy_log(arms, money, propensity)).kind == "linear"


def test_a_linear_outcome_is_learned_for_each_arm() -> None:
    rng = np.random.default_rng(0)
    x, arm = rng.normal(size=4_000), rng.integers(0, 2, 4_000)
    outcome = np.where(arm == 0, 10 + 3 * x, 20 - 2 * x)
    log = policy_log([str(each) for each in arm], outcome, np.full(4_000, 0.5), None, x[:, None])
    predicted = fit_outcome_model(log).predicted
    assert predicted[:, 0] == pytest.approx(10 + 3 * x, abs=0.1)
    assert predicted[:, 1] == pytest.approx(20 - 2 * x, abs=0.1)


def test_an_arm_of_one_row_is_predicted_near_the_mean_of_all() -> None:
    """With as much penalty as one row says: half way between 1 and the mean of all in log-odds, at most."""
    outcome = np.array([1.0] + [1.0, 0.0, 0.0, 0.0] * 25)
    log = policy_log(["rare"] + ["often"] * 100, outcome, np.full(101, 0.5))
    rare = fit_outcome_model(log).predicted[:, log.arms.index("rare")]
    assert rare.max() < 0.5
    assert rare.min() == pytest.approx(0.25, abs=0.02)


def test_folds_are_no_more_than_units() -> None:
    log = policy_log(list("abab"), np.array([1.0, 0, 1, 0]), np.full(4, 0.5), [0, 0, 1, 1])
    assert sorted(fit_outcome_model(log, folds=5).fold.tolist()) == [0, 0, 1, 1]


def test_one_fold_cannot_be_cross_fitted() -> None:
    log = policy_log(list("ab"), np.zeros(2), np.full(2, 0.5))
    with pytest.raises(ConfigError, match="1 folds cannot be cross-fitted"):
        fit_outcome_model(log, folds=1)


def test_as_many_arms_as_rows_are_refused_before_anything_is_allocated() -> None:
    rows = 20_000
    log = policy_log([str(row) for row in range(rows)], np.zeros(rows), np.full(rows, 0.5))
    with pytest.raises(ConfigError, match="20000 rows of 20000 arms with 0 features are too much"):
        check_model_size(log)
