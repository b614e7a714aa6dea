import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from recsys.models.calibration import fit_platt
from recsys.models.ctr.calibration import AttractionCalibration, fit_examined_platt, fit_isotonic

FITS = (fit_examined_platt, fit_isotonic)


def clicks(n: int, examination: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-odds x, the true attraction sigmoid(.6 x - 1), and clicks."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 2, n)
    attraction = expit(0.6 * x - 1)
    return x, attraction, rng.random(n) < examination * attraction


def test_the_line_that_made_the_clicks_is_found_whatever_was_looked_at():
    examination = np.random.default_rng(1).choice([1.0, 0.4, 0.1], 200_000)
    x, _, clicked = clicks(len(examination), examination)
    found = fit_examined_platt(x, examination, clicked)
    assert (found.slope, found.offset) == (pytest.approx(0.6, abs=0.02), pytest.approx(-1, abs=0.03))


def test_where_all_is_looked_at_the_line_is_platts():
    one = np.ones(20_000)
    x, _, clicked = clicks(len(one), one)
    slope, offset = fit_platt(x.astype(np.float32), clicked)
    found = fit_examined_platt(x, one, clicked)
    assert (found.slope, found.offset) == (pytest.approx(slope, abs=2e-3), pytest.approx(offset, abs=2e-3))


@pytest.mark.parametrize("fit", FITS)
def test_calibrated_probabilities_are_near_the_truth(fit):
    examination = np.random.default_rng(1).choice([1.0, 0.4], 100_000)
    x, attraction, clicked = clicks(len(examination), examination)
    p = fit(x, examination, clicked).probabilities(x)
    assert np.abs(p - attraction).mean() < 0.01
    assert (p * examination).sum() / clicked.sum() == pytest.approx(1, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 400), st.integers(0, 1000))
def test_more_attractive_never_becomes_less(n, seed):
    rng = np.random.default_rng(seed)
    examination = rng.uniform(0.1, 1, n)
    x, _, clicked = clicks(n, examination, seed)
    for fit in FITS:
        p = fit(x, examination, clicked).probabilities(np.sort(x))
        assert (np.diff(p) >= 0).all()
        assert ((p >= 0) & (p <= 1)).all()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("clicked", [np.zeros(50, bool), np.ones(50, bool)])
def test_one_sided_clicks_teach_nothing(fit, clicked):
    assert fit(np.arange(50.0), np.ones(50), clicked) == AttractionCalibration()


def test_isotonic_steps_are_the_rates_of_pooled_impressions():
    x = np.repeat([-1.0, 0.0, 1.0], 50)
    clicked = np.concatenate([np.arange(50) < 10, np.arange(50) < 5, np.arange(50) < 40])  # .2, .1, .8
    found = fit_isotonic(x, np.ones(150), clicked)
    assert found.points == pytest.approx((-0.5, 1.0))  # the first two violate the order
    assert found.values == pytest.approx((logit(0.15), logit(0.8)))


def test_a_calibration_comes_back_from_json():
    found = AttractionCalibration("isotonic", points=(-1.0, 2.0), values=(-3.0, 0.5))
    assert AttractionCalibration.rebuild(found.describe()) == found
