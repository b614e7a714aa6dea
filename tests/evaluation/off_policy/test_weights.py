"""Weights and overlap: what a log can say of a policy, and the warnings where it cannot."""

import numpy as np
import pytest

from recsys.errors import ConfigError, DataError
from recsys.evaluation.off_policy.log import PolicyLog, policy_log, row_number
from recsys.evaluation.off_policy.policies import TargetPolicy, always
from recsys.evaluation.off_policy.weights import (
    importance_weights,
    mean_error,
    measure_overlap,
    overlap_warnings,
)


def shown(arms: str, propensity: list[float], unit: list[int] | None = None) -> PolicyLog:
    """A log whose arms are letters and whose outcomes are 0."""
    return policy_log(list(arms), np.zeros(len(arms)), np.array(propensity), unit)


def warnings(log: PolicyLog, policy: TargetPolicy) -> list[str]:
    return overlap_warnings(measure_overlap(log, importance_weights(log, policy)), row_number)


def test_a_weight_is_the_targets_probability_divided_by_the_logged_one() -> None:
    log = shown("aba", [0.5, 0.25, 0.8])
    policy = TargetPolicy("t", np.array([[0.2, 0.8], [0.5, 0.5], [0.4, 0.6]]))
    assert importance_weights(log, policy).tolist() == pytest.approx([0.2 / 0.5, 0.5 / 0.25, 0.4 / 0.8])
    assert importance_weights(log, policy, clip=1.0).tolist() == pytest.approx([0.4, 1.0, 0.5])


def test_weights_cannot_be_clipped_at_nothing() -> None:
    log = shown("ab", [0.5, 0.5])
    with pytest.raises(ConfigError, match=r"clipped at 0\. Give a number above 0"):
        importance_weights(log, always(log, "a"), clip=0)


def test_a_policy_that_no_row_follows_is_refused() -> None:
    log = shown("ab", [0.5, 0.5])
    policy = TargetPolicy("opposite", np.array([[0.0, 1.0], [1.0, 0.0]]))
    with pytest.raises(DataError, match="no row of the log shows what the policy 'opposite' would show"):
        importance_weights(log, policy)


def test_effective_units_are_the_squared_sum_of_weights_by_the_sum_of_squares() -> None:
    log = shown("aab", [1.0, 0.25, 0.5])
    overlap = measure_overlap(log, importance_weights(log, always(log, "a")))
    assert overlap.effective_units == pytest.approx((1 + 4) ** 2 / (1**2 + 4**2))
    assert overlap.largest[:2] == ((1, 4.0), (0, 1.0))
    assert overlap.largest_share == 4 / 5


def test_rows_of_one_unit_are_one_effective_unit_together() -> None:
    log = shown("aaab", [0.5] * 4, [0, 0, 1, 2])
    overlap = measure_overlap(log, importance_weights(log, always(log, "a")))
    assert overlap.effective_units == pytest.approx((4 + 2) ** 2 / (4**2 + 2**2))


def test_the_error_of_a_mean_is_the_usual_one_and_grows_where_rows_repeat() -> None:
    values, alone = np.array([1.0, 2.0, 4.0, 9.0]), np.arange(4)
    assert mean_error(values, alone) == pytest.approx(values.std(ddof=1) / 2)
    twice = np.repeat(values, 2)
    assert mean_error(twice, np.repeat(alone, 2)) == pytest.approx(mean_error(values, alone))


def test_good_overlap_warns_of_nothing() -> None:
    log = shown("ab" * 500, [0.5] * 1000)
    assert warnings(log, always(log, "a")) == []


def test_mass_that_the_log_never_shows_is_reported_with_its_share() -> None:
    """Half of the contexts only ever showed `b`: half of `always a` is not to be seen."""
    log = shown("ab" * 200 + "b" * 400, [0.5] * 400 + [1.0] * 400)
    found = warnings(log, always(log, "a"))
    assert len(found) == 1
    assert found[0].startswith("little overlap: 50.0% ")


def test_mass_with_next_to_no_propensity_is_little_overlap_even_where_it_was_shown() -> None:
    log = shown("ab" * 400 + "a", [0.5] * 800 + [0.0001])
    found = " ".join(warnings(log, always(log, "a")))
    assert "row 801 alone, of weight 10000.0, has 92.6% of all weight" in found
    assert "effective units (fewer than 100)" in found


def test_propensities_that_are_too_small_to_be_true_are_reported() -> None:
    """Arms are shown half of the time each, and logged as .3: weights average 1 / .6."""
    log = shown("ab" * 500, [0.3] * 1000)
    assert any("weights average 1.667" in text for text in warnings(log, always(log, "a")))


def test_few_rows_that_follow_the_policy_are_few_effective_units() -> None:
    log = shown("a" * 60 + "b" * 60, [0.5] * 120)
    assert any("leave 60.0 effective units" in text for text in warnings(log, always(log, "a")))
