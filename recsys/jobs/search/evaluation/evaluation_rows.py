"""The rows of an evaluation: random, by words, by meaning, both, learned, and those of other engines."""

import json
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.analysis.analyzer import Analyzer
from recsys.config import Settings
from recsys.dataset.item_table import ItemTable
from recsys.errors import ConfigError
from recsys.evaluation.search.rows import PoolRow, RandomRow, RankedLists, SearchRow
from recsys.jobs.encoders.loading import load_named_encoder
from recsys.jobs.search.evaluation.learn_order import SearchedCatalog
from recsys.jobs.search.evaluation.learned_row import LearnedRow, PairFeatures
from recsys.jobs.search.evaluation.pools import DensePool, FusedRow, LexicalPool
from recsys.jobs.search.judged_files.searched_items import SearchedItems
from recsys.models.encoders.query_encoder import QueryEncoder, TorchQueries
from recsys.progress import Progress
from recsys.retrieval.lexical.build import build_index
from recsys.retrieval.lexical.index import LexicalIndex, open_index
from recsys.retrieval.lexical.item_text import item_texts
from recsys.retrieval.text_index import TextIndex
from recsys.search.relevance.fusion import FusionWeights
from recsys.search.relevance.learned import RelevanceReader
from recsys.search.relevance.ranker import SearchRanker
from recsys.search.understanding.catalog_words import catalog_lexicon, correctable_words, near_words_of
from recsys.search.understanding.named_values import catalog_values, named_values
from recsys.search.understanding.spelling import Speller
from recsys.search.understanding.understand import SPELLING_REWRITERS, QueryKnowledge, understand
from recsys.stores.encoders.text_precision import FLOAT32, INT8, shop_text_settings
from recsys.stores.encoders.text_vectors import TextVectors

RANDOM, BM25, AS_TYPED, DENSE = "random", "BM25", "BM25 as typed", "dense"
RRF, WEIGHTED, LEARNED = "RRF", "weighted", "learned"
ROWS = (RANDOM, AS_TYPED, BM25, DENSE, RRF, WEIGHTED)
HALVES = (BM25, DENSE)


@dataclass(frozen=True)
class RowSetting:
    """A row by name, with what may differ: the weight of words beside meaning, the encoder of the texts."""

    row: str
    weight: float = 0.5
    encoder: str | None = None


@dataclass(frozen=True)
class BuiltRows:
    """Rows, which of them a shop searches by, and what that is made of.

    Attributes:
        notes: what the rows are made with, for people.
    """

    rows: tuple[SearchRow, ...]
    default: str
    halves: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Indexes:
    """What rows search: both indexes of some items and what is known of their words.

    Attributes:
        meaning: None where no row needs it.
        seed: of the random row.
    """

    items: SearchedItems
    words: LexicalIndex
    knowledge: QueryKnowledge
    meaning: DensePool | None
    seed: int


Learned = Callable[[SearchedCatalog], SearchRanker]


@contextmanager
def open_rows(
    settings: Settings,
    items: SearchedItems,
    encoder: str | None,
    others: Sequence[RankedLists],
    progress: Progress,
    learned: Learned | None = None,
) -> Iterator[BuiltRows]:
    """Every row that these items can have, built from their texts alone; inside the block.

    Args:
        encoder: of this home, a path or a name; None = the one of the settings. others: rankings from files.
        learned: what makes the ranker of a learned row, of features and the fused row.

    Raises:
        ArtifactNotFoundError: there is no such encoder here.
    """
    with open_indexes(settings, items, encoder, progress) as (indexes, note):
        rows = [_row(RowSetting(name), indexes) for name in ROWS]
        if learned is not None:
            features = pair_features(indexes)
            fused = _fused_row(RowSetting(WEIGHTED), indexes)
            ranker = learned(SearchedCatalog(features, fused.first_stage))
            rows.append(LearnedRow(LEARNED, fused, features, ranker))
        yield BuiltRows((*rows, *others), WEIGHTED, HALVES, (items.source, note))


@contextmanager
def open_row(
    settings: Settings, items: SearchedItems, wanted: RowSetting, progress: Progress
) -> Iterator[SearchRow]:
    """One row, with only the halves that it needs; inside the block.

    Raises:
        ConfigError: there is no such row.
        ArtifactNotFoundError: there is no such encoder here.
    """
    if wanted.row not in ROWS:
        raise ConfigError(f"there is no row {wanted.row!r}. Use one of: {', '.join(ROWS)}.")
    meaning = wanted.row in (DENSE, RRF, WEIGHTED)
    with open_indexes(settings, items, wanted.encoder, progress, meaning=meaning) as (indexes, _):
        yield _row(wanted, indexes)


@contextmanager
def open_indexes(
    settings: Settings,
    items: SearchedItems,
    encoder: str | None,
    progress: Progress,
    *,
    meaning: bool = True,
) -> Iterator[tuple[Indexes, str]]:
    """The indexes of these items inside the block, and a note on the encoder of their texts.

    Args:
        meaning: whether that half is needed; encoding takes long.

    Raises:
        ArtifactNotFoundError: there is no such encoder here.
    """
    knowledge, vectors, note = build_knowledge(items.table, progress), None, ""
    if meaning:
        vectors, note = dense_pool(settings, items, encoder, knowledge, progress)
    with word_index(items, progress) as words:
        yield Indexes(items, words, knowledge, vectors, settings.evaluation.seed), note


def searched_catalog(indexes: Indexes) -> SearchedCatalog:
    """What an order is learned of: features, and the fused row as the first stage."""
    return SearchedCatalog(pair_features(indexes), _fused_row(RowSetting(WEIGHTED), indexes).first_stage)


def pair_features(indexes: Indexes) -> PairFeatures:
    """Features for a learned order of these items.

    Raises:
        ConfigError: their meaning was not indexed.
    """
    if indexes.meaning is None:
        raise ConfigError("a learned order needs both halves of the search.")
    knowledge, frequency = indexes.knowledge, indexes.words.document_frequency
    return PairFeatures(
        indexes.words,
        indexes.meaning,
        lambda text: understand(text, knowledge, (), frequency),
        RelevanceReader.of(indexes.items.table, knowledge.analyzer),
    )


def _row(wanted: RowSetting, indexes: Indexes) -> SearchRow:
    if wanted.row == RANDOM:
        return RandomRow(np.arange(1, len(indexes.items.vocabulary)), indexes.seed)
    if wanted.row in (BM25, AS_TYPED):
        off = SPELLING_REWRITERS if wanted.row == AS_TYPED else frozenset[str]()
        return PoolRow(wanted.row, lexical_pool(indexes.words, indexes.knowledge, off))
    fused = _fused_row(wanted, indexes)
    return PoolRow(DENSE, fused.meaning) if wanted.row == DENSE else fused


def _fused_row(wanted: RowSetting, indexes: Indexes) -> FusedRow:
    if indexes.meaning is None:
        raise ConfigError(f"the row {wanted.row!r} needs both halves of the search.")
    weights = FusionWeights(wanted.weight, 1 - wanted.weight)
    if wanted.row == RRF:
        weights = FusionWeights(method="ranks")
    return FusedRow(wanted.row, lexical_pool(indexes.words, indexes.knowledge), indexes.meaning, weights)


def lexical_pool(index: LexicalIndex, knowledge: QueryKnowledge, off: Collection[str] = ()) -> LexicalPool:
    """The half by words: queries as the service understands them, without the rewriters in `off`."""
    return LexicalPool(index, lambda text: understand(text, knowledge, off, index.document_frequency).lexical)


def dense_pool(
    settings: Settings,
    items: SearchedItems,
    encoder: str | None,
    knowledge: QueryKnowledge,
    progress: Progress,
) -> tuple[DensePool, str]:
    """The half by meaning, and a note on its encoder; texts that were encoded before are not again."""
    with progress("load encoder", None):
        precision = INT8 if shop_text_settings(settings).precision == INT8 else FLOAT32
        loaded = load_named_encoder(settings, encoder, precision)
    vectors = TextVectors(settings.paths.text_vectors).vectors(loaded, items.texts, progress)
    queries = QueryEncoder(TorchQueries(loaded))
    pool = DensePool(TextIndex(vectors), lambda text: queries.encode(understand(text, knowledge).meaning))
    return pool, f"encoder {loaded.name}"


@contextmanager
def word_index(items: SearchedItems, progress: Progress) -> Iterator[LexicalIndex]:
    """The index of the items' words, which is gone after the block."""
    with tempfile.TemporaryDirectory(prefix="recsys-search-") as name:
        folder = Path(name) / "lexical"
        with progress("index words", None):
            build_index(item_texts(items.table), folder)
        yield open_index(folder)


def build_knowledge(items: ItemTable, progress: Progress) -> QueryKnowledge:
    """What these items alone say of words: their spelling, and the names of their categories and brands."""
    analyzer = Analyzer()
    with progress("count words", None):
        lexicon = catalog_lexicon(
            zip(items.words_of_titles, items.categories, items.brands, strict=True), analyzer
        )
    values = catalog_values(items.categories, items.brands, map(json.loads, items.attributes))
    return QueryKnowledge(
        speller=Speller(lexicon, near_words_of(correctable_words(lexicon))),
        names=named_values(values, analyzer),
        analyzer=analyzer,
    )
