"""Trained models as scorers of the whole catalog, next to the baselines."""

from itertools import pairwise

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.dataset.interactions import EvalCases, Histories, Interactions
from recsys.dataset.split import histories_before
from recsys.funnel.offline import candidate_lists
from recsys.models.bundle import Bundle
from recsys.models.orders import (
    FUSION,
    NO_HISTORY,
    POPULARITY_OF_ALL_TIME,
    RANKER,
    REQUEST_KINDS,
    kind_of,
)
from recsys.models.retriever.retriever import Retriever
from recsys.progress import Progress, silent
from recsys.training.feature_reads import TrainingFeatures, read_histories, read_ranking_features

REQUESTS_AT_ONCE = 500


class RetrieverScorer:
    """The first stage alone: cosine of user and item vectors; popularity for users without a history.

    Args:
        cases: all cases that will be scored. histories: theirs, in the same order, from the feature store.
        popularity: (N + 1,) as the bundle serves it to users without a history.
    """

    def __init__(
        self, name: str, retriever: Retriever, cases: EvalCases, histories: Histories, popularity: FloatArray
    ) -> None:
        self.name = name
        self._rows = CaseRows(cases)
        self._user_vectors = retriever.user_vectors(histories)  # (U, D)
        self._item_vectors = retriever.item_vectors()  # (N + 1, D)
        self._popularity = popularity / max(float(popularity.max()), 1e-9)  # at most 1, like a cosine

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32."""
        users = self._user_vectors[self._rows.of(cases)]
        scores: FloatArray = users @ self._item_vectors.T
        scores[~users.any(axis=1)] = self._popularity
        return scores


class ServedScorer:
    """As served: the candidates by their scores, then all other items in the network's order.

    A user without a history gets popularity, as in service.

    Args:
        candidates: (U, C) item indexes, 0 = padding. scores: (U, C) what orders them.
        known: (U,) whether the user has a history.
        p_click: (U, C) calibrated probabilities; None without a ranker.
    """

    def __init__(
        self,
        name: str,
        network: RetrieverScorer,
        cases: EvalCases,
        candidates: IntArray,
        scores: FloatArray,
        known: BoolArray,
        p_click: FloatArray | None = None,
    ) -> None:
        self.name = name
        self._p_click = p_click
        self._rows = CaseRows(cases)
        self._network = network
        self._found, self._known = candidates, known
        self._candidates = np.where(known[:, None], candidates, 0)
        self._scores = scores
        self._floor = float(scores[known].min(initial=0.0)) - 2.0  # cosines lie within 1: below every score

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32."""
        out = self._network.score(cases) + np.float32(self._floor)
        rows = self._rows.of(cases)
        candidates, scores = self._candidates[rows], self._scores[rows]
        row, place = np.nonzero(candidates)
        out[row, candidates[row, place]] = scores[row, place]
        return out.astype(np.float32, copy=False)

    def probabilities(self, cases: EvalCases) -> tuple[IntArray, FloatArray, BoolArray] | None:
        """(U, C) candidates, 0 = padding, their (U, C) p_click, and (U,) who has a history.

        Candidates of users without a history are the most popular items. None without a ranker.
        """
        if self._p_click is None:
            return None
        rows = self._rows.of(cases)
        return self._found[rows], self._p_click[rows], self._known[rows]


def seen_lists(interactions: Interactions, cases: EvalCases) -> list[IntArray]:
    """For each case the items that its user acted on strictly before its instant, less what was undone."""
    case, action = histories_before(interactions, cases)
    edges = np.searchsorted(case, np.arange(len(cases) + 1))
    items = interactions.item_index[action]
    return [items[start:end] for start, end in pairwise(edges)]


class CaseRows:
    """Finds the row of a case among all cases by its user and instant."""

    def __init__(self, cases: EvalCases) -> None:
        keys = zip(cases.user_index.tolist(), cases.at.tolist(), strict=True)
        self._row = {key: row for row, key in enumerate(keys)}

    def of(self, cases: EvalCases) -> IntArray:
        """(U,) rows of `cases`."""
        keys = zip(cases.user_index.tolist(), cases.at.tolist(), strict=True)
        return np.fromiter((self._row[key] for key in keys), np.int64, len(cases))


def bundle_scorers(
    bundle: Bundle,
    interactions: Interactions,
    cases: EvalCases,
    features: TrainingFeatures,
    candidates: int,
    seen: bool,
    progress: Progress = silent,
) -> list[RetrieverScorer | ServedScorer]:
    """The bundle's network alone, its fused first stage, and what is served, which may be ordered otherwise.

    What is served comes last, and stands for the fused first stage where there is no ranker.

    Args:
        candidates: how many are ordered, as in service.
        seen: whether items that a user had before may be recommended again.
    """
    length, order = columns.HISTORY_LENGTH, bundle.order_of(kind_of(seen))
    histories = read_histories(features, interactions, cases.user_index, cases.at, length, progress)
    all_time = bundle.order_of(NO_HISTORY) == POPULARITY_OF_ALL_TIME
    popularity = bundle.signal_tables.item_events if all_time else bundle.popularity
    network = RetrieverScorer("network alone", bundle.retriever, cases, histories, popularity)
    known = histories.known
    without = None if seen else seen_lists(interactions, cases)
    found, scores = candidate_lists(bundle, histories, without, candidates, progress)
    served = scores
    if order not in (RANKER, FUSION):
        served = candidate_lists(bundle, histories, without, candidates, progress, order)[1]
    ranker = bundle.ranker
    if ranker is None:
        return [network, ServedScorer("recsys", network, cases, found, served, known)]
    logits = np.empty(found.shape, np.float32)
    with progress("ranking features", len(cases)) as advance:
        for start in range(0, len(cases), REQUESTS_AT_ONCE):
            rows = np.arange(start, min(start + REQUESTS_AT_ONCE, len(cases)))
            matrix = read_ranking_features(features, interactions, cases.take(rows), found[rows])
            matrix = np.concatenate([matrix, scores[rows][:, :, None]], axis=2)  # (R, C, F)
            flat = ranker.score(matrix.reshape(-1, matrix.shape[2]))
            logits[rows] = flat.reshape(len(rows), -1)
            advance(len(rows))
    return [
        network,
        ServedScorer("fusion", network, cases, found, scores, known),
        ServedScorer(
            "recsys",
            network,
            cases,
            found,
            logits if order == RANKER else served,
            known,
            np.where(
                known[:, None],
                ranker.calibrated(logits, REQUEST_KINDS.index(kind_of(seen))),
                ranker.calibrated(logits, REQUEST_KINDS.index(NO_HISTORY)),
            ),
        ),
    ]
