"""Intervals: by formula and by resampling, which agree where there are many units."""

import numpy as np
import pytest
from scipy import stats

from recsys.evaluation.off_policy.estimators import RatioOfSums
from recsys.evaluation.off_policy.intervals import (
    Estimate,
    analytic_estimate,
    bootstrap_draws,
    bootstrap_estimate,
)


def mean_of(values: np.ndarray) -> RatioOfSums:
    return RatioOfSums(values, np.ones(len(values)))


def test_the_interval_of_a_mean_is_students() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = analytic_estimate(mean_of(values), np.arange(4))
    expected = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.value == 4.0


def test_rows_of_one_unit_count_once() -> None:
    values, unit = np.random.default_rng(0).normal(size=50), np.arange(50)
    once = analytic_estimate(mean_of(values), unit)
    thrice = analytic_estimate(mean_of(np.repeat(values, 3)), np.repeat(unit, 3))
    assert thrice.standard_error == pytest.approx(once.standard_error)


def test_a_difference_on_the_same_rows_knows_that_they_are_the_same() -> None:
    values, unit = np.random.default_rng(0).normal(size=50), np.arange(50)
    found = analytic_estimate(mean_of(values + 0.1), unit, mean_of(values))
    assert (found.value, found.standard_error) == pytest.approx((0.1, 0.0))


def test_with_many_units_resampling_and_formula_agree() -> None:
    rng = np.random.default_rng(3)
    below = rng.uniform(0.5, 1.5, 3_000)
    ratio, unit = RatioOfSums(below * rng.normal(2.0, 1.0, 3_000), below), np.arange(3_000) // 3
    formula = analytic_estimate(ratio, unit)
    draws = bootstrap_draws([ratio], unit, 4_000)[0]
    assert draws.std() == pytest.approx(formula.standard_error, rel=0.05)
    resampled = bootstrap_estimate(formula, draws)
    assert (resampled.low, resampled.high) == pytest.approx((formula.low, formula.high), abs=0.005)
    assert (formula.method, resampled.method) == ("analytic", "bootstrap")


def test_resamples_are_of_whole_units_and_repeat_with_the_seed() -> None:
    """Two units of means 0 and 1: a resample has both, twice the first or twice the second."""
    ratio, unit = mean_of(np.array([0.0, 0.0, 1.0, 1.0])), np.array([0, 0, 1, 1])
    draws = bootstrap_draws([ratio, ratio], unit, 400)
    assert set(draws.ravel().tolist()) == {0.0, 0.5, 1.0}
    assert draws[0].tolist() == draws[1].tolist()
    assert draws.tolist() == bootstrap_draws([ratio, ratio], unit, 400).tolist()
    assert draws.tolist() != bootstrap_draws([ratio, ratio], unit, 400, seed=1).tolist()


def test_a_resample_without_weight_is_left_out() -> None:
    ratio = RatioOfSums(np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    draws = bootstrap_draws([ratio], np.arange(2), 100)[0]
    assert np.isnan(draws).any()
    found = bootstrap_estimate(Estimate(1.0, 0.1, 0.8, 1.2, "analytic"), draws)
    assert (found.low, found.high) == (1.0, 1.0)
