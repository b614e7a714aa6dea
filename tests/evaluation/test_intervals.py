"""The paired bootstrap."""

import numpy as np
import pytest

from recsys.evaluation.intervals import paired_bootstrap


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide_on_each_side() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(10, 2, (400, 1))
    found = paired_bootstrap(values, np.array([0]), 2000, np.random.default_rng(1))
    error = values.std() / 20  # sigma / sqrt(400)
    assert found.mean[0] == pytest.approx(values.mean())
    assert found.low[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert found.high[0] == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_a_small_steady_difference_is_seen_through_large_common_noise() -> None:
    noise = np.random.default_rng(0).normal(0, 100, 300)
    found = paired_bootstrap(
        np.stack([noise, noise + 0.1], axis=1), np.array([0, 0]), 500, np.random.default_rng(1)
    )
    assert found.high[0] - found.low[0] > 10
    assert found.difference_low[1] == pytest.approx(0.1)
    assert found.difference_high[1] == pytest.approx(0.1)
    assert found.difference.tolist() == pytest.approx([0.0, 0.1])


def test_the_same_seed_gives_the_same_interval_in_any_number_of_portions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).random((50, 3))
    first = paired_bootstrap(values, np.zeros(3, int), 100, np.random.default_rng(7))
    monkeypatch.setattr("recsys.evaluation.intervals._DRAWS_AT_ONCE", 70)
    again = paired_bootstrap(values, np.zeros(3, int), 100, np.random.default_rng(7))
    assert first.low.tolist() == pytest.approx(again.low.tolist())


def test_one_case_has_an_interval_of_no_width() -> None:
    found = paired_bootstrap(np.array([[0.5]]), np.array([0]), 50, np.random.default_rng(0))
    assert (found.low[0], found.high[0]) == (0.5, 0.5)
