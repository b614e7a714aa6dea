"""An evaluation of search as rows for people, and as JSON."""

import math
from collections.abc import Sequence

from recsys.documents import JsonObject
from recsys.evaluation.intervals import DIGITS, format_difference, outcome_of
from recsys.evaluation.search.bootstrap import Estimate, paired
from recsys.evaluation.search.compare import HalfDifference, RowResult, SearchEvaluation
from recsys.evaluation.tables import Cell, TableRow
from recsys.evaluation.verdict import difference_sentence

_NAMES = {
    "recall": "Recall",
    "ndcg": "NDCG",
    "mrr": "MRR",
    "precision": "precision",
    "judged": "judged",
    "ndcg_judged": "NDCG, judged only",
    "spearman": "Spearman",
    "spearman_query": "Spearman by query",
    "auc": "AUC",
}


def metric_label(metric: str) -> str:
    """As people write it.

    >>> metric_label("ndcg@10"), metric_label("spearman"), metric_label("ndcg_judged@10")
    ('NDCG@10', 'Spearman', 'NDCG@10, judged only')
    """
    name, _, place = metric.partition("@")
    label = _NAMES.get(name, name)
    if not place:
        return label
    first, comma, rest = label.partition(",")
    return f"{first}@{place}{comma}{rest}"


def summary_rows(evaluation: SearchEvaluation) -> list[TableRow]:
    """One line a row: the headline metrics with 95% intervals, the others as values."""
    first, last = min(evaluation.measure.cutoffs), max(evaluation.measure.cutoffs)
    wide = set(evaluation.headline_metrics)
    shown = dict.fromkeys(
        [
            f"recall@{last}",
            f"ndcg@{first}",
            f"mrr@{last}",
            "spearman",
            "spearman_query",
            "auc",
            f"judged@{first}",
        ]
    )
    lines: list[TableRow] = []
    for row in evaluation.rows:
        line: dict[str, Cell] = {"row": row_label(evaluation, row.name)}
        for metric in shown:
            estimate = row.estimates[metric]
            line[metric_label(metric)] = format_estimate(estimate, with_interval=metric in wide)
        line["seconds"] = round(row.seconds, 1)
        lines.append(line)
    return lines


def difference_lines(evaluation: SearchEvaluation) -> list[TableRow]:
    """One line a row but the default: the default less that row, by headline metric."""
    served = evaluation.row(evaluation.default)
    return [
        {
            "row": row.name,
            **{
                f"default minus row: {metric_label(metric)}": _difference(served, row, metric)
                for metric in evaluation.headline_metrics
            },
        }
        for row in evaluation.rows
        if row.name != evaluation.default
    ]


def row_label(evaluation: SearchEvaluation, name: str) -> str:
    """The row's name, marked where a shop searches by it."""
    return f"{name} (default)" if name == evaluation.default else name


def half_sentence(default: str, part: HalfDifference) -> str:
    """What may be said of the default beside the better of its halves, no more than the interval allows."""
    other = f"the better of its halves, {part.half}"
    return difference_sentence(default, other, metric_label(part.metric), part.found)


def search_headline(evaluation: SearchEvaluation) -> str:
    """One paragraph on queries, pairs, what counts as relevant, and what was left out."""
    judgments, measure = evaluation.judgments, evaluation.measure
    relevant = int((judgments.grades >= measure.threshold).sum())
    text = (
        f"{len(judgments):,} queries with {len(judgments.items):,} judged pairs; {relevant:,} pairs have a "
        f"grade of {measure.threshold:g} or more and count as relevant. Each query ranks the whole catalog. "
        "An item without a judgment counts as not relevant; judged@k is the share of the first k places "
        "that is judged. Spearman and AUC are over all judged pairs, Spearman by query is the mean over "
        "queries."
    )
    if judgments.not_in_catalog:
        text += f" {judgments.not_in_catalog:,} pairs whose item the catalog lacks are left out."
    if judgments.repeated:
        text += f" {judgments.repeated:,} further grades of a pair were averaged with its first."
    if len(set(judgments.weights.tolist())) > 1:
        text += " Queries count by their weights, so that the sample stands for all searches."
    return text


def search_json(evaluation: SearchEvaluation) -> JsonObject:
    """Every metric with its interval, and the default beside its halves and each row."""
    judgments, measure = evaluation.judgments, evaluation.measure
    served = evaluation.row(evaluation.default)
    return {
        "queries": len(judgments),
        "pairs": len(judgments.items),
        "not_in_catalog": judgments.not_in_catalog,
        "repeated": judgments.repeated,
        "threshold": measure.threshold,
        "worthless": measure.worthless,
        "cutoffs": list(measure.cutoffs),
        "default": evaluation.default,
        "halves": list(evaluation.halves),
        "rows": [_row_json(row, served) for row in evaluation.rows],
        "beside_halves": [
            {
                "metric": part.metric,
                "half": part.half,
                "difference": part.found.difference,
                "low": part.found.low,
                "high": part.found.high,
                "outcome": part.found.outcome,
                "text": half_sentence(evaluation.default, part),
            }
            for part in evaluation.beside_halves
        ],
    }


def format_estimate(estimate: Estimate, *, with_interval: bool) -> str:
    """The value, with its interval where that is asked for; a dash where it means nothing."""
    if math.isnan(estimate.value):
        return "-"
    low, high = estimate.interval
    text = f"{estimate.value:.{DIGITS}f}"
    return f"{text} [{low:.{DIGITS}f}, {high:.{DIGITS}f}]" if with_interval else text


def _row_json(row: RowResult, served: RowResult) -> JsonObject:
    metrics = {}
    for name, estimate in row.estimates.items():
        low, high = estimate.interval
        found = {"value": _number(estimate.value), "low": _number(low), "high": _number(high)}
        found["queries"] = estimate.cases
        if row.name != served.name:
            apart = paired(served.estimates[name], estimate)
            found["default_minus_row"] = _number(apart.difference)
            found["default_minus_row_low"], found["default_minus_row_high"] = (
                _number(apart.low),
                _number(apart.high),
            )
        metrics[name] = found
    return {"row": row.name, "seconds": round(row.seconds, 3), "metrics": metrics}


def _difference(served: RowResult, row: RowResult, metric: str) -> str:
    found = paired(served.estimates[metric], row.estimates[metric])
    if math.isnan(found.difference):
        return "-"
    return (
        f"{format_difference(found.difference, found.low, found.high)}, {outcome_of(found.low, found.high)}"
    )


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value


def headline_values(rows: Sequence[RowResult], metric: str) -> list[tuple[str, float, float, float]]:
    """Row, value and ends of the interval, for a picture; rows without a value are left out."""
    found = []
    for row in rows:
        estimate = row.estimates[metric]
        if not math.isnan(estimate.value):
            found.append((row.name, estimate.value, *estimate.interval))
    return found
