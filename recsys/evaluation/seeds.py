"""How much of a number is chance: the same training with other seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.evaluation.compare import Evaluation
from recsys.evaluation.slices import ALL_CASES
from recsys.evaluation.tables import Cell, TableRow, metric_name

SLICES = (
    ALL_CASES,
    "cold items",
    "warm items",
    "cold users",
    "warm users",
    "repeat",
    "new to the user",
)


@dataclass(frozen=True)
class SeedStatistics:
    """One metric of the served model on one slice, by seed.

    Attributes:
        deviation: standard deviation over seeds (of a sample: divided by their number less one).
        values: one a seed.
    """

    slice: str
    metric: str
    mean: float
    deviation: float
    values: tuple[float, ...]


def measure_over_seeds(evaluations: Sequence[Evaluation]) -> tuple[SeedStatistics, ...]:
    """The headline metrics of the served model, over two or more evaluations of the same cases."""
    first, last = min(evaluations[0].cutoffs), max(evaluations[0].cutoffs)
    metrics = dict.fromkeys((f"hr@{first}", f"ndcg@{first}", f"hr@{last}", f"recall@{last}"))
    found = []
    for name in SLICES:
        for metric in metrics:
            rows = [evaluation.row(evaluation.served, metric, name) for evaluation in evaluations]
            values = tuple(row.value for row in rows if row)
            if values:
                found.append(
                    SeedStatistics(
                        name, metric, float(np.mean(values)), float(np.std(values, ddof=1)), values
                    )
                )
    return tuple(found)


def seed_rows(found: Sequence[SeedStatistics]) -> list[TableRow]:
    """One row a slice: mean and standard deviation of each metric."""
    rows: dict[str, dict[str, Cell]] = {}
    for part in found:
        row = rows.setdefault(part.slice, {"slice": part.slice})
        row[metric_name(part.metric)] = f"{part.mean:.4f} +- {part.deviation:.4f}"
    return list(rows.values())
