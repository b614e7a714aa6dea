"""How sure a mean is: the paired bootstrap over cases."""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray, IntArray

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
