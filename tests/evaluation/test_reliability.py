"""Probabilities beside what came true."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.evaluation.plots import reliability_plot
from recsys.evaluation.reliability import measure_reliability, wilson_interval


def test_bins_hold_equally_many_from_the_least_likely() -> None:
    p = np.repeat(np.array([0.8, 0.2], np.float32), 15)  # 15 bins of two: 7 of .2, one of both, 7 of .8
    found = measure_reliability(p, p > 0.5)
    assert found is not None
    assert [part.candidates for part in found.bins] == [2] * 15
    assert found.bins[0].predicted == pytest.approx(0.2)
    assert (found.bins[0].observed, found.bins[-1].observed) == (0.0, 1.0)
    assert found.error == pytest.approx((7 * 0.2 + 0 + 7 * 0.2) / 15)
    assert found.predicted == pytest.approx(0.5)
    assert found.observed == 0.5


def test_no_candidates_say_nothing() -> None:
    assert measure_reliability(np.zeros(0, np.float32), np.zeros(0, bool)) is None


def test_nothing_that_came_true_can_still_be_drawn() -> None:
    found = measure_reliability(np.full(3, 0.1, np.float32), np.zeros(3, bool))
    assert found is not None
    assert reliability_plot(found).startswith(b"\x89PNG")


@given(st.integers(1, 1000), st.data())
def test_the_interval_of_a_share_holds_it_and_stays_within_0_and_1(count: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, count))
    low, high = wilson_interval(successes, count)
    assert 0 <= low <= successes / count + 1e-12
    assert successes / count - 1e-12 <= high <= 1
    assert low < high
