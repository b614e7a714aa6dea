"""Text encoders side by side: how well their vectors predict what comes next, alone and beside neighbours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.arrays import FloatArray
from recsys.config import EvaluationSettings
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import Split
from recsys.evaluation.baselines import (
    GRAPH_NEIGHBOURS,
    ItemNeighbours,
    NeighboursAndText,
    center_vectors,
    recent_history,
    spare_popularity,
)
from recsys.evaluation.compare import Evaluation, evaluate_scorers
from recsys.evaluation.rankings import Seen
from recsys.evaluation.scorer import Scorer
from recsys.progress import Progress, silent
from recsys.retrieval.neighbours import co_occurrence, neighbour_graph
from recsys.retrieval.tfidf import tfidf_matrix

WORDS = "words"  # TF-IDF: what needs no encoder


@dataclass(frozen=True)
class TextNeighbours:
    """score_i = sum over the user's last 50 moments h of decay^(moments since h) V_h . V_i + rest_i.

    Attributes:
        vectors: (N + 1, E), dense or sparse, unit rows.
        rest: (N + 1,) tiny scores, the answer for users without history.
    """

    name: str
    interactions: Interactions
    vectors: FloatArray
    rest: FloatArray
    moments: int = 50
    decay: float = 0.8

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, see `recsys.evaluation.scorer.Scorer`."""
        history = recent_history(self.interactions, cases, self.moments, self.decay)
        similarity = (history @ self.vectors) @ self.vectors.T
        dense = similarity.toarray() if hasattr(similarity, "toarray") else similarity
        return np.asarray(dense + self.rest, np.float32)


@dataclass(frozen=True)
class EncoderComparison:
    """The encoders' evaluations on the same cases, each against the first encoder.

    Attributes:
        alone: by text vectors alone, and by words. added: vectors added to co-occurrence and words.
    """

    alone: Evaluation
    added: Evaluation


def compare_encoders(
    split: Split,
    interactions: Interactions,
    titles: Sequence[str],
    vectors: Mapping[str, FloatArray],
    settings: EvaluationSettings,
    *,
    seen: Seen,
    cases: int,
    progress: Progress = silent,
) -> EncoderComparison:
    """The evaluation of each encoder's vectors on the same test cases.

    Args:
        titles: N + 1, "" at 0.
        vectors: encoder's name -> (N + 1, E) text vectors, row 0 zeros; the first is the reference.
        cases: at most so many, sampled by `settings.seed`.

    Raises:
        DataError: there is no case.
    """
    split = replace(split, test=_sample_cases(split.test, cases, settings.seed))
    rest = spare_popularity(split.train, 1e-6)
    words = tfidf_matrix(titles)
    neighbours, scores = co_occurrence(split.train, GRAPH_NEIGHBOURS, progress=progress)
    knn = ItemNeighbours(interactions, neighbour_graph(neighbours, scores), rest)
    placed = {name: center_vectors(rows, len(titles)) for name, rows in vectors.items()}
    alone: list[Scorer] = [TextNeighbours(name, interactions, rows, rest) for name, rows in placed.items()]
    alone.append(TextNeighbours(WORDS, interactions, words, rest))
    added: list[Scorer] = [NeighboursAndText(knn, words, rows, name=name) for name, rows in placed.items()]
    added.append(NeighboursAndText(knn, words, center_vectors(None, len(titles)), name=WORDS))

    def evaluate_all(scorers: Sequence[Scorer]) -> Evaluation:
        first = scorers[0].name
        return evaluate_scorers(
            scorers, split, interactions, settings, seen=seen, reference=first, progress=progress
        )

    return EncoderComparison(evaluate_all(alone), evaluate_all(added))


def _sample_cases(cases: EvalCases, most: int, seed: int) -> EvalCases:
    if len(cases) <= most:
        return cases
    return cases.take(np.sort(np.random.default_rng(seed).choice(len(cases), most, replace=False)))
