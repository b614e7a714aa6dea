"""The bootstrap over queries, each with a weight: means, rank correlation and AUC, and their differences.

Every statistic of one `QueryBootstrap` sees the same resampled queries, so differences are paired.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.evaluation.intervals import PairedDifference

_CELLS_AT_ONCE = 4_000_000
_ROUNDING = 1e-12
TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Estimate:
    """A statistic of the queries, and of resampled ones.

    Attributes:
        draws: (S,) its value on each resample; NaN where it means nothing there.
        cases: how many queries it is of.
    """

    value: float
    draws: DoubleArray
    cases: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% percentile interval; NaN where there is no value."""
        return _interval(self.draws)


@dataclass(frozen=True)
class QueryBootstrap:
    """Resamples of Q queries: as many of each stratum as it has, with replacement.

    Attributes:
        weights: (Q,) what a query counts. strata: (Q,) queries that were sampled apart.
    """

    weights: DoubleArray
    strata: IntArray
    samples: int
    seed: int = 0

    def mean(self, values: DoubleArray) -> Estimate:
        """The weighted mean of (Q,) values; queries with NaN do not count.

        sum of w v / sum of w, over the queries with a value: the ratio estimator of Hájek 1971.
        """
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)

        def statistic(weights: DoubleArray) -> DoubleArray:
            return _ratio(weights @ filled, weights @ known)

        return self._estimate(statistic, int(known.sum()), len(self.weights))

    def spearman(self, scores: DoubleArray, grades: DoubleArray, query: IntArray) -> Estimate:
        """The rank correlation of score and grade over all pairs, (P,), each with its query's weight."""
        by_score, by_grade = _Ranks.of(scores), _Ranks.of(grades)

        def statistic(weights: DoubleArray) -> DoubleArray:
            pairs = weights[:, query]
            return _correlation(by_score.midranks(pairs), by_grade.midranks(pairs), pairs)

        return self._estimate(statistic, len(np.unique(query)), len(query))

    def auc(self, scores: DoubleArray, relevant: BoolArray, query: IntArray) -> Estimate:
        """The chance that a relevant pair is scored above another one, over all pairs, a tie one half."""
        ranks = _Ranks.of(scores)

        def statistic(weights: DoubleArray) -> DoubleArray:
            pairs = weights[:, query]
            others = np.where(relevant, 0.0, pairs)
            above = (np.where(relevant, pairs, 0.0) * ranks.midranks(others)).sum(axis=1)
            return _ratio(above, pairs[:, relevant].sum(axis=1) * others.sum(axis=1))

        return self._estimate(statistic, len(np.unique(query)), len(query))

    def _estimate(self, statistic: Callable[[DoubleArray], DoubleArray], cases: int, width: int) -> Estimate:
        draws = np.concatenate([statistic(weights) for weights in self._resampled(width)])
        return Estimate(float(statistic(self.weights[None, :])[0]), draws, cases)

    def _resampled(self, width: int) -> Iterator[DoubleArray]:
        """(b, Q) weights of b resamples at a time; their sizes do not change what is drawn."""
        rng = np.random.default_rng(self.seed)
        strata = [np.flatnonzero(self.strata == stratum) for stratum in np.unique(self.strata)]
        step = max(1, _CELLS_AT_ONCE // max(width, len(self.weights), 1))
        for start in range(0, self.samples, step):
            rows = min(step, self.samples - start)
            counts = np.zeros((rows, len(self.weights)))
            for row in range(rows):
                for members in strata:
                    drawn = rng.integers(0, len(members), len(members))
                    counts[row, members] = np.bincount(drawn, minlength=len(members))
            yield counts * self.weights


def paired(estimate: Estimate, other: Estimate) -> PairedDifference:
    """The first estimate less the other, both of the same `QueryBootstrap`."""
    low, high = _interval(estimate.draws - other.draws)
    return PairedDifference(
        value=estimate.value,
        other=other.value,
        difference=estimate.value - other.value,
        low=low,
        high=high,
        cases=min(estimate.cases, other.cases),
    )


@dataclass(frozen=True)
class _Ranks:
    """P values in order: what their ranks are under any weights."""

    order: IntArray
    starts: IntArray  # of each group of equal values, in that order
    group: IntArray  # (P,) of each value

    @classmethod
    def of(cls, values: DoubleArray) -> "_Ranks":
        _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        return cls(np.argsort(group, kind="stable"), starts, group)

    def midranks(self, weights: DoubleArray) -> DoubleArray:
        """(b, P): the weight of all lower values and half that of the equal ones."""
        sums = np.add.reduceat(weights[:, self.order], self.starts, axis=1)  # (b, groups)
        middle = np.cumsum(sums, axis=1) - sums / 2
        return np.asarray(middle[:, self.group], np.float64)


def _correlation(first: DoubleArray, second: DoubleArray, weights: DoubleArray) -> DoubleArray:
    """(b,) weighted correlation of the rows; 0 where one of them does not vary, NaN where nothing counts."""
    total = weights.sum(axis=1)
    scale = np.where(total > 0, total, 1.0)[:, None]
    first = first - (weights * first).sum(axis=1, keepdims=True) / scale
    second = second - (weights * second).sum(axis=1, keepdims=True) / scale
    spread = np.sqrt((weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1))
    product = (weights * first * second).sum(axis=1)
    varies = spread > _ROUNDING * total**3  # of ranks up to `total`: below is what rounding leaves
    found = np.where(varies, product / np.where(varies, spread, 1.0), 0.0)
    return np.where(total > 0, found, np.nan)


def _ratio(above: DoubleArray, below: DoubleArray) -> DoubleArray:
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def _interval(draws: DoubleArray) -> tuple[float, float]:
    known = draws[np.isfinite(draws)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, TAILS)
    return float(low), float(high)
