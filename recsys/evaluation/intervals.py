"""How sure a mean is: the paired bootstrap over cases."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys.arrays import DoubleArray, IntArray

MIN_CASES = 20  # below that an interval says nothing
DIGITS = 4  # of a metric, wherever one is printed
Outcome = Literal["better", "not told apart", "worse", "too few cases"]

_DRAWS_AT_ONCE = 4_000_000  # resampled cases held at a time


@dataclass(frozen=True)
class Intervals:
    """Means of C columns over the same cases, their 95% intervals, and the same for differences.

    Attributes:
        mean, low, high: (C,).
        difference, difference_low, difference_high: (C,) of the column minus its reference column.
    """

    mean: DoubleArray
    low: DoubleArray
    high: DoubleArray
    difference: DoubleArray
    difference_low: DoubleArray
    difference_high: DoubleArray


@dataclass(frozen=True)
class PairedDifference:
    """One metric of two models on the same cases.

    Attributes:
        value, other: the two means. difference: value - other.
        low, high: 95% interval of the difference, cases resampled in pairs.
    """

    value: float
    other: float
    difference: float
    low: float
    high: float
    cases: int

    @property
    def outcome(self) -> Outcome:
        """What may be said of the first model beside the other."""
        return "too few cases" if self.cases < MIN_CASES else outcome_of(self.low, self.high)

    def __str__(self) -> str:
        return format_difference(self.difference, self.low, self.high)


def outcome_of(low: float, high: float) -> Outcome:
    """What an interval of a difference allows to say, by the digits that are printed of it.

    >>> outcome_of(0.001, 0.004), outcome_of(0.00001, 0.004), outcome_of(-0.004, -0.001)
    ('better', 'not told apart', 'worse')
    """
    return "better" if round(low, DIGITS) > 0 else "worse" if round(high, DIGITS) < 0 else "not told apart"


def format_difference(difference: float, low: float, high: float) -> str:
    """The difference with its interval.

    >>> format_difference(0.0025, 0.001, 0.004)
    '+0.0025 [+0.0010, +0.0040]'
    """
    return f"{difference:+.{DIGITS}f} [{low:+.{DIGITS}f}, {high:+.{DIGITS}f}]"


def paired_difference(
    values: DoubleArray, others: DoubleArray, samples: int, rng: np.random.Generator
) -> PairedDifference:
    """The difference of two models' values (U,) of the same cases, at least one; see `paired_bootstrap`."""
    found = paired_bootstrap(np.stack([others, values], axis=1), np.array([0, 0]), samples, rng)
    return PairedDifference(
        value=float(found.mean[1]),
        other=float(found.mean[0]),
        difference=float(found.difference[1]),
        low=float(found.difference_low[1]),
        high=float(found.difference_high[1]),
        cases=len(values),
    )


def paired_bootstrap(
    values: DoubleArray,
    reference: IntArray,
    samples: int,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> Intervals:
    """Percentile intervals of column means, all columns resampled with the same cases.

    Args:
        values: (U, C), one row a case; the columns are models, metrics or both.
        reference: (C,) the column that each column is compared with; itself for none.
        samples: how often U cases are drawn with replacement.

    Paper: Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13; Koehn 2004, W04-3250.
    """
    cases = len(values)
    means = np.empty((samples, values.shape[1]))
    step = max(1, _DRAWS_AT_ONCE // max(cases, 1))
    for start in range(0, samples, step):
        rows = min(step, samples - start)
        drawn = rng.integers(0, cases, (rows, cases)) + np.arange(rows)[:, None] * cases
        weights = np.bincount(drawn.ravel(), minlength=rows * cases).reshape(rows, cases)
        means[start : start + rows] = weights.astype(np.float64) @ values / cases
    differences = means - means[:, reference]
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(means, tails, axis=0)
    difference_low, difference_high = np.quantile(differences, tails, axis=0)
    mean = values.mean(axis=0)
    return Intervals(mean, low, high, mean - mean[reference], difference_low, difference_high)
