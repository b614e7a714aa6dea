"""Trained models as scorers of the whole catalogue, next to the baselines."""

import numpy as np

from recsys.dataset.histories import Histories
from recsys.dataset.interactions import Cases, FloatArray, IntArray
from recsys.models.retriever import Retriever


class RetrieverScorer:
    """The first stage alone: cosine of user and item vectors.

    Args:
        cases: all cases that will be asked. histories: theirs, in the same order, from the feature store.
    """

    def __init__(self, name: str, retriever: Retriever, cases: Cases, histories: Histories) -> None:
        self.name = name
        self._rows = CaseRows(cases)
        self._user_vectors = retriever.user_vectors(histories)  # (U, D)
        self._item_vectors = retriever.item_vectors()  # (N + 1, D)

    def score(self, cases: Cases) -> FloatArray:
        """(U, N + 1) float32."""
        scores: FloatArray = self._user_vectors[self._rows.of(cases)] @ self._item_vectors.T
        return scores


class RankedScorer:
    """Both stages as served: the ranker orders the candidates, the retriever what follows them.

    Args:
        candidates: (U, C) item indexes, 0 = padding. logits: (U, C) the ranker's scores.
    """

    def __init__(
        self, name: str, first_stage: RetrieverScorer, cases: Cases, candidates: IntArray, logits: FloatArray
    ) -> None:
        self.name = name
        self._rows = CaseRows(cases)
        self._first_stage = first_stage
        self._candidates = candidates
        self._logits = logits
        self._floor = float(logits.min(initial=0.0)) - 2.0  # cosines lie within 1 of it: below every logit

    def score(self, cases: Cases) -> FloatArray:
        """(U, N + 1) float32."""
        scores = self._first_stage.score(cases) + np.float32(self._floor)
        rows = self._rows.of(cases)
        candidates, logits = self._candidates[rows], self._logits[rows]
        row, place = np.nonzero(candidates)
        scores[row, candidates[row, place]] = logits[row, place]
        return scores.astype(np.float32, copy=False)


class CaseRows:
    """Finds the place of a case among all cases by its user and instant."""

    def __init__(self, cases: Cases) -> None:
        keys = zip(cases.user_index.tolist(), cases.at.tolist(), strict=True)
        self._place = {key: place for place, key in enumerate(keys)}

    def of(self, cases: Cases) -> IntArray:
        """(U,) places of `cases`."""
        keys = zip(cases.user_index.tolist(), cases.at.tolist(), strict=True)
        return np.fromiter((self._place[key] for key in keys), np.int64, len(cases))
