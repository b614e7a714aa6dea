"""Ridge and logistic regression: what their equations say, and how they end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from recsys.evaluation.off_policy.regression import fit_logistic, fit_ridge, sigmoid


def test_ridge_solves_its_equation() -> None:
    """min (0 - b)^2 / 2 + (2 - b)^2 / 2 + 2 / 2 x b^2: 4 b = 2."""
    found = fit_ridge(np.ones((2, 1)), np.array([0.0, 2.0]), centre=0.0, penalty=2.0)
    assert found.coefficients.tolist() == [0.5]
    assert found.mean(np.ones((1, 1))).tolist() == [0.5]


@pytest.mark.parametrize("fit", [fit_ridge, fit_logistic])
def test_without_rows_the_intercept_is_the_centre(fit: type) -> None:
    found = fit(np.zeros((0, 3)), np.zeros(0), centre=-1.5, penalty=1.0)
    assert found.coefficients.tolist() == [-1.5, 0, 0]


def test_logistic_regression_finds_the_least_of_its_loss() -> None:
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(200), rng.normal(size=(200, 2))])
    outcome = (rng.random(200) < sigmoid(design @ np.array([-1.0, 2.0, 0.5]))).astype(np.float64)

    def loss(at: np.ndarray) -> float:
        scores = design @ at
        away = at - np.array([-0.3, 0, 0])
        return float(np.logaddexp(0, scores).sum() - outcome @ scores + 0.5 * away @ away)

    best = optimize.minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-8})
    found = fit_logistic(design, outcome, centre=-0.3, penalty=1.0)
    assert found.coefficients == pytest.approx(best.x, abs=1e-5)
    assert found.slope(design) == pytest.approx(found.mean(design) * (1 - found.mean(design)))


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000))
@settings(max_examples=40, deadline=None)
def test_separable_outcomes_and_wide_features_end_where_the_loss_is_flat(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(30), scale * rng.normal(size=30)])
    outcome = (design[:, 1] > 0).astype(np.float64)
    found = fit_logistic(design, outcome, centre=0.0, penalty=1.0)
    gradient = design.T @ (found.mean(design) - outcome) + found.coefficients
    assert gradient == pytest.approx(0, abs=1e-5)


def test_the_sigmoid_does_not_overflow() -> None:
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0, 0.5, 1]
