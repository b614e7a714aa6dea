"""Lift: visible arithmetic, agreement with scipy, false alarms and coverage by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from recsys.errors import DataError
from recsys.experiments.lift import ArmTotals, Lift, detectable_lift, lift_of, measure_lift

HALF = 500_000
FIVE_PERCENT = 50_000


def arm_of(buyers: int, users: int) -> ArmTotals:
    """Users of whom some bought once."""
    rate = buyers / users
    return ArmTotals(users, buyers, rate, rate * (1 - rate) * users / (users - 1))


def drawn_lift(rng: np.random.Generator, users: int, share_ppm: int, rate: float, lift: float) -> Lift:
    held = rng.binomial(users, share_ppm / 1e6)
    treated = users - held
    return lift_of(
        arm_of(rng.binomial(treated, rate * (1 + lift)), treated),
        arm_of(rng.binomial(held, rate), held),
        share_ppm,
    )


def test_the_lift_is_of_means_by_user() -> None:
    """Treatment: u1 3, u2 1, mean 2. Hold-out: u3 1, u4 0, u5 2, mean 1. Difference 1, lift 100%."""
    lift = measure_lift(
        ["u1", "u1", "u2", "u3", "u4", "u5", "u5"],
        np.array([False, False, False, True, True, True, True]),
        np.array([1.0, 2.0, 1.0, 1.0, 0.0, 1.0, 1.0]),
        HALF,
    )
    assert (lift.treatment.users, lift.holdout.users) == (2, 3)
    assert (lift.treatment.mean, lift.holdout.mean) == (2.0, 1.0)
    assert (lift.difference, lift.relative) == (1.0, 1.0)
    assert (lift.treatment.variance, lift.holdout.variance) == (2.0, 1.0)
    assert lift.verdict == "too few users"


@pytest.mark.parametrize(("spread", "alike"), [((1, 2), False), ((2, 1), True)])
def test_difference_interval_and_p_value_are_those_of_the_wider_t_test(
    spread: tuple[float, float], alike: bool
) -> None:
    rng = np.random.default_rng(3)
    treated, held = rng.normal(2, spread[0], 80), rng.normal(1.7, spread[1], 40)
    lift = measure_lift(
        np.arange(120), np.arange(120) >= 80, np.concatenate([treated, held]), share_ppm=333_333
    )
    test = stats.ttest_ind(treated, held, equal_var=alike)
    interval = test.confidence_interval(0.95)
    assert lift.p_value == pytest.approx(test.pvalue)
    assert (lift.low, lift.high) == pytest.approx((interval.low, interval.high))


def test_the_relative_interval_is_that_of_a_bootstrap_over_users() -> None:
    rng = np.random.default_rng(5)
    treated, held = rng.poisson(1.3, 4000).astype(float), rng.poisson(1.0, 1000).astype(float)
    lift = measure_lift(np.arange(5000), np.arange(5000) >= 4000, np.concatenate([treated, held]), 200_000)
    draws = [
        rng.choice(treated, len(treated)).mean() / rng.choice(held, len(held)).mean() - 1 for _ in range(1000)
    ]
    assert (lift.relative_low, lift.relative_high) == pytest.approx(
        tuple(np.quantile(draws, [0.025, 0.975])), abs=0.02
    )


def test_rows_of_one_user_are_not_independent() -> None:
    """Four rows a user with a quarter of the outcome each say as much as one row."""
    rng = np.random.default_rng(1)
    users, held = np.arange(400), np.arange(400) % 2 == 0
    outcome = rng.poisson(1.0, 400).astype(float)
    once = measure_lift(users, held, outcome, HALF)
    often = measure_lift(np.repeat(users, 4), np.repeat(held, 4), np.repeat(outcome / 4, 4), HALF)
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_two_arms_that_are_alike_raise_a_false_alarm_in_one_of_twenty_at_most() -> None:
    """2,000 A/A tests of 40,000 users, 2% of whom buy; half a percent is the standard error of 5%."""
    rng = np.random.default_rng(0)
    verdicts = [drawn_lift(rng, 40_000, FIVE_PERCENT, 0.02, 0.0).verdict for _ in range(2000)]
    assert "too few users" not in verdicts
    alarms = sum(verdict != "not told apart" for verdict in verdicts)
    assert 0.02 < alarms / 2000 < 0.06


def test_money_spent_which_is_skewed_raises_no_more_false_alarms() -> None:
    """300 A/A tests of 8,000 users, 5% of whom spend a lognormal amount. Welch's alone: 11%."""
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(300):
        held = rng.random(8000) < 0.05
        spent = np.where(rng.random(8000) < 0.05, rng.lognormal(3, 1, 8000), 0.0)
        alarms += measure_lift(np.arange(8000), held, spent, FIVE_PERCENT).verdict in ("more", "less")
    assert alarms / 300 < 0.05


def test_the_interval_covers_the_true_lift() -> None:
    rng = np.random.default_rng(0)
    lifts = [drawn_lift(rng, 40_000, FIVE_PERCENT, 0.02, 0.2) for _ in range(2000)]
    assert 0.94 < np.mean([each.relative_low <= 0.2 <= each.relative_high for each in lifts]) < 0.99


def test_the_smallest_detectable_lift_is_found_four_times_in_five() -> None:
    smallest = detectable_lift(0.02, 0.02 * 0.98, 200_000, FIVE_PERCENT)
    assert smallest == pytest.approx(0.2006, abs=1e-3)  # 2.802 x sqrt(.0196 / 9,500) / .02
    rng = np.random.default_rng(0)
    found = np.mean(
        [drawn_lift(rng, 200_000, FIVE_PERCENT, 0.02, smallest).verdict == "more" for _ in range(1000)]
    )
    assert 0.75 < found < 0.85


def test_too_few_purchases_say_nothing() -> None:
    """30 of 1,000 buy: of 5% held out 1.5 would."""
    lift = lift_of(arm_of(30, 950), arm_of(0, 50), FIVE_PERCENT)
    assert lift.expected_with_outcome == pytest.approx(1.5)
    assert lift.verdict == "too few users"
    assert math.isnan(lift.relative)
    assert (lift.relative_low, lift.relative_high) == (-math.inf, math.inf)
    assert lift.smallest_detectable == math.inf


def test_arms_of_the_wrong_size_are_an_alarm() -> None:
    right = lift_of(arm_of(1900, 95_000), arm_of(100, 5_000), FIVE_PERCENT)
    wrong = lift_of(arm_of(1900, 94_000), arm_of(100, 6_000), FIVE_PERCENT)
    assert (right.sample_ratio_is_wrong, wrong.sample_ratio_is_wrong) == (False, True)


def test_what_cannot_be_compared_is_refused() -> None:
    two = np.array([False, True])
    with pytest.raises(DataError, match="3 units, 2 arms, 2 outcomes"):
        measure_lift(["a", "b", "c"], two, np.zeros(2), HALF)
    with pytest.raises(DataError, match="the treatment has 1 units"):
        measure_lift(["a", "b"], two, np.zeros(2), HALF)
    with pytest.raises(DataError, match="unit 'a' is in both arms"):
        measure_lift(["a", "a"], two, np.zeros(2), HALF)
    with pytest.raises(DataError, match="an outcome is no number"):
        measure_lift(["a", "b"], two, np.array([0.0, math.nan]), HALF)
