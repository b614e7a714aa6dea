"""What ads add: users who won an ad beside users who would have won one, had they not been held out.

Both saw the same auction; only the treatment saw its winner. So the comparison is among people who are alike,
and is not diluted by those for whom no ad would have been shown.

Paper: Johnson, Lewis and Nubbemeyer 2017, Ghost Ads, Journal of Marketing Research 54(6).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import DataError
from recsys.experiments.assignment import MILLION

Verdict = Literal["more", "less", "not told apart", "too few users"]
# Users with an outcome that the smaller arm would have if both were alike. From there on false alarms were
# found to be 5% at most. It is of both arms together: the hold-out's own number would choose by the very
# difference that is measured.
MIN_EXPECTED = 10
SAMPLE_RATIO_ALARM = 0.001  # p-value of the arms' sizes below which the comparison is not to be believed
_LEVEL = 0.05
_POWER = 0.8


@dataclass(frozen=True)
class ArmTotals:
    """One arm.

    Attributes:
        users: who won, or ghost-won. with_outcome: of those, whose outcome is not 0.
        mean: outcome a user. variance: of a user's outcome.
    """

    users: int
    with_outcome: int
    mean: float
    variance: float


@dataclass(frozen=True)
class Lift:
    """What a hold-out found.

    Attributes:
        difference: outcome a user, treatment less hold-out. low, high: its 95% interval: the wider one of
            Welch's and Student's.
        p_value: two-sided, of no difference.
        relative: difference over the mean of the hold-out; NaN where that is 0.
        relative_low, relative_high: its 95% interval (Fieller); infinite where the hold-out's mean may be 0.
        smallest_detectable: the relative lift that so many users tell from 0 with a probability of 80%.
        sample_ratio_p_value: of arms as unlike in size as these, if they were drawn by the share. Below
            SAMPLE_RATIO_ALARM something other than the draw decided who is in which arm.
    """

    treatment: ArmTotals
    holdout: ArmTotals
    difference: float
    low: float
    high: float
    p_value: float
    relative: float
    relative_low: float
    relative_high: float
    smallest_detectable: float
    sample_ratio_p_value: float

    @property
    def sample_ratio_is_wrong(self) -> bool:
        """Whether the sizes of the arms are not those of the draw: then nothing here is to be believed."""
        return self.sample_ratio_p_value < SAMPLE_RATIO_ALARM

    @property
    def expected_with_outcome(self) -> float:
        """Users with an outcome that the smaller arm would have if both were alike."""
        arms = (self.treatment, self.holdout)
        users = [arm.users for arm in arms]
        return sum(arm.with_outcome for arm in arms) * min(users) / sum(users)

    @property
    def verdict(self) -> Verdict:
        """What the interval allows to say."""
        if self.expected_with_outcome < MIN_EXPECTED:
            return "too few users"
        return "more" if self.low > 0 else "less" if self.high < 0 else "not told apart"


def measure_lift(
    units: Sequence[str] | IntArray, held_out: BoolArray, outcome: DoubleArray, share_ppm: int
) -> Lift:
    """The lift of the units that won (treatment) over those that ghost-won (hold-out).

    Args:
        units: (n,) who; rows of one unit are summed, as what one person does is not independent.
        held_out: (n,) bool, the arm.
        outcome: (n,) for example purchases or micros after the first (ghost) win, 0 for who did nothing:
            nobody is left out for that.
        share_ppm: of units that are held out, in millionths.

    Raises:
        DataError: unlike lengths, fewer than two units in an arm, a unit in both arms, an outcome that is no
            number.
    """
    if not len(units) == len(held_out) == len(outcome):
        raise DataError(f"{len(units)} units, {len(held_out)} arms, {len(outcome)} outcomes. Give one each.")
    if not np.isfinite(outcome).all():
        raise DataError("an outcome is no number. Give 0 where nothing happened.")
    names, unit = np.unique(np.asarray(units), return_inverse=True)
    rows = np.bincount(unit, minlength=len(names))
    held_rows = np.bincount(unit, held_out, len(names))
    both = (held_rows > 0) & (held_rows < rows)
    if both.any():
        raise DataError(
            f"unit {str(names[both][0])!r} is in both arms. Assign by one unit and one salt, and leave out "
            "days of another salt."
        )
    summed = np.bincount(unit, outcome, len(names)).astype(np.float64)
    held = held_rows > 0
    return lift_of(_totals(summed[~held], "treatment"), _totals(summed[held], "hold-out"), share_ppm)


def lift_of(treatment: ArmTotals, holdout: ArmTotals, share_ppm: int) -> Lift:
    """The lift of two arms of which only totals are known."""
    errors = max(_welch(treatment, holdout), _student(treatment, holdout), key=lambda each: each.error)
    error, freedom = errors.error, errors.freedom
    difference = treatment.mean - holdout.mean
    quantile = float(stats.t.ppf(1 - _LEVEL / 2, freedom))
    reach = quantile * error
    relative = difference / holdout.mean if holdout.mean else math.nan
    low, high = _fieller((treatment.mean, holdout.mean), errors, quantile)
    users = treatment.users + holdout.users
    return Lift(
        treatment=treatment,
        holdout=holdout,
        difference=difference,
        low=difference - reach,
        high=difference + reach,
        p_value=float(2 * stats.t.sf(abs(difference) / error, freedom)) if error else float(not difference),
        relative=relative,
        relative_low=low - 1,
        relative_high=high - 1,
        smallest_detectable=detectable_lift(holdout.mean, holdout.variance, users, share_ppm),
        sample_ratio_p_value=_sample_ratio_p_value(holdout.users, users, share_ppm / MILLION),
    )


def detectable_lift(mean: float, variance: float, users: int, share_ppm: int) -> float:
    """The relative lift that so many users, held out by this share, tell from 0 with a probability of 80%.

    (z(.975) + z(.8)) sqrt(variance (1 / held out + 1 / not held out)) / mean; infinite where the mean is 0.

    Args:
        mean, variance: of one user's outcome without ads.
        users: who win or ghost-win, of both arms.

    >>> round(detectable_lift(0.02, 0.0196, 100_000, 50_000), 3)
    0.285
    """
    if not mean:
        return math.inf
    share = share_ppm / MILLION
    reach = float(stats.norm.ppf(1 - _LEVEL / 2) + stats.norm.ppf(_POWER))
    return reach * math.sqrt(variance / (users * share * (1 - share))) / abs(mean)


def _totals(outcome: DoubleArray, arm: str) -> ArmTotals:
    if len(outcome) < 2:
        raise DataError(f"the {arm} has {len(outcome)} units. Wait for two at least.")
    nonzero = int(np.count_nonzero(outcome))
    return ArmTotals(len(outcome), nonzero, float(outcome.mean()), float(outcome.var(ddof=1)))


def _sample_ratio_p_value(held_out: int, users: int, share: float) -> float:
    """Two-sided, of so many held out of so many drawn by the share; normal approximation."""
    deviation = abs(held_out - users * share) / math.sqrt(users * share * (1 - share))
    return math.erfc(deviation / math.sqrt(2))


@dataclass(frozen=True)
class _Errors:
    """Squared standard errors of both means, and the degrees of freedom of their difference."""

    treatment: float
    holdout: float
    freedom: float

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        return math.sqrt(self.treatment + self.holdout)


def _welch(treatment: ArmTotals, holdout: ArmTotals) -> _Errors:
    """Each arm by its own variance (Welch 1947)."""
    first, second = (arm.variance / arm.users for arm in (treatment, holdout))
    below = first**2 / (treatment.users - 1) + second**2 / (holdout.users - 1)
    users = treatment.users + holdout.users
    return _Errors(first, second, (first + second) ** 2 / below if below else users - 2)


def _student(treatment: ArmTotals, holdout: ArmTotals) -> _Errors:
    """Both arms by the variance of all: of a small arm and a skewed outcome its own one is found too small
    where its mean is."""
    freedom = treatment.users + holdout.users - 2
    summed = sum((arm.users - 1) * arm.variance for arm in (treatment, holdout))
    return _Errors(summed / freedom / treatment.users, summed / freedom / holdout.users, freedom)


def _fieller(means: tuple[float, float], errors: _Errors, quantile: float) -> tuple[float, float]:
    """The interval of a ratio of independent means: those r for which mean_1 - r mean_2 may be 0.

    Paper: Fieller 1954, Some Problems in Interval Estimation, JRSS B 16(2).
    """
    above, below = means
    square = quantile**2
    a = below**2 - square * errors.holdout
    if a <= 0:  # the mean below the line may be 0
        return -math.inf, math.inf
    centre = above * below / a
    reach = math.sqrt(max(0.0, (above * below) ** 2 - a * (above**2 - square * errors.treatment))) / a
    return centre - reach, centre + reach
