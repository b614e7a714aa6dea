"""The two halves of a search as an evaluation asks them: by words and by meaning."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.evaluation.search.rows import Half
from recsys.retrieval.lexical.query import LexicalQuery
from recsys.retrieval.text_index import TextIndex


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
