"""Queries sampled by demand: the head whole, the tail by chance, weighted so that the sample stands for all.

Query i was asked c_i times. Its probability of being in a sample of n queries is pi_i = min(1, n' c_i /
C'), C' the sum of c over the queries that are not certain and n' what is left of n: those with pi = 1 are
the head. The weighted mean over the sample with weights c_i / pi_i estimates the mean over all searches
(Horvitz and Thompson 1952; as a ratio, Hájek 1971). In the tail c_i / pi_i is the same for all: no sampled
query dominates.
"""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import DataError


@dataclass(frozen=True)
class DemandSample:
    """n queries of a log.

    Attributes:
        rows: (n,) ascending rows of the counts. inclusion: (n,) probability of being in the sample.
        weights: (n,) count / inclusion: how many searches a query stands for; they sum to about all.
        head: (n,) whether the query was taken for certain.
        searches: how many there were. head_share: the share of them that asked for a query of the head.
    """

    rows: IntArray
    inclusion: DoubleArray
    weights: DoubleArray
    head: BoolArray
    searches: int
    head_share: float

    @property
    def strata(self) -> IntArray:
        """(n,) 0 = head, 1 = tail: resampled apart from one another."""
        return np.where(self.head, 0, 1).astype(np.int64)


def inclusion_probabilities(counts: IntArray, size: int) -> DoubleArray:
    """(Q,) probabilities in proportion to counts, at most 1, with the sum min(size, Q).

    >>> inclusion_probabilities(np.array([90, 5, 3, 2]), 2)
    array([1. , 0.5, 0.3, 0.2])
    """
    size = min(size, len(counts))
    probabilities = np.ones(len(counts))
    rest = np.ones(len(counts), np.bool_)
    while rest.any():
        left = size - int((~rest).sum())
        wanted = left * counts[rest] / counts[rest].sum()
        certain = wanted >= 1
        if not certain.any():
            probabilities[rest] = wanted
            break
        rest[np.flatnonzero(rest)[certain]] = False
    return probabilities


def sample_by_demand(counts: IntArray, size: int, rng: np.random.Generator) -> DemandSample:
    """`size` of Q queries, or all where there are fewer: systematic sampling, the order drawn (Madow 1949).

    Args:
        counts: (Q,) how often each query was asked, at least once.

    Raises:
        DataError: there are no queries, one was not asked, or the size is below 1.
    """
    if not len(counts) or int(counts.min()) < 1 or size < 1:
        raise DataError(
            f"{size} of {len(counts)} queries cannot be sampled. Ask for one or more, of queries that "
            "somebody asked."
        )
    probabilities = inclusion_probabilities(counts, size)
    head = probabilities >= 1
    tail = rng.permutation(np.flatnonzero(~head))
    reached = np.cumsum(probabilities[tail])
    drawn = round(float(reached[-1])) if len(tail) else 0
    # Points one apart from a random start: each query's stretch holds one with its probability, never two.
    points = rng.random() + np.arange(drawn)
    found = tail[np.minimum(np.searchsorted(reached, points, side="right"), max(len(tail) - 1, 0))]
    rows = np.sort(np.concatenate([np.flatnonzero(head), found]))
    return DemandSample(
        rows,
        probabilities[rows],
        counts[rows] / probabilities[rows],
        head[rows],
        int(counts.sum()),
        float(counts[head].sum() / counts.sum()),
    )
