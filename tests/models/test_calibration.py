import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.models.calibration import IDENTITY, fit_platt


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_parameters_that_made_the_labels_are_found():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal(200_000).astype(np.float32) * 3
    labels = rng.random(len(scores)) < sigmoid(0.7 * scores - 2.5)
    slope, offset = fit_platt(scores, labels)
    assert slope == pytest.approx(0.7, abs=0.02)
    assert offset == pytest.approx(-2.5, abs=0.05)


def test_the_mean_probability_equals_the_share_of_positives():
    rng = np.random.default_rng(1)
    scores = rng.uniform(0, 50, 5000).astype(np.float32)
    labels = rng.random(5000) < 0.04
    slope, offset = fit_platt(scores, labels)
    assert sigmoid(slope * scores + offset).mean() == pytest.approx(labels.mean(), abs=0.002)


@pytest.mark.parametrize("labels", [np.zeros(5, bool), np.ones(5, bool)])
def test_one_sided_labels_teach_nothing(labels):
    assert fit_platt(np.arange(5, dtype=np.float32), labels) == IDENTITY


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.floats(1e-3, 1e3), st.integers(0, 1000))
def test_the_order_of_scores_always_stays(size, spread, seed):
    rng = np.random.default_rng(seed)
    scores = (rng.standard_normal(size) * spread).astype(np.float32)
    slope, offset = fit_platt(scores, rng.random(size) < 0.5)
    assert slope > 0
    assert np.isfinite([slope, offset]).all()
