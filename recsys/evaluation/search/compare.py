"""Several ways to search on the same judged queries: values, intervals, and the default beside its halves."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray
from recsys.errors import DataError
from recsys.evaluation.intervals import PairedDifference
from recsys.evaluation.search.bootstrap import Estimate, QueryBootstrap, paired
from recsys.evaluation.search.judgments import Judgments
from recsys.evaluation.search.ranking_metrics import pair_values, ranking_values
from recsys.evaluation.search.rankings import Rankings
from recsys.evaluation.search.rows import SearchRow
from recsys.progress import Progress, silent


@dataclass(frozen=True)
class SearchMeasure:
    """How rows are measured.

    Attributes:
        threshold: a pair is relevant from this grade on. worthless: the grade without worth to NDCG.
        samples, seed: of the bootstrap.
    """

    threshold: float
    cutoffs: tuple[int, ...] = (10, 100)
    worthless: float = 0.0
    samples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class RowResult:
    """One row's metrics.

    Attributes:
        estimates: by metric, as `ndcg@10`. values: (Q,) by metric, where a metric has one a query.
        seconds: for ranking and scoring.
    """

    name: str
    estimates: Mapping[str, Estimate]
    values: Mapping[str, DoubleArray]
    rankings: Rankings
    seconds: float


@dataclass(frozen=True)
class HalfDifference:
    """The default beside the better of its halves in one metric, by these very queries."""

    metric: str
    half: str
    found: PairedDifference


@dataclass(frozen=True)
class SearchEvaluation:
    """Rows on the same judged queries.

    Attributes:
        default: the row that a shop searches by. halves: the rows that it is made of.
        beside_halves: one difference a headline metric; empty without a half.
    """

    judgments: Judgments
    measure: SearchMeasure
    rows: tuple[RowResult, ...]
    default: str
    halves: tuple[str, ...]
    beside_halves: tuple[HalfDifference, ...]

    def row(self, name: str) -> RowResult:
        """The row of that name."""
        return next(row for row in self.rows if row.name == name)

    @property
    def headline_metrics(self) -> tuple[str, ...]:
        """The metrics that a default is judged by."""
        return headline_metrics(self.measure.cutoffs)


def headline_metrics(cutoffs: Sequence[int]) -> tuple[str, ...]:
    """Recall at the last cutoff, NDCG at the first, and rank correlation over all pairs."""
    return (f"recall@{max(cutoffs)}", f"ndcg@{min(cutoffs)}", "spearman")


def evaluate_rows(
    rows: Sequence[SearchRow],
    judgments: Judgments,
    measure: SearchMeasure,
    default: str,
    halves: Sequence[str] = (),
    progress: Progress = silent,
) -> SearchEvaluation:
    """Ranks the catalog and scores the judged pairs by each row, with intervals over the same resamples.

    Raises:
        DataError: two rows have one name, the default is none of them, or a row's output does not fit.
    """
    names = [row.name for row in rows]
    if len(set(names)) < len(names) or default not in names:
        raise DataError(
            f"rows must have names of their own, the default {default!r} one of them (got {names})."
        )
    if not (judgments.grades >= measure.threshold).any():
        raise DataError(
            f"no judged pair has a grade of {measure.threshold:g} or more (the highest is "
            f"{judgments.grades.max():g}). Name a lower --threshold."
        )
    bootstrap = QueryBootstrap(judgments.weights, judgments.strata, measure.samples, measure.seed)
    results = []
    with progress("search rows", len(rows)) as advance:
        for row in rows:
            results.append(_measured(row, judgments, measure, bootstrap))
            advance(1)
    own = [name for name in halves if name in names]
    return SearchEvaluation(
        judgments, measure, tuple(results), default, tuple(own), _beside(results, default, own, measure)
    )


def better_half(results: Sequence[RowResult], halves: Sequence[str], metric: str) -> RowResult:
    """The half with the higher value of `metric` on these queries, which favours the half."""
    return max((row for row in results if row.name in halves), key=lambda row: row.estimates[metric].value)


def _beside(
    results: Sequence[RowResult], default: str, halves: Sequence[str], measure: SearchMeasure
) -> tuple[HalfDifference, ...]:
    if not halves or default in halves:
        return ()
    served = next(row for row in results if row.name == default)
    found = []
    for metric in headline_metrics(measure.cutoffs):
        half = better_half(results, halves, metric)
        found.append(
            HalfDifference(metric, half.name, paired(served.estimates[metric], half.estimates[metric]))
        )
    return tuple(found)


def _measured(
    row: SearchRow, judgments: Judgments, measure: SearchMeasure, bootstrap: QueryBootstrap
) -> RowResult:
    query = judgments.query_of_pair
    start = time.perf_counter()
    rankings = row.rank(judgments.queries, max(measure.cutoffs))
    scores = row.score(judgments.queries, query, judgments.items)
    seconds = time.perf_counter() - start
    wrong = int((~np.isfinite(scores)).sum())
    if len(rankings) != len(judgments) or scores.shape != query.shape or wrong:
        raise DataError(
            f"row {row.name!r} gave {len(rankings)} lists of {len(judgments)} and scores {scores.shape} of "
            f"{query.shape}, {wrong} of them not finite. Mend its rank() and score()."
        )
    values = ranking_values(judgments, rankings, measure.cutoffs, measure.threshold, measure.worthless)
    values |= pair_values(judgments, scores, (min(measure.cutoffs),), measure.worthless)
    estimates = {name: bootstrap.mean(column) for name, column in values.items()}
    estimates["spearman"] = bootstrap.spearman(scores, judgments.grades, query)
    estimates["auc"] = bootstrap.auc(scores, judgments.grades >= measure.threshold, query)
    return RowResult(row.name, estimates, values, rankings, seconds)
