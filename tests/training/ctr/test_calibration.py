import numpy as np
import pytest
from scipy.special import expit

from recsys.training.ctr.calibration import choose_calibration


def held(attraction: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Examination of .4 or 1, clicks, and users of 20 impressions each."""
    rng = np.random.default_rng(seed)
    examination = rng.choice([1.0, 0.4], len(attraction))
    return (
        examination,
        rng.random(len(attraction)) < examination * attraction,
        np.arange(len(attraction)) // 20,
    )


def test_right_probabilities_are_left_alone_or_hardly_moved():
    x = np.random.default_rng(1).normal(-2, 1, 20_000)
    found = choose_calibration(x, *held(expit(x)))
    assert np.abs(found.probabilities(x) - expit(x)).mean() < 0.01  # of some 2,800 clicks


def test_log_odds_that_are_too_far_apart_are_drawn_together_by_a_line():
    x = np.random.default_rng(1).normal(-2, 2, 20_000)
    found = choose_calibration(x, *held(expit(0.4 * x - 1)))
    assert found.method == "platt"
    assert found.slope == pytest.approx(0.4, abs=0.03)


def test_a_bend_that_no_line_has_is_followed_by_steps():
    x = np.random.default_rng(1).uniform(-4, 4, 40_000)
    truth = np.where(x < 0, 0.02, 0.6)
    found = choose_calibration(x, *held(truth))
    assert found.method == "isotonic"
    assert np.abs(found.probabilities(x) - truth).mean() < 0.02


def test_few_impressions_without_a_click_are_left_alone():
    none = np.zeros(10, bool)
    found = choose_calibration(np.arange(10.0), np.ones(10), none, np.zeros(10, np.int64))
    assert found.method == "none"
