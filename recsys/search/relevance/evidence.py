"""What both indexes found for a query, and from it the scores that a ranker asks of any item."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.retrieval.text_index import TextIndex
from recsys.search.relevance.features import FoundScores, places_of
from recsys.search.relevance.fusion import Fused, FusionWeights, Scored, Scores, fuse

DEPTH = 200  # of either list
FEEDBACK_ITEMS = 10


@dataclass(frozen=True)
class Evidence:
    """Both lists of a query and what they make together.

    Attributes:
        vector: (E,) of the query; zeros where it has none, as when the encoder is away.
        lexical, semantic: up to DEPTH items, best first, and their scores. fused: their union.
        centre: (E,) the mean text vector of the first items of `fused`.
    """

    vector: FloatArray
    lexical: Scored
    semantic: Scored
    fused: Fused
    centre: FloatArray
    index: TextIndex
    lexical_scores: Scores

    def scores_of(self, items: IntArray) -> FoundScores:
        """What `relevance_features` asks of the items (K,), which need not be among those found.

        Without a vector of the query nothing is known of its meaning: these scores are NaN.
        """
        words, meaning = self.lexical[1], self.semantic[1]
        if not self.vector.any():
            unknown = np.full(len(items), np.nan, np.float32)
            none = (float("nan"), float("nan"))
            best = float(words[0]) if len(words) else 0.0
            lexical = self.lexical_scores(items)
            return FoundScores(
                lexical, best, places_of(words), unknown, none[0], none, none, unknown, none[0]
            )
        feedback = self.index.cosines(self.centre, items)
        among = self.index.cosines(self.centre, self.fused.index)
        return FoundScores(
            lexical=self.lexical_scores(items),
            best_lexical=float(words[0]) if len(words) else 0.0,
            lexical_at=places_of(words),
            cosine=self.index.cosines(self.vector, items),
            best_cosine=float(meaning[0]) if len(meaning) else 0.0,
            cosine_at=places_of(meaning),
            background=self.index.background(self.vector),
            feedback=feedback,
            best_feedback=float(among.max(initial=0.0)),
        )


def gather_evidence(
    vector: FloatArray,
    index: TextIndex,
    lexical: Scored,
    lexical_scores: Callable[[IntArray], FloatArray],
    weights: FusionWeights | None = None,
    semantic: Scored | None = None,
) -> Evidence:
    """Both lists fused: candidates for the ranker, and the order where there is none.

    Args:
        vector: (E,) of the query. lexical: the best items by words, best first, DEPTH or more of them.
        lexical_scores: the lexical score of any items, 0 = no word of the query.
        semantic: the best items by meaning, best first; None = the DEPTH nearest of `index`.
    """
    weights = weights or FusionWeights()
    if semantic is None:
        semantic = index.top(vector, DEPTH if vector.any() else 0)
    fused = fuse(
        (lexical[0][:DEPTH], lexical[1][:DEPTH]),
        semantic,
        lexical_scores=lexical_scores,
        cosines=lambda items: index.cosines(vector, items),
        similar=lambda first: lambda items: index.cosines(index.centre(first), items),
        weights=weights,
    )
    centre = index.centre(fused.index[:FEEDBACK_ITEMS])
    return Evidence(vector, lexical, semantic, fused, np.asarray(centre), index, lexical_scores)
