"""A shop of a few items that can be searched, with fakes in the places of tantivy, encoder and Redis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.config import RetrieverSettings
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.errors import StoreUnavailableError
from recsys.funnel.merchandising import RuleSource
from recsys.funnel.online_features import FeatureRows
from recsys.funnel.recommender import Recommender
from recsys.models.bundle import Bundle
from recsys.models.fusion import initial_fusion
from recsys.models.retriever.build import build_retriever
from recsys.models.signals import SignalTables
from recsys.retrieval.lexical.query import LexicalQuery
from recsys.retrieval.text_index import TextIndex
from recsys.search.index import SearchIndex
from recsys.search.matching import WordIndex
from recsys.search.pages import CursorCodec
from recsys.search.paging import Pager
from recsys.search.searcher import NO_RULES, Searcher
from recsys.search.understanding.understand import QueryKnowledge
from recsys.service_settings import SearchSettings, ServingSettings
from tests.tiny_bundle import tiny_bundle

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
WIDTH = 4  # of a text vector
THRESHOLD = 0.8
NOT_DIVERSE = SearchSettings(diversity=0.0)
NO_KNOWLEDGE = QueryKnowledge()


@dataclass(frozen=True)
class Row:
    """One item of the shop."""

    title: str
    category: str = ""
    brand: str = ""
    path: str = ""
    product: str = ""
    price_micros: int = -1
    first_at: int = 0
    available: bool = True
    attributes: str = "{}"
    popularity: float = 0.0
    vector: tuple[float, ...] = ()


def item_table(rows: Sequence[Row]) -> ItemTable:
    """The table of `rows`; item 1 has the id i1."""

    def texts(name: str, padding: str = "") -> tuple[str, ...]:
        return (padding, *(getattr(row, name) for row in rows))

    return ItemTable(
        vocabulary=Vocabulary(("", *(f"i{place + 1}" for place in range(len(rows))))),
        titles=texts("title"),
        categories=texts("category"),
        brands=texts("brand"),
        price_micros=np.array([-1, *(row.price_micros for row in rows)], np.int64),
        available=np.array([False, *(row.available for row in rows)]),
        attributes=texts("attributes", "{}"),
        products=texts("product"),
        category_paths=texts("path"),
        first_at=np.array([0, *(row.first_at for row in rows)], np.int64),
    )


def shop_bundle(rows: Sequence[Row]) -> Bundle:
    """A bundle of `rows` with untrained networks and no neighbours."""
    items = item_table(rows)
    size = len(items)
    text = np.zeros((size, WIDTH), np.float32)
    for place, row in enumerate(rows, start=1):
        if row.vector:
            text[place] = np.array(row.vector) / np.linalg.norm(row.vector)
    retriever = build_retriever(
        RetrieverSettings(width=8, text_width=8, heads=2, history_length=4), items, text, None, clock=True
    )
    arrays: dict[str, Any] = {
        "item_vectors": retriever.item_vectors(),
        "popularity": np.array([0, *(row.popularity for row in rows)], np.float32),
        "item_events": np.array([0, *(row.popularity for row in rows)], np.float32),
    }
    for name in ("neighbours", "cosine_neighbours", "text_neighbours", "word_neighbours"):
        arrays[name] = np.zeros((size, 1), np.int64)
    for name in ("neighbour_scores", "cosine_scores", "text_scores", "word_scores"):
        arrays[name] = np.zeros((size, 1), np.float32)
    return tiny_bundle(
        items=items,
        retriever=retriever,
        text_vectors=text,
        signal_tables=SignalTables.from_arrays(arrays),
        fusion=initial_fusion(4, repeats=True),
        ranker=None,
    )


class FakeWords:
    """Items by the blank-separated words of their titles; a group matches by any alternative."""

    def __init__(self, titles: Sequence[str]) -> None:
        self._words = [title.lower().split() for title in titles]

    def matching(self, query: LexicalQuery, least: int) -> IntArray:
        counts = np.array([self._matched(query, place) for place in range(len(self._words))])
        found: IntArray = np.flatnonzero(counts >= least)
        return found[found > 0]

    def top(self, query: LexicalQuery, least: int, count: int) -> tuple[IntArray, FloatArray]:
        index = self.matching(query, least)
        scores = np.array(
            [self._matched(query, place) / len(self._words[place]) for place in index.tolist()], np.float32
        )
        order = np.lexsort((index, -scores))[:count]
        return index[order], scores[order]

    def document_frequency(self, term: str) -> int:
        return sum(term in words for words in self._words)

    def scores(self, query: LexicalQuery, index: IntArray) -> FloatArray:
        return np.array(
            [self._matched(query, place) / max(len(self._words[place]), 1) for place in index.tolist()],
            np.float32,
        )

    def _matched(self, query: LexicalQuery, place: int) -> int:
        return sum(
            any(_follows(self._words[place], alternative.terms) for alternative in group.alternatives)
            for group in query.groups
        )


def _follows(words: Sequence[str], terms: Sequence[str]) -> bool:
    """Whether `terms` follow one another in `words`."""
    places = range(len(words) - len(terms) + 1)
    return any(tuple(words[place : place + len(terms)]) == tuple(terms) for place in places)


class FixedThreshold:
    """The same for all queries."""

    def of(self, words: int, background: tuple[float, float]) -> float:
        return THRESHOLD


@dataclass
class FakeVectors:
    """The vectors of known queries; others are near nothing. `away` fails as if there were no encoder."""

    known: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    away: bool = False
    width: int = WIDTH

    def encode(self, query: str) -> FloatArray:
        if self.away:
            raise StoreUnavailableError("encoder", "encode a query", 0.1)
        vector = np.array(self.known.get(query, (0.0,) * self.width), np.float32)
        return vector / max(float(np.linalg.norm(vector)), 1.0)


@dataclass
class FakePages:
    """Orders in memory. `away` fails like a server that is not there."""

    orders: dict[str, bytes] = field(default_factory=dict)
    away: bool = False

    def save(self, query_id: str, order: bytes) -> None:
        self._check()
        self.orders[query_id] = order

    def load(self, query_id: str) -> bytes | None:
        self._check()
        return self.orders.get(query_id)

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailableError("redis", "keep the order of a page", 0.2)


class NoFeatures:
    """A store of features that is away."""

    def read_user(self, user_id: str) -> FeatureRows:
        raise StoreUnavailableError("redis", "read features", 0.2)

    def read_items(self, item_ids: Sequence[str]) -> FeatureRows:
        raise StoreUnavailableError("redis", "read features", 0.2)


def make_searcher(
    rows: Sequence[Row],
    *,
    words: WordIndex | None = None,
    vectors: FakeVectors | None = None,
    pages: FakePages | None = None,
    settings: SearchSettings = NOT_DIVERSE,
    knowledge: QueryKnowledge = NO_KNOWLEDGE,
    rules: RuleSource = NO_RULES,
) -> Searcher:
    """A searcher over `rows`; its index of words is a fake one unless another is given."""
    recommender = Recommender(shop_bundle(rows), NoFeatures(), ServingSettings())
    return searcher_of(recommender, words, vectors, pages, settings, knowledge, rules)


def searcher_of(
    recommender: Recommender,
    words: WordIndex | None = None,
    vectors: FakeVectors | None = None,
    pages: FakePages | None = None,
    settings: SearchSettings = NOT_DIVERSE,
    knowledge: QueryKnowledge = NO_KNOWLEDGE,
    rules: RuleSource = NO_RULES,
) -> Searcher:
    """A searcher beside `recommender`, over the same bundle."""
    bundle = recommender.bundle
    index = SearchIndex.of(
        bundle, words or FakeWords(bundle.items.titles), TextIndex(bundle.text_vectors), FixedThreshold()
    )
    return Searcher(
        recommender,
        index,
        knowledge,
        vectors or FakeVectors(width=bundle.text_vectors.shape[1]),
        Pager(pages, CursorCodec(b"key")),
        settings,
        recommender.features,
        rules=rules,
    )


def without_words(searcher: Searcher) -> Searcher:
    """The searcher while its index of words is away."""
    return replace(searcher, index=replace(searcher.index, words=None))
