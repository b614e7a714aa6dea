"""A score taken apart: what each signal or feature adds to that of an average candidate of the request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from recsys.arrays import FloatArray
from recsys.models.contributions import contributions


@dataclass(frozen=True)
class ScorePart:
    """One input of a score.

    Attributes:
        value: of the item, None = missing. average: of the candidates, None = missing in all of them.
    """

    name: str
    value: float | None
    average: float | None
    contribution: float = field(metadata={"description": "what it adds, beside the average"})


@dataclass(frozen=True)
class ScoreParts:
    """A score as a sum: `average_score` and the contributions of `parts`.

    Attributes:
        model: what scores: an order of `recsys.models.orders`.
        average_score: that of an item which is in every input as the candidates are on average.
        parts: the largest contributions first.
    """

    model: str
    score: float
    average_score: float
    parts: tuple[ScorePart, ...]


def score_parts(
    model: str,
    names: Sequence[str],
    score: Callable[[FloatArray], FloatArray],
    row: FloatArray,
    candidates: FloatArray,
) -> ScoreParts:
    """The parts of the score of `row` (F,) beside the mean of `candidates` (K, F); NaN = missing.

    Args:
        names: of the F inputs. score: (R, F) -> (R,).
    """
    average = _means(candidates if len(candidates) else row[None])
    found = contributions(score, average, row, np.random.default_rng(0))
    parts = [
        ScorePart(name, _known(value), _known(mean), contribution)
        for name, value, mean, contribution in zip(
            names, row.tolist(), average.tolist(), found.tolist(), strict=True
        )
    ]
    return ScoreParts(
        model,
        score=float(score(row[None])[0]),
        average_score=float(score(average[None])[0]),
        parts=tuple(sorted(parts, key=lambda part: -abs(part.contribution))),
    )


def with_part(parts: ScoreParts, name: str, value: float, average: float) -> ScoreParts:
    """`parts` of a score that `value` was added to; the candidates have `average` of it on average."""
    added = ScorePart(name, value, average, value - average)
    return ScoreParts(
        parts.model,
        score=parts.score + value,
        average_score=parts.average_score + average,
        parts=tuple(sorted((*parts.parts, added), key=lambda part: -abs(part.contribution))),
    )


def _means(rows: FloatArray) -> FloatArray:
    """(F,) means of rows (K, F), NaN left out; NaN where all are."""
    known = ~np.isnan(rows)
    count = known.sum(0)
    total = np.where(known, rows, 0.0).astype(np.float64).sum(0)
    means: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    return means


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
