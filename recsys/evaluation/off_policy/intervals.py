"""How sure an off-policy estimate is: standard errors over units, and resampled units where they are few."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from recsys.arrays import DoubleArray, IntArray
from recsys.evaluation.off_policy.estimators import RatioOfSums
from recsys.evaluation.off_policy.weights import ratio_error

Method = Literal["analytic", "bootstrap"]
TAILS = (0.025, 0.975)
_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and its 95% interval, found by `method`."""

    value: float
    standard_error: float
    low: float
    high: float
    method: Method


def analytic_estimate(ratio: RatioOfSums, unit: IntArray, other: RatioOfSums | None = None) -> Estimate:
    """The ratio, or it less `other` of the same rows: value -+ t(units - 1) standard errors.

    The delta method for the ratio, rows of one unit together.
    """
    value, influence = ratio.value, ratio.influence
    if other is not None:
        value, influence = value - other.value, influence - other.influence
    error = ratio_error(influence, 1.0, unit)
    reach = float(stats.t.ppf(TAILS[1], int(unit.max()))) * error
    return Estimate(value, error, value - reach, value + reach, "analytic")


def bootstrap_estimate(estimate: Estimate, draws: DoubleArray, other: DoubleArray | None = None) -> Estimate:
    """`estimate` with the percentile interval of its (S,) `draws`, or of their differences from `other`."""
    found = draws if other is None else draws - other
    known = found[np.isfinite(found)]
    low, high = np.quantile(known, TAILS) if len(known) else (np.nan, np.nan)
    return Estimate(estimate.value, estimate.standard_error, float(low), float(high), "bootstrap")


def bootstrap_draws(
    ratios: Sequence[RatioOfSums], unit: IntArray, samples: int, seed: int = 0
) -> DoubleArray:
    """(len(ratios), S): each ratio on the same resamples of units, with all their rows.

    NaN where nothing below the line was drawn.

    Paper: Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13.
    """
    units = int(unit.max()) + 1
    above, below = (
        np.stack([np.bincount(unit, rows, units) for rows in sides], axis=1)
        for sides in ([ratio.above for ratio in ratios], [ratio.below for ratio in ratios])
    )
    parts = [
        np.divide(
            counts @ above,
            counts @ below,
            out=np.full((len(counts), len(ratios)), np.nan),
            where=counts @ below != 0,
        )
        for counts in _resampled(units, samples, seed)
    ]
    return np.concatenate(parts).T


def _resampled(units: int, samples: int, seed: int) -> Iterator[DoubleArray]:
    """(b, units) how often each unit is drawn, b resamples at a time."""
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS_AT_ONCE // units)
    for start in range(0, samples, step):
        rows = min(step, samples - start)
        drawn = rng.integers(0, units, (rows, units)) + np.arange(rows)[:, None] * units
        yield np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)
