"""An evaluation as rows for a screen, a page or another program."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TypeAlias

from pydantic import JsonValue

from recsys.arrays import IntArray
from recsys.evaluation.compare import Evaluation, Row
from recsys.evaluation.intervals import format_difference, outcome_of
from recsys.evaluation.popularity_bias import TAKEN, group_shares, popularity_percentiles
from recsys.evaluation.reliability import Reliability
from recsys.evaluation.slices import ALL_CASES, CATEGORY, HISTORY

Cell: TypeAlias = str | int | float
TableRow: TypeAlias = Mapping[str, Cell]
NAMES = {"hr": "HR", "recall": "Recall", "ndcg": "NDCG", "mrr": "MRR"}


def table_rows(evaluation: Evaluation) -> list[TableRow]:
    """One row a model: metrics with 95% intervals, what the lists are like, seconds."""
    first, last = min(evaluation.cutoffs), max(evaluation.cutoffs)
    shown = [f"hr@{first}", f"ndcg@{first}", f"mrr@{first}", f"recall@{last}"]
    if has_many_targets(evaluation):
        shown.insert(1, f"recall@{first}")
    rows: list[TableRow] = []
    for model in evaluation.models:
        row: dict[str, Cell] = {"model": model}
        for metric in shown:
            found = evaluation.row(model, metric)
            row[metric_name(metric)] = (
                format_interval(found) if metric[:2] in ("hr", "nd") else format_value(found)
            )
        for metric in ("coverage", "novelty", "diversity"):
            found = evaluation.row(model, f"{metric}@{first}")
            if found:
                row[metric] = format_value(found, 2 if metric == "novelty" else 4)
        row["popularity bias"] = format_signed(evaluation.row(model, f"popularity_bias@{first}"))
        row["seconds"] = round(evaluation.seconds[model], 1)
        rows.append(row)
    return rows


def difference_rows(evaluation: Evaluation) -> list[TableRow]:
    """One row a model and headline metric: its difference from the reference, with interval and verdict."""
    first = min(evaluation.cutoffs)
    rows: list[TableRow] = []
    for metric in (f"hr@{first}", f"ndcg@{first}"):
        for model in evaluation.models:
            found = evaluation.row(model, metric)
            if found and found.difference is not None:
                low, high = found.difference_low or 0.0, found.difference_high or 0.0
                rows.append(
                    {
                        "model": model,
                        "metric": metric_name(metric),
                        f"minus {evaluation.reference}": format_difference(found.difference, low, high),
                        "verdict": outcome_of(low, high),
                    }
                )
    return rows


def slice_rows(evaluation: Evaluation, metric: str, names: Sequence[str]) -> list[TableRow]:
    """One row for each of the slices `names`: its cases and `metric` of each model."""
    rows: list[TableRow] = []
    for name in names:
        found = {model: evaluation.row(model, metric, name) for model in evaluation.models}
        cases = max((row.cases for row in found.values() if row), default=0)
        values = {model: format_value(row) for model, row in found.items()}
        rows.append({"slice": name, "cases": cases, **values})
    return rows


def slice_groups(evaluation: Evaluation) -> dict[str, list[str]]:
    """File name -> the slices that belong together; a group of nothing but all cases is left out."""
    groups: dict[str, list[str]] = {"slices": [], "history": [], "categories": []}
    for name in evaluation.slices:
        group = (
            "history" if name.startswith(HISTORY) else "categories" if name.startswith(CATEGORY) else "slices"
        )
        groups[group].append(name)
    return {group: names for group, names in groups.items() if names not in ([], [ALL_CASES])}


def shown_rows(evaluation: Evaluation) -> list[TableRow]:
    """One row a model, the last for what people took: groups of items, and how popular they are."""
    first = min(evaluation.cutoffs)
    shares = group_shares(shown_items(evaluation), evaluation.item_events)
    percentiles = popularity_percentiles(evaluation.item_events)
    taken = float(percentiles[evaluation.cases.targets].mean())
    rows: list[TableRow] = []
    for place, model in enumerate((*evaluation.models, TAKEN)):
        found = evaluation.row(model, f"popularity@{first}")
        rows.append(
            {"lists of": model}
            | {group: f"{values[place]:.4f}" for group, values in shares.items()}
            | {"mean percentile": f"{taken:.4f}" if model == TAKEN else format_value(found)}
            | {"bias": format_signed(evaluation.row(model, f"popularity_bias@{first}"))}
        )
    return rows


def shown_items(evaluation: Evaluation) -> dict[str, IntArray]:
    """Model -> the items of its first places; and what people took."""
    first = min(evaluation.cutoffs)
    lists = {model: found.items[:, :first].ravel() for model, found in evaluation.rankings.items()}
    return lists | {TAKEN: evaluation.cases.targets}


def calibration_rows(calibration: Reliability) -> list[TableRow]:
    """One row a bin: candidates, mean p_click, how many came true with a 95% interval."""
    return [
        {
            "candidates": part.candidates,
            "mean p_click": f"{part.predicted:.5f}",
            "came true": f"{part.observed:.5f} [{part.low:.5f}, {part.high:.5f}]",
        }
        for part in calibration.bins
    ]


def kind_rows(evaluation: Evaluation) -> list[TableRow]:
    """One row a kind of request: its order, what is served and the best baseline, and their difference."""
    return [
        {
            "kind": result.kind,
            "ordered by": result.order,
            "cases": result.found.cases,
            "NDCG@20": f"{result.found.value:.4f}",
            "best baseline": f"{result.baseline} {result.found.other:.4f}",
            "difference": format_difference(result.found.difference, result.found.low, result.found.high),
            "loses": "yes" if result.loses else "no",
        }
        for result in evaluation.kinds
    ]


def evaluation_json(evaluation: Evaluation) -> dict[str, JsonValue]:
    """Everything measured, as JSON; per-case values and rankings are left out."""
    return {
        "protocol": evaluation.protocol,
        "seen": evaluation.seen,
        "reference": evaluation.reference,
        "cases": len(evaluation.cases),
        "targets": len(evaluation.cases.targets),
        "cases_without_targets": evaluation.without_targets,
        "catalogue": len(evaluation.item_events) - 1,
        "seconds": dict(evaluation.seconds),
        "served": evaluation.served,
        "verdict": {**evaluation.verdict.to_json()} if evaluation.verdict else None,
        "calibration": {kind: asdict(found) for kind, found in evaluation.calibration.items()},
        "kinds": [{**result.to_json()} for result in evaluation.kinds],
        "rows": [asdict(row) for row in evaluation.rows],
    }


def has_many_targets(evaluation: Evaluation) -> bool:
    """Whether some case has several targets; with one, recall is the hit rate."""
    return len(evaluation.cases.targets) > len(evaluation.cases)


def metric_name(metric: str) -> str:
    """As people write it.

    >>> metric_name("ndcg@10"), metric_name("coverage@10")
    ('NDCG@10', 'coverage@10')
    """
    name, _, place = metric.partition("@")
    return f"{NAMES.get(name, name)}@{place}"


def format_interval(row: Row | None) -> str:
    """`.1282 [.1253, .1311]` with leading zeros, or a dash."""
    if row is None or row.low is None or row.high is None:
        return format_value(row)
    return f"{row.value:.4f} [{row.low:.4f}, {row.high:.4f}]"


def format_value(row: Row | None, digits: int = 4) -> str:
    """The row's value, or a dash."""
    return "-" if row is None else f"{row.value:.{digits}f}"


def format_signed(row: Row | None) -> str:
    """The row's value with its sign, or a dash."""
    return "-" if row is None else f"{row.value:+.4f}"


def evaluation_headline(evaluation: Evaluation) -> str:
    """One paragraph on protocol, cases and catalog."""
    cases, targets = len(evaluation.cases), len(evaluation.cases.targets)
    seen = {
        "remove": "Items that a user had before are neither shown nor asked for",
        "keep": "Items that a user had before may be shown again and count when they come again",
    }[evaluation.seen]
    left = (
        f" {evaluation.without_targets:,} cases without a new item are left out."
        if evaluation.without_targets
        else ""
    )
    return (
        f"Protocol {evaluation.protocol}: {cases:,} cases with {targets:,} targets, each ranked against all "
        f"{len(evaluation.item_events) - 1:,} items of the catalog. {seen}.{left}"
    )
