"""Several scorers on the same cases: every metric, on every slice, with paired intervals."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recsys import metrics
from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.config import EvaluationSettings
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import Split
from recsys.errors import DataError
from recsys.evaluation.intervals import Intervals, paired_bootstrap
from recsys.evaluation.popularity_bias import measure_popularity_bias
from recsys.evaluation.rankings import Rankings, Seen, rank_catalog
from recsys.evaluation.reliability import Reliability
from recsys.evaluation.request_kinds import KindResult
from recsys.evaluation.scorer import Scorer
from recsys.evaluation.slices import ALL_CASES, Slice, repeat_targets, restrict_cases, slices_of
from recsys.evaluation.verdict import Verdict, measure_verdict
from recsys.models.orders import NEIGHBOURS_AND_TEXT
from recsys.progress import Progress, silent

VALIDATION_CHOOSES = "recsys, validation only chooses"  # as published models are trained


@dataclass(frozen=True)
class Row:
    """One number of the report.

    Attributes:
        metric: for example `ndcg@10`.
        low, high: 95% interval; None where the metric is not a mean over cases.
        difference: from the reference model on the same cases, with its own paired interval.
    """

    model: str
    slice: str
    metric: str
    value: float
    low: float | None
    high: float | None
    cases: int
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """All models' rankings and numbers.

    Attributes:
        seen: `remove` leaves out what a user had before, in rankings and among the targets alike.
        reference: the model that `Row.difference` is taken from.
        without_targets: cases left out because the user had all their targets before.
        item_events: (N + 1,) training events an item, for the popularity of what is shown.
        served: the model under evaluation; the others are there to compare it with.
        calibration: kind of request -> that of its probabilities, where it gives any. no_ranker: why it gives
        none, if that is known.
        rankings: by model.
        values: model -> metric -> (U,) one value a case, on all cases.
        seconds: model -> seconds to rank all cases.
        verdict: the served model beside the best baseline; None where there is none.
        kinds: the same by kind of request, at NDCG@20.
    """

    protocol: str
    seen: Seen
    reference: str
    served: str
    cutoffs: tuple[int, ...]
    cases: EvalCases
    without_targets: int
    item_events: IntArray
    rows: tuple[Row, ...]
    rankings: Mapping[str, Rankings]
    values: Mapping[str, Mapping[str, DoubleArray]]
    seconds: Mapping[str, float]
    calibration: Mapping[str, Reliability] = field(default_factory=dict)
    no_ranker: str | None = None
    verdict: Verdict | None = None
    kinds: tuple[KindResult, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in the order of the scorers."""
        return tuple(self.rankings)

    @property
    def slices(self) -> tuple[str, ...]:
        """Names of the slices, `all` first."""
        return tuple(dict.fromkeys(row.slice for row in self.rows))

    def row(self, model: str, metric: str, slice_name: str = ALL_CASES) -> Row | None:
        """The row of that name, None if there is none."""
        wanted = (model, metric, slice_name)
        return next((row for row in self.rows if (row.model, row.metric, row.slice) == wanted), None)


def evaluate_scorers(
    scorers: Sequence[Scorer],
    split: Split,
    interactions: Interactions,
    settings: EvaluationSettings,
    *,
    seen: Seen,
    categories: Sequence[str] = (),
    part: str = "test",
    reference: str = NEIGHBOURS_AND_TEXT,
    served: str | None = None,
    stages: Sequence[str] = (),
    progress: Progress = silent,
) -> Evaluation:
    """Ranks the whole catalog by each scorer for each case of `part` and compares the results.

    With `seen="remove"` only new items count: targets that the user had before are not targets, and a case
    without others is left out.

    Args:
        interactions: all actions, test included; nothing at or after a case's instant is shown.
        categories: (N + 1,) the category of each item, "" = unknown; for slices and the diversity of lists.
        part: `test` or `validation`.
        reference: name of the scorer to compare with (see `baselines.reference_baseline`); the first scorer
            if there is none of that name.
        served: name of the scorer under evaluation; the last one by default.
        stages: names of scorers that are parts of the served one, and so no baselines.

    Raises:
        DataError: no scorer, two of one name, no case with a target, or a scorer's output does not fit.
    """
    total = len(split.test if part == "test" else split.validation)
    cases = cases_to_rank(split, interactions, seen, part)
    names = [scorer.name for scorer in scorers]
    if not names or len(set(names)) < len(names):
        raise DataError(f"scorers must have names of their own (got {', '.join(names) or 'none'}).")
    places = max(settings.cutoffs)
    rankings: dict[str, Rankings] = {}
    seconds: dict[str, float] = {}
    for scorer in scorers:
        start = time.perf_counter()
        rankings[scorer.name] = rank_catalog(scorer, cases, interactions, places, seen, progress=progress)
        seconds[scorer.name] = time.perf_counter() - start
    reference = reference if reference in names else names[0]
    served = served or names[-1]
    baselines = [name for name in names if name not in (served, VALIDATION_CHOOSES, *stages)]
    events = np.bincount(split.train.item_index, minlength=len(split.train.items))
    slices = slices_of(cases, split.train, interactions, categories)
    rows, values = _compare_rankings(rankings, cases, slices, reference, settings, progress)
    return Evaluation(
        protocol=split.protocol,
        seen=seen,
        reference=reference,
        served=served,
        cutoffs=settings.cutoffs,
        cases=cases,
        without_targets=total - len(cases),
        item_events=events,
        rows=(*rows, *_list_rows(rankings, cases, events, categories, min(settings.cutoffs))),
        rankings=rankings,
        values=values,
        seconds=seconds,
        verdict=measure_verdict(served, baselines, rankings, cases, events, settings),
    )


def cases_to_rank(split: Split, interactions: Interactions, seen: Seen, part: str = "test") -> EvalCases:
    """The cases of `part` that have a target: with `seen="remove"` one that the user did not have before.

    Raises:
        DataError: there is none.
    """
    every = split.test if part == "test" else split.validation
    if seen == "keep":
        cases = every
    else:
        cases, _ = restrict_cases(every, ~repeat_targets(every, interactions))
    if not len(cases):
        raise DataError(
            f"none of {len(every)} cases has a target to find. Use another split, or --seen keep where all "
            "that people do is to come back to the same items."
        )
    return cases


def ranking_metrics(hits: BoolArray, targets: IntArray, cutoffs: Sequence[int]) -> dict[str, DoubleArray]:
    """Metric name -> (U,) one value a case."""
    values: dict[str, DoubleArray] = {}
    for k in cutoffs:
        values[f"hr@{k}"] = metrics.hit_rate(hits, k)
        values[f"recall@{k}"] = metrics.recall(hits, targets, k)
        values[f"ndcg@{k}"] = metrics.ndcg(hits, targets, k)
        values[f"mrr@{k}"] = metrics.reciprocal_rank(hits, k)
    return values


def _compare_rankings(
    rankings: Mapping[str, Rankings],
    cases: EvalCases,
    slices: Sequence[Slice],
    reference: str,
    settings: EvaluationSettings,
    progress: Progress,
) -> tuple[list[Row], dict[str, dict[str, DoubleArray]]]:
    """The rows of all slices, and the per-case values on all cases."""
    ranks = {
        model: metrics.target_ranks(ranking.items, cases.target_offsets, cases.targets)
        for model, ranking in rankings.items()
    }
    rng = np.random.default_rng(settings.seed)
    rows: list[Row] = []
    values: dict[str, dict[str, DoubleArray]] = {}
    with progress("intervals", len(slices)) as advance:
        for part in slices:
            inside, _ = restrict_cases(cases, part.targets)
            offsets = inside.target_offsets
            measured = {
                model: ranking_metrics(
                    metrics.hits_at(places[part.targets], offsets, max(settings.cutoffs)),
                    np.diff(offsets),
                    settings.cutoffs,
                )
                for model, places in ranks.items()
            }
            if part.name == ALL_CASES:
                values = measured
            rows += _slice_rows(measured, part.name, reference, settings.bootstrap_samples, rng)
            advance(1)
    return rows, values


def _slice_rows(
    measured: Mapping[str, Mapping[str, DoubleArray]],
    name: str,
    reference: str,
    samples: int,
    rng: np.random.Generator,
) -> list[Row]:
    columns = [(model, metric) for model, values in measured.items() for metric in values]
    matrix = np.stack([measured[model][metric] for model, metric in columns], axis=1)  # (U, C)
    against = np.array([columns.index((reference, metric)) for _, metric in columns])
    found = paired_bootstrap(matrix, against, samples, rng)
    return [
        _row(model, name, metric, place, found, len(matrix), model != reference)
        for place, (model, metric) in enumerate(columns)
    ]


def _row(model: str, name: str, metric: str, place: int, found: Intervals, cases: int, compared: bool) -> Row:
    value, low, high = float(found.mean[place]), float(found.low[place]), float(found.high[place])
    if not compared:
        return Row(model, name, metric, value, low, high, cases)
    return Row(
        model,
        name,
        metric,
        value,
        low,
        high,
        cases,
        float(found.difference[place]),
        float(found.difference_low[place]),
        float(found.difference_high[place]),
    )


def _list_rows(
    rankings: Mapping[str, Rankings], cases: EvalCases, events: IntArray, categories: Sequence[str], k: int
) -> list[Row]:
    """What the lists of the first `k` are like, whoever they were right for."""
    information = metrics.self_information(events)
    codes = np.unique(np.asarray(categories, np.str_), return_inverse=True)[1] if any(categories) else None
    rows = []
    for model, ranking in rankings.items():
        shown = ranking.items[:, :k]
        found = {
            "coverage": metrics.coverage(shown, len(events) - 1),
            "novelty": float(metrics.novelty(shown, information).mean()),
            **measure_popularity_bias(shown, cases.targets, events),
        }
        if codes is not None:
            found["diversity"] = float(metrics.intra_list_diversity(shown, codes).mean())
        rows += [
            Row(model, ALL_CASES, f"{name}@{k}", value, None, None, len(ranking))
            for name, value in found.items()
        ]
    return rows
