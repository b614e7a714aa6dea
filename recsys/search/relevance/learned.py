"""The learned order in a search: features of query and items, and the ranker's score with its parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from recsys.analysis.analyzer import Analyzer
from recsys.arrays import FloatArray, IntArray
from recsys.dataset.item_table import ItemTable
from recsys.retrieval.lexical.item_text import attribute_words
from recsys.retrieval.lexical.query import LexicalQuery
from recsys.retrieval.term_rows import TermRows
from recsys.retrieval.text_index import TextIndex
from recsys.search.matching import WordIndex
from recsys.search.relevance.evidence import DEPTH, gather_evidence
from recsys.search.relevance.features import KnownOfItems, QueryTerms, relevance_features
from recsys.search.relevance.ordering import LEARNED, LearnedParts, Scored
from recsys.search.relevance.ranker import SPREAD, SearchRanker
from recsys.search.understanding.understand import UnderstoodQuery


@dataclass(frozen=True)
class RelevanceReader:
    """Reads features of a query and any items; immutable.

    Attributes:
        titles: the terms of all titles by item index. fields: the same of other fields, by their features.
    """

    titles: TermRows
    fields: Mapping[str, TermRows]
    analyzer: Analyzer

    @classmethod
    def of(cls, items: ItemTable, analyzer: Analyzer) -> "RelevanceReader":
        """That of a catalog; a field that no item has is left out."""
        fields = {
            name: TermRows.build(texts, analyzer) for name, texts in field_texts(items).items() if any(texts)
        }
        return cls(TermRows.build(items.words_of_titles, analyzer), fields, analyzer)

    def with_items(self, items: ItemTable, changed: IntArray) -> "RelevanceReader":
        """As of `items`, which differ from before in the rows `changed` and behind the end only."""
        places = changed.tolist()

        def moved(rows: TermRows, text: Callable[[int], str]) -> TermRows:
            return rows.with_rows({place: text(place) for place in places}, self.analyzer)

        fields = {name: moved(rows, partial(_FIELDS[name], items)) for name, rows in self.fields.items()}
        return replace(self, titles=moved(self.titles, items.title_words), fields=fields)

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
        known = replace(known or KnownOfItems(), fields=self.fields)
        return relevance_features(query, index, self.titles, found, known)


@dataclass(frozen=True)
class LearnedOrder:
    """A ranker and what reads its features; `order_id` names it, for people."""

    ranker: SearchRanker
    reader: RelevanceReader
    order_id: str = ""

    def with_items(self, items: ItemTable, changed: IntArray) -> "LearnedOrder":
        """As of `items`, see `RelevanceReader.with_items`."""
        return replace(self, reader=self.reader.with_items(items, changed))


def field_texts(items: ItemTable) -> dict[str, Sequence[str]]:
    """Name of FIELD_FEATURES -> (N + 1,) what each item says there."""
    return {name: [text(items, place) for place in range(len(items))] for name, text in _FIELDS.items()}


_FIELDS: Mapping[str, Callable[[ItemTable, int], str]] = {
    "category_coverage": lambda items, place: items.categories[place],
    "brand_coverage": lambda items, place: items.brands[place],
    "attribute_coverage": lambda items, place: " ".join(attribute_words(items.attributes[place])[0]),
}


def rank_learned(head: Scored, ranker: SearchRanker, features: FloatArray) -> Scored:
    """`head` as the ranker orders it: its score beside the first stage's, by the ranker's share of that.

    Args:
        features: (K, F) of the items of `head`.
    """
    factor = SPREAD / ranker.unit
    learned = (ranker.score(features) * factor).astype(np.float32)

    def parts_of(places: IntArray) -> Mapping[str, FloatArray]:
        return {name: part * factor for name, part in ranker.parts(features[places]).items()}

    share = ranker.first_stage
    parts = {name: (share * part).astype(np.float32) for name, part in head.parts.items()} if share else {}
    scores = (share * head.scores + learned).astype(np.float32)
    return Scored(head.index, scores, {**parts, LEARNED: learned}, LearnedParts(head.index, parts_of))
