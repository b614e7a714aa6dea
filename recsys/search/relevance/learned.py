"""The learned order in a search: features of query and items, and the ranker's score with its parts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from recsys.analysis.analyzer import Analyzer
from recsys.arrays import FloatArray, IntArray
from recsys.retrieval.lexical.query import LexicalQuery
from recsys.retrieval.term_rows import TermRows
from recsys.retrieval.text_index import TextIndex
from recsys.search.matching import WordIndex
from recsys.search.relevance.evidence import DEPTH, gather_evidence
from recsys.search.relevance.features import KnownOfItems, QueryTerms, relevance_features
from recsys.search.relevance.ordering import Scored
from recsys.search.relevance.ranker import SearchRanker
from recsys.search.understanding.understand import UnderstoodQuery

SPREAD = 0.25  # of scores: one standard deviation of the learned targets, as of first-stage scores


@dataclass(frozen=True)
class RelevanceReader:
    """Reads features of a query and any items; immutable.

    Attributes:
        titles: the terms of all titles by item index.
    """

    titles: TermRows
    analyzer: Analyzer

    def with_titles(self, titles: Mapping[int, str]) -> "RelevanceReader":
        """With other titles of some items, new ones among them."""
        return replace(self, titles=self.titles.with_rows(titles, self.analyzer))

    def features(
        self,
        understood: UnderstoodQuery,
        vector: FloatArray | None,
        index: IntArray,
        words: WordIndex | None,
        meaning: TextIndex,
        known: KnownOfItems | None = None,
    ) -> FloatArray:
        """(K, F) of the items `index` for a query.

        Args:
            vector: (E,) of the query; None where it has none, as when the encoder is away.
        """
        asked = LexicalQuery(understood.lexical.words)
        none = np.zeros(0, np.int64), np.zeros(0, np.float32)
        lexical = none if words is None or not asked.groups else words.top(asked, 1, DEPTH)

        def lexical_scores(items: IntArray) -> FloatArray:
            if words is None or not asked.groups:
                return np.zeros(len(items), np.float32)
            return words.scores(asked, items)

        if vector is None:
            vector = np.zeros(meaning.width, np.float32)
        found = gather_evidence(vector, meaning, lexical, lexical_scores).scores_of(index)
        query = QueryTerms.of(understood.meaning, self.titles, self.analyzer)
        return relevance_features(query, index, self.titles, found, known)


@dataclass(frozen=True)
class LearnedOrder:
    """A ranker and what reads its features."""

    ranker: SearchRanker
    reader: RelevanceReader

    def with_titles(self, titles: Mapping[int, str]) -> "LearnedOrder":
        """With other titles of some items, new ones among them."""
        return replace(self, reader=self.reader.with_titles(titles))


def rank_learned(head: Scored, ranker: SearchRanker, features: FloatArray) -> Scored:
    """`head` with the ranker's scores in the place of the first stage's; the parts are the ranker's.

    Args:
        features: (K, F) of the items of `head`.
    """
    factor = SPREAD / ranker.unit
    parts = {
        name: (part * factor).astype(np.float32)
        for name, part in ranker.parts(features).items()
        if part.any()
    }
    scores: FloatArray = np.sum(list(parts.values()), axis=0, dtype=np.float32)
    return Scored(head.index, scores, parts)
