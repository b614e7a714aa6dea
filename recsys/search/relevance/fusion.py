"""One list of two: items by words and items by meaning, without anything learned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.errors import ConfigError

Scores = Callable[[IntArray], FloatArray]  # of item indexes (K,)
Scored = tuple[IntArray, FloatArray]  # item indexes (K,) in any order, and their scores
LEXICAL, SEMANTIC, FEEDBACK = "lexical", "semantic", "feedback"
RANK_CONSTANT = 60  # of reciprocal rank fusion. Cormack et al. 2009 (SIGIR)


@dataclass(frozen=True)
class FusionWeights:
    """How much each half counts.

    Attributes:
        lexical: of the score divided by the best of the query. semantic: of the cosine.
        feedback: of the mean cosine with the texts of the first `feedback_items`, in deviations within the
            list, times a deviation of the list's scores.
        method: `weighted`, or `ranks` for reciprocal rank fusion.
    """

    lexical: float = 0.5
    semantic: float = 0.5
    feedback: float = 0.0
    feedback_items: int = 10
    method: Literal["weighted", "ranks"] = "weighted"

    def __post_init__(self) -> None:
        weights = (self.lexical, self.semantic, self.feedback)
        if min(weights) < 0 or not max(weights[:2]) > 0 or self.feedback_items < 1:
            raise ConfigError(
                f"fusion weights {weights} with {self.feedback_items} items of feedback: no weight may be "
                "below 0, one of the first two has to be above, and at least 1 item gives feedback."
            )


@dataclass(frozen=True)
class Fused:
    """Items from the best to the worst; the parts of a score add up to it.

    Attributes:
        index: (K,) items. score: (K,) float32. parts: name -> (K,).
    """

    index: IntArray
    score: FloatArray
    parts: Mapping[str, FloatArray] = field(default_factory=dict)


def fuse(
    lexical: Scored,
    semantic: Scored,
    *,
    lexical_scores: Scores | None = None,
    cosines: Scores | None = None,
    similar: Callable[[IntArray], Scores] | None = None,
    weights: FusionWeights | None = None,
) -> Fused:
    """The union of two lists, each item once, ordered by one score; equal ones by index.

    Args:
        lexical, semantic: what either index found; one or both may be empty.
        lexical_scores, cosines: the scores of items that only the other half found; where they are left out,
            such an item has 0 there.
        similar: given items, the mean cosine of others with these: see `FusionWeights.feedback`.
    """
    weights = weights or FusionWeights()
    index = np.union1d(lexical[0], semantic[0]).astype(np.int64)
    words = _joined(index, lexical, lexical_scores)
    meaning = _joined(index, semantic, cosines)
    if weights.method == "ranks":
        parts = {
            LEXICAL: weights.lexical * _reciprocal_ranks(index, lexical),
            SEMANTIC: weights.semantic * _reciprocal_ranks(index, semantic),
        }
    else:
        top = float(words.max(initial=0.0))
        parts = {
            LEXICAL: weights.lexical * (words / top if top > 0 else words),
            SEMANTIC: weights.semantic * meaning,
        }
    score = np.sum(list(parts.values()), axis=0)
    if similar is not None and weights.feedback and len(index) > 1:
        first = index[_order(index, score)[: weights.feedback_items]]
        parts[FEEDBACK] = weights.feedback * score.std() * _standardised(similar(first)(index))
        score = score + parts[FEEDBACK]
    order = _order(index, score)
    return Fused(
        index[order],
        score[order].astype(np.float32),
        {name: part[order].astype(np.float32) for name, part in parts.items()},
    )


def _order(index: IntArray, score: DoubleArray) -> IntArray:
    return np.lexsort((index, -score))


def _joined(index: IntArray, found: Scored, scores: Scores | None) -> DoubleArray:
    """(K,) the scores of `index`, which is sorted, from what was found and, for the others, from `scores`."""
    joined = np.zeros(len(index))
    joined[np.searchsorted(index, found[0])] = found[1]
    if scores is not None:
        missing = np.setdiff1d(index, found[0], assume_unique=True)
        if len(missing):
            joined[np.searchsorted(index, missing)] = scores(missing)
    return joined


def _reciprocal_ranks(index: IntArray, found: Scored) -> DoubleArray:
    ranks = np.zeros(len(index))
    order = found[0][np.lexsort((found[0], -found[1]))]
    ranks[np.searchsorted(index, order)] = 1 / (RANK_CONSTANT + 1 + np.arange(len(order)))
    return ranks


def _standardised(values: FloatArray) -> DoubleArray:
    wide = values.astype(np.float64)
    deviation = float(wide.std())
    out: DoubleArray = (wide - wide.mean()) / deviation if deviation else np.zeros(len(wide))
    return out
