"""The two halves of a search as an evaluation asks them: by words and by meaning."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.evaluation.search.rankings import Rankings, rankings_of
from recsys.evaluation.search.rows import Half, by_query
from recsys.retrieval.lexical.query import LexicalQuery
from recsys.retrieval.text_index import TextIndex
from recsys.search.relevance.fusion import Fused, FusionWeights, Scored, fuse

DEPTH = 1000  # items of each half that are fused


class ScoredWords(Protocol):
    """What a lexical index answers."""

    def top(self, query: LexicalQuery, least: int, count: int) -> tuple[IntArray, FloatArray]:
        """The best items that match `least` words or more."""

    def scores(self, query: LexicalQuery, index: IntArray) -> FloatArray:
        """(K,) scores of these items."""


@dataclass(frozen=True)
class LexicalPool:
    """By words: an item with any word of the query is in the pool, as a search that relaxes would have it.

    Attributes:
        query_of: a text as word groups, with whatever rewriters.
    """

    index: ScoredWords
    query_of: Callable[[str], LexicalQuery]
    _known: dict[str, LexicalQuery] = field(default_factory=dict, compare=False)

    def best(self, query: str, count: int) -> Half:
        """The items with the highest scores."""
        index, scores = self.index.top(self._groups(query), 1, count)
        return np.asarray(index, np.int64), np.asarray(scores, np.float64)

    def scores(self, query: str, items: IntArray) -> DoubleArray:
        """(K,) scores; 0 where no word matches."""
        return np.asarray(self.index.scores(self._groups(query), items), np.float64)

    def _groups(self, query: str) -> LexicalQuery:
        if query not in self._known:
            self._known[query] = self.query_of(query)
        return self._known[query]


@dataclass(frozen=True)
class DensePool:
    """By meaning: the cosine of the texts' vectors.

    Attributes:
        vector_of: (E,) unit vector of a query.
    """

    index: TextIndex
    vector_of: Callable[[str], FloatArray]

    def best(self, query: str, count: int) -> Half:
        """The nearest items."""
        index, cosines = self.index.top(self.vector_of(query), count)
        return index, np.asarray(cosines, np.float64)

    def scores(self, query: str, items: IntArray) -> DoubleArray:
        """(K,) cosines; 0 of an item without a text."""
        return np.asarray(self.index.cosines(self.vector_of(query), items), np.float64)


@dataclass(frozen=True)
class FusedRow:
    """Both halves as one list, without anything learned; see `recsys.search.relevance.fusion`."""

    name: str
    words: LexicalPool
    meaning: DensePool
    weights: FusionWeights
    depth: int = DEPTH

    def rank(self, queries: Sequence[str], k: int) -> Rankings:
        """The best of the union of both pools."""
        lists = []
        for query in queries:
            found = self.candidates(query)
            lists.append((found.index[:k], np.asarray(found.score[:k], np.float64)))
        return rankings_of(lists, k)

    def score(self, queries: Sequence[str], query: IntArray, items: IntArray) -> DoubleArray:
        """What each pair's score is when its item is fused with both pools."""
        return by_query(queries, query, items, self._scores)

    def candidates(self, query: str) -> Fused:
        """The union of both pools, best first."""
        return self._fused(query, np.zeros(0, np.int64))

    def first_stage(self, query: str) -> tuple[IntArray, FloatArray]:
        """The items of `candidates` and their scores."""
        found = self.candidates(query)
        return found.index, found.score

    def _scores(self, query: str, items: IntArray) -> DoubleArray:
        found = self._fused(query, items)
        order = np.argsort(found.index)
        return np.asarray(found.score[order][np.searchsorted(found.index[order], items)], np.float64)

    def _fused(self, query: str, more: IntArray) -> Fused:
        """Both pools and `more` items, each with its score in either half."""
        words, meaning = self.words.best(query, self.depth), self.meaning.best(query, self.depth)
        matched = more[self.words.scores(query, more) > 0]
        return fuse(
            self._joined(words, matched, query, self.words),
            self._joined(meaning, more, query, self.meaning),
            lexical_scores=lambda index: self.words.scores(query, index).astype(np.float32),
            cosines=lambda index: self.meaning.scores(query, index).astype(np.float32),
            weights=self.weights,
        )

    def _joined(self, found: Half, more: IntArray, query: str, pool: LexicalPool | DensePool) -> Scored:
        extra = np.setdiff1d(more, found[0])
        scores = np.concatenate([found[1], pool.scores(query, extra)])
        return np.concatenate([found[0], extra]), scores.astype(np.float32)
