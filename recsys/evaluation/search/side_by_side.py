"""Two searches beside each other: how alike their lists are, what judged queries gain, and which change
most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys import metrics
from recsys.arrays import DoubleArray, IntArray
from recsys.errors import DataError
from recsys.evaluation.intervals import PairedDifference
from recsys.evaluation.search.bootstrap import QueryBootstrap, paired
from recsys.evaluation.search.compare import SearchMeasure
from recsys.evaluation.search.judgments import Judgments
from recsys.evaluation.search.ranking_metrics import ranking_values
from recsys.evaluation.search.rankings import Rankings

PERSISTENCE = 0.9  # of rank-biased overlap: how likely a reader goes on to the next place


@dataclass(frozen=True)
class MetricDifference:
    """One metric of both searches on the same queries: the second less the first."""

    metric: str
    found: PairedDifference


@dataclass(frozen=True)
class ChangedQuery:
    """A query whose list changed.

    Attributes:
        row: of the queries. first, second: NDCG at the first cutoff of both; NaN where nothing is judged.
        alike: rank-biased overlap of both lists.
    """

    row: int
    first: float
    second: float
    alike: float

    @property
    def gain(self) -> float:
        """What the second search adds."""
        return self.second - self.first


@dataclass(frozen=True)
class SideBySide:
    """Two searches on the same queries.

    Attributes:
        overlap: mean share of the first k places that both have. rank_biased_overlap: mean. same: how many of
            the lists are equal. empty: (first, second) queries without any item.
        differences: by metric; empty without judgments.
        gained, lost: the queries that gain and lose most, by NDCG; without judgments `changed`: those whose
            lists differ most.
    """

    queries: int
    k: int
    overlap: float
    rank_biased_overlap: float
    same: int
    empty: tuple[int, int]
    differences: tuple[MetricDifference, ...]
    gained: tuple[ChangedQuery, ...]
    lost: tuple[ChangedQuery, ...]
    changed: tuple[ChangedQuery, ...]


def compare_rankings(
    first: Rankings,
    second: Rankings,
    measure: SearchMeasure,
    judgments: Judgments | None = None,
    weights: DoubleArray | None = None,
    show: int = 5,
) -> SideBySide:
    """Both rankings of the same queries, in the same order.

    Args:
        judgments: of these very queries; None = only how alike the lists are.
        weights: (Q,) what a query counts where there are no judgments.
        show: how many queries of each kind are named.

    Raises:
        DataError: the rankings are of other queries, or of none.
    """
    if (
        len(first) != len(second)
        or not len(first)
        or (judgments is not None and len(judgments) != len(first))
    ):
        raise DataError(
            f"{len(first)} and {len(second)} lists cannot be compared. Rank the same queries by both."
        )
    k = min(measure.cutoffs)
    lists = _same_width(first.items[:, :k], second.items[:, :k])
    overlap = metrics.overlap(*lists, k)
    alike = metrics.rank_biased_overlap(*lists, PERSISTENCE)
    counts = judgments.weights if judgments is not None else weights
    counts = np.ones(len(first)) if counts is None else counts
    differences: tuple[MetricDifference, ...] = ()
    values = np.full((2, len(first)), np.nan)
    if judgments is not None:
        differences, values = _metric_differences(first, second, judgments, measure)
    gains = np.nan_to_num(values[1] - values[0])
    up, down = np.argsort(-gains, kind="stable")[:show], np.argsort(gains, kind="stable")[:show]
    apart = np.argsort(alike, kind="stable")[:show]

    def named(rows: IntArray) -> tuple[ChangedQuery, ...]:
        return tuple(
            ChangedQuery(row, float(values[0, row]), float(values[1, row]), float(alike[row]))
            for row in rows.tolist()
        )

    return SideBySide(
        queries=len(first),
        k=k,
        overlap=float(np.average(overlap, weights=counts)),
        rank_biased_overlap=float(np.average(alike, weights=counts)),
        same=int((lists[0] == lists[1]).all(axis=1).sum()),
        empty=(int((first.items[:, 0] == 0).sum()), int((second.items[:, 0] == 0).sum())),
        differences=differences,
        gained=named(up[gains[up] > 0]),
        lost=named(down[gains[down] < 0]),
        changed=named(apart[alike[apart] < 1]) if judgments is None else (),
    )


def _metric_differences(
    first: Rankings, second: Rankings, judgments: Judgments, measure: SearchMeasure
) -> tuple[tuple[MetricDifference, ...], DoubleArray]:
    """The differences of all metrics, and (2, Q) NDCG at the first cutoff."""
    bootstrap = QueryBootstrap(judgments.weights, judgments.strata, measure.samples, measure.seed)
    both = [
        ranking_values(judgments, rankings, measure.cutoffs, measure.threshold, measure.worthless)
        for rankings in (first, second)
    ]
    differences = tuple(
        MetricDifference(name, paired(bootstrap.mean(both[1][name]), bootstrap.mean(values)))
        for name, values in both[0].items()
    )
    headline = f"ndcg@{min(measure.cutoffs)}"
    return differences, np.stack([values[headline] for values in both])


def _same_width(first: IntArray, second: IntArray) -> tuple[IntArray, IntArray]:
    width = max(first.shape[1], second.shape[1], 1)
    padded: Sequence[IntArray] = [
        np.pad(items, ((0, 0), (0, width - items.shape[1]))) for items in (first, second)
    ]
    return padded[0], padded[1]
