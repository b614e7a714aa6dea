"""The learned order as a row, and its features for items that no bundle serves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.evaluation.search.rankings import Rankings, rankings_of
from recsys.evaluation.search.rows import Half, by_query
from recsys.jobs.search.evaluation.pools import DensePool, FusedRow
from recsys.search.matching import WordIndex
from recsys.search.relevance.learned import RelevanceReader
from recsys.search.relevance.ordering import RERANKED
from recsys.search.relevance.ranker import SearchRanker
from recsys.search.understanding.understand import UnderstoodQuery


@dataclass(frozen=True)
class PairFeatures:
    """Features of a query and items, from both indexes.

    Attributes:
        understood_of: a text as the service understands it.
    """

    words: WordIndex
    meaning: DensePool
    understood_of: Callable[[str], UnderstoodQuery]
    reader: RelevanceReader

    def __call__(self, query: str, items: IntArray) -> FloatArray:
        """(K, F) of the items (K,)."""
        vector = self.meaning.vector_of(query)
        return self.reader.features(self.understood_of(query), vector, items, self.words, self.meaning.index)


@dataclass(frozen=True)
class LearnedRow:
    """The best RERANKED of the fused row in a learned order, then the others; pairs by the ranker alone."""

    name: str
    fused: FusedRow
    features: PairFeatures
    ranker: SearchRanker

    def rank(self, queries: Sequence[str], k: int) -> Rankings:
        """The first `k` of each query."""
        return rankings_of([self._list(query, k) for query in queries], k)

    def score(self, queries: Sequence[str], query: IntArray, items: IntArray) -> DoubleArray:
        """The ranker's score of each pair, wherever its item stands in the fused row."""
        return by_query(queries, query, items, self._scores)

    def _list(self, query: str, k: int) -> Half:
        found = self.fused.candidates(query)
        head, tail = found.index[:RERANKED], found.index[RERANKED:]
        scores = self.ranker.order_scores(self.features(query, head), found.score[:RERANKED])
        order = np.lexsort((head, -scores))
        below = scores.min(initial=0.0) - 1.0 - np.arange(len(tail))
        return np.concatenate([head[order], tail])[:k], np.concatenate([scores[order], below])[:k]

    def _scores(self, query: str, items: IntArray) -> DoubleArray:
        return np.asarray(self.ranker.score(self.features(query, items)), np.float64)
