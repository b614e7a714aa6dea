"""What any model has to beat, as scorers.

What is learned (the graph of items, counts) comes from what the model beside them learned from, training and
validation alike; a case's own history and what others did lately are read up to, not including, the case's
instant.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from recsys.arrays import FloatArray, IntArray
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import histories_before
from recsys.evaluation.scorer import Scorer
from recsys.instants import DAY, NEVER
from recsys.models import orders
from recsys.progress import Progress, silent
from recsys.retrieval.neighbours import co_occurrence, neighbour_graph
from recsys.retrieval.tfidf import tfidf_matrix

GRAPH_NEIGHBOURS = 500
COSINE_AND_TFIDF = "item cosine + TF-IDF"


def item_graph(train: Interactions, progress: Progress = silent) -> sparse.csr_matrix:
    """(N + 1, N + 1) the co-occurrence graph that kNN looks up: most of the work of `build_baselines`."""
    return neighbour_graph(*co_occurrence(train, GRAPH_NEIGHBOURS, progress=progress))


def build_baselines(
    train: Interactions,
    interactions: Interactions,
    *,
    clock: bool,
    repeats: bool,
    texts: Sequence[str] = (),
    text_vectors: FloatArray | None = None,
    graph: sparse.csr_matrix | None = None,
) -> tuple[Scorer, ...]:
    """Every baseline that the data has the means for, from the plainest to the strongest.

    Args:
        train: what they learn from: all that the model beside them learned from.
        interactions: all actions; a scorer looks at those before a case's instant only.
        clock: whether instants are real; without it there is no recent popularity.
        repeats: whether people come back to an item; without it there is no personal frequency.
        texts: N + 1 titles, "" at 0; with them there is `kNN + text`.
        text_vectors: (N + 1, E) of an encoder, any length; adds to the words of `texts`.
        graph: `item_graph` of `train`, where it is there already.
    """
    found: list[Scorer] = [Popularity(train)]
    recent = RecentPopularity(interactions) if clock else None
    if recent:
        found.append(recent)
    if repeats:
        found += [OwnActions(train, interactions), PersonalFrequency(train, interactions)]
        if recent:
            found.append(CountAndRecency(recent, interactions))
    graph = item_graph(train) if graph is None else graph
    knn = ItemNeighbours(interactions, graph, spare_popularity(train, 1e-6))
    found.append(knn)
    if any(texts):
        words = tfidf_matrix(texts)
        found.append(NeighboursAndText(knn, words, center_vectors(text_vectors, len(texts))))
        found.append(CosineAndTfidf(train, interactions, words))
    return tuple(found)


def reference_baseline(repeats: bool) -> str:
    """The name of the strongest baseline: neighbours and text, or habit where people buy again."""
    return orders.PERSONAL_FREQUENCY if repeats else orders.NEIGHBOURS_AND_TEXT


class Popularity:
    """score_i = the number of training events of item i."""

    name = orders.POPULARITY_OF_ALL_TIME

    def __init__(self, train: Interactions) -> None:
        self._counts = np.bincount(train.item_index, minlength=len(train.items)).astype(np.float32)

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, see `recsys.evaluation.scorer.Scorer`."""
        return np.broadcast_to(self._counts, (len(cases), len(self._counts)))


class RecentPopularity:
    """score_i = events of item i before the day of the case that stood then, halved every two weeks."""

    name = orders.RECENT_POPULARITY

    def __init__(self, interactions: Interactions, half_life_days: float = 14.0) -> None:
        undone = interactions.take(interactions.undone_at != NEVER)
        # An action counts from its instant on, by its age; a cancellation takes the same away again.
        since = np.concatenate([interactions.at, undone.undone_at])
        order = np.argsort(since, kind="stable")
        self._since = since[order]
        self._at = np.concatenate([interactions.at, undone.at])[order]
        self._items = np.concatenate([interactions.item_index, undone.item_index])[order]
        weight = np.concatenate([interactions.weight, -undone.weight])
        self._weight = weight[order].astype(np.float64)
        self._size = len(interactions.items)
        self._half_life = half_life_days * DAY

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, see `recsys.evaluation.scorer.Scorer`."""
        # A time split has cases at one instant; leave-one-out at many, which are rounded down to their day.
        instants = cases.at if len(np.unique(cases.at)) == 1 else cases.at // DAY * DAY
        days, which = np.unique(instants, return_inverse=True)
        return self._popularity(days)[which]

    def _popularity(self, instants: IntArray) -> FloatArray:
        """(D, N + 1) at ascending `instants`, each from the one before and what happened in between."""
        rows = np.empty((len(instants), self._size), np.float32)
        total, before, start = np.zeros(self._size), instants[0], 0
        for row, now in enumerate(instants):
            end = int(np.searchsorted(self._since, now))
            weight = self._weight[start:end] * np.exp2((self._at[start:end] - now) / self._half_life)
            total *= np.exp2((before - now) / self._half_life)
            total += np.bincount(self._items[start:end], weight, self._size)
            rows[row], before, start = total, now, end
        return rows


class PersonalFrequency:
    """What the user took most, lately: the strongest simple baseline where people buy again.

    score_i = sum over the user's moments with i of decay^(moments since) + a little popularity
    """

    name = orders.PERSONAL_FREQUENCY

    def __init__(self, train: Interactions, interactions: Interactions, decay: float = 0.95) -> None:
        self._rest = spare_popularity(train, 1e-3)
        self._interactions = interactions
        self._decay = decay

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, see `recsys.evaluation.scorer.Scorer`."""
        own = recent_history(self._interactions, cases, None, self._decay)
        return np.asarray(own.toarray() + self._rest, np.float32)


class OwnActions:
    """score_i = the number of the user's own actions on i + a little popularity."""

    name = orders.OWN_ACTIONS

    def __init__(self, train: Interactions, interactions: Interactions) -> None:
        self._rest = spare_popularity(train, 1e-3)
        self._interactions = interactions

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, see `recsys.evaluation.scorer.Scorer`."""
        own = recent_history(self._interactions, cases, None, 1.0)
        return np.asarray(own.toarray() + self._rest, np.float32)


class CountAndRecency:
    """score_i = (own actions on i + 1 / (1 + moments since the last)) p_i^(1/4) + a little p_i.

    p is recent popularity; not damped it is far weaker on groceries than the count alone.
    """

    name = orders.COUNT_AND_RECENCY

    def __init__(self, recent: RecentPopularity, interactions: Interactions) -> None:
        self._recent = recent
        self._interactions = interactions

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, see `recsys.evaluation.scorer.Scorer`."""
        case, item, back = own_actions(self._interactions, cases)
        popularity = self._recent.score(cases)
        popularity = popularity / np.maximum(popularity.max(axis=1, keepdims=True), 1e-9)
        own = np.zeros_like(popularity)
        np.maximum.at(own, (case, item), (1 / (1 + back)).astype(np.float32))
        np.add.at(own, (case, item), np.float32(1))
        return np.asarray(own * popularity**orders.POPULARITY_EXPONENT + 1e-6 * popularity, np.float32)


@dataclass(frozen=True)
class ItemNeighbours:
    """score_i = sum over the user's last 50 moments h of decay^(moments since h) graph(h, i) + rest_i.

    Attributes:
        graph: (N + 1, N + 1), see `recsys.retrieval.neighbours.co_occurrence`.
        rest: (N + 1,) tiny scores, the answer for users without history.
    """

    interactions: Interactions
    graph: sparse.csr_matrix
    rest: FloatArray
    moments: int = 50
    decay: float = 0.8
    name: str = "kNN"

    def history(self, cases: EvalCases) -> sparse.csr_matrix:
        """(U, N + 1) the users' last moments, weighted by recency."""
        return recent_history(self.interactions, cases, self.moments, self.decay)

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, see `recsys.evaluation.scorer.Scorer`."""
        scores = (self.history(cases) @ self.graph).toarray()
        scores += self.rest
        return np.asarray(scores, np.float32)


@dataclass(frozen=True)
class NeighboursAndText:
    """score_i = sum over h of decay^(moments since h) (graph(h, i) + s (w_t T_h . T_i + w_v V_h . V_i)).

    s is the graph's mean strongest neighbour, so that the weights mean the same in every shop. An item is
    not a neighbour of itself, in the text as in the graph.

    Attributes:
        words: (N + 1, W) sparse TF-IDF rows of unit length.
        vectors: (N + 1, E) encoder vectors of unit length; E may be 0.
    """

    neighbours: ItemNeighbours
    words: sparse.csr_matrix
    vectors: FloatArray
    word_weight: float = orders.WORD_WEIGHT
    vector_weight: float = orders.TEXT_WEIGHT
    name: str = orders.NEIGHBOURS_AND_TEXT

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, see `recsys.evaluation.scorer.Scorer`."""
        history = self.neighbours.history(cases)
        itself = history.copy()
        itself.data *= self._self_similarity[itself.indices]
        scores = (history @ self.neighbours.graph - itself).toarray()
        # Common words make the product of two sparse matrices half full: one dense side is faster.
        wanted = (self._scale * self.word_weight * (history @ self.words)).toarray()  # (U, W)
        scores += (self.words @ wanted.T).T
        scores += self._scale * self.vector_weight * (history @ self.vectors) @ self.vectors.T
        scores += self.neighbours.rest
        return np.asarray(scores, np.float32)

    @cached_property
    def _self_similarity(self) -> FloatArray:
        """(N + 1,): what the text of an item would add to its own score."""
        words = np.asarray(self.words.multiply(self.words).sum(axis=1)).ravel()
        vectors = (self.vectors**2).sum(axis=1)
        own = self._scale * (self.word_weight * words + self.vector_weight * vectors)
        return np.asarray(own, np.float32)

    @cached_property
    def _scale(self) -> float:
        strongest = self.neighbours.graph.max(axis=1).toarray()
        return float(strongest[strongest > 0].mean()) if (strongest > 0).any() else 1.0


class CosineAndTfidf:
    """score_i = sum over the user's items h except i of cos(U_h, U_i) + TF-IDF_h . TF-IDF_i / 2.

    U_i are the users of item i, as a row of zeros and ones. What a plain script does: no order, no recency,
    no window.
    """

    name = COSINE_AND_TFIDF

    def __init__(
        self,
        train: Interactions,
        interactions: Interactions,
        words: sparse.csr_matrix,
        word_weight: float = orders.WORD_WEIGHT,
    ) -> None:
        self._interactions = interactions
        self._words, self._word_weight = words, word_weight
        shape = len(train.users), len(train.items)
        ones = np.ones(len(train), np.float32)
        taken = sparse.csr_matrix((ones, (train.user_index, train.item_index)), shape=shape)
        taken.data[:] = 1  # duplicates were added up
        users = np.asarray(taken.sum(axis=0)).ravel()
        self._unit: sparse.csr_matrix = taken @ sparse.diags(1 / np.sqrt(np.maximum(users, 1)))
        of_words = np.asarray(words.multiply(words).sum(axis=1)).ravel()
        self._itself = (users > 0) + word_weight * of_words  # what an item would add to its own score
        self._rest = spare_popularity(train, 1e-6)

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, see `recsys.evaluation.scorer.Scorer`."""
        had = recent_history(self._interactions, cases, None, 1.0)
        had.data[:] = 1
        # By way of the users: the matrix of all pairs of items would not fit where users had hundreds of
        # them.
        neighbours = (had @ self._unit.T).toarray()  # (U, users)
        scores = (self._unit.T @ neighbours.T).T
        scores += self._word_weight * (self._words @ (had @ self._words).toarray().T).T
        scores -= had.multiply(self._itself[None]).toarray()
        return np.asarray(scores + self._rest, np.float32)


def recent_history(
    interactions: Interactions, cases: EvalCases, moments: int | None, decay: float
) -> sparse.csr_matrix:
    """(U, N + 1) sparse float32: decay^m summed over a case's actions on an item, m moments from its last.

    Only the last `moments` moments (None: all) strictly before the case's instant count.
    """
    case, item, back = own_actions(interactions, cases)
    near = back < (math.inf if moments is None else moments)
    weight = (decay ** back[near]).astype(np.float32)
    cells = (weight, (case[near], item[near]))
    return sparse.csr_matrix(cells, shape=(len(cases), len(interactions.items)))


def own_actions(interactions: Interactions, cases: EvalCases) -> tuple[IntArray, IntArray, IntArray]:
    """(A,) row of the case, item and moments since the case's last one of each action before its instant."""
    case, action = histories_before(interactions, cases)
    at = interactions.at[action]
    new_moment = np.ones(len(case), np.int64)
    new_moment[1:] = (case[1:] != case[:-1]) | (at[1:] != at[:-1])
    moment = np.cumsum(new_moment)
    last = np.zeros(len(cases), np.int64)
    last[case] = moment  # the last write of a case wins
    return case, interactions.item_index[action], last[case] - moment


def spare_popularity(train: Interactions, most: float) -> FloatArray:
    """(N + 1,) training events scaled to at most `most`: orders what a method knows nothing about."""
    counts = np.bincount(train.item_index, minlength=len(train.items))
    return np.asarray(most * counts / max(counts.max(), 1), np.float32)


def center_vectors(vectors: FloatArray | None, rows: int) -> FloatArray:
    """(rows, E) vectors less their mean, of unit length; the mean says what all texts of a shop share.

    Row 0 and rows of zeros (items without text) stay zero; None gives E = 0.
    """
    if vectors is None:
        return np.zeros((rows, 0), np.float32)
    some = np.any(vectors != 0, axis=1)
    some[0] = False
    out = np.zeros_like(vectors, np.float32)
    if some.any():
        moved = vectors[some] - vectors[some].mean(axis=0)
        out[some] = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
    return out
