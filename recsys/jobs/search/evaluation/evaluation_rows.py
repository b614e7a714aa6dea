"""The rows of an evaluation: random, by words, by meaning, both fused, and what other engines ranked."""

import json
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.analysis.analyzer import Analyzer
from recsys.config import Settings
from recsys.dataset.item_table import ItemTable, item_words
from recsys.errors import ConfigError
from recsys.evaluation.search.rows import PoolRow, RandomRow, RankedLists, SearchRow
from recsys.jobs.encoders.loading import load_named_encoder
from recsys.jobs.search.evaluation.pools import DensePool, FusedRow, LexicalPool
from recsys.jobs.search.judged_files.searched_items import SearchedItems
from recsys.models.encoders.query_encoder import QueryEncoder, TorchQueries
from recsys.progress import Progress
from recsys.retrieval.lexical.build import build_index
from recsys.retrieval.lexical.index import LexicalIndex, open_index
from recsys.retrieval.lexical.item_text import item_texts
from recsys.retrieval.text_index import TextIndex
from recsys.search.relevance.fusion import FusionWeights
from recsys.search.understanding.catalog_words import catalog_lexicon, correctable_words, near_words_of
from recsys.search.understanding.named_values import catalog_values, named_values
from recsys.search.understanding.spelling import Speller
from recsys.search.understanding.understand import SPELLING_REWRITERS, QueryKnowledge, understand
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


@contextmanager
def open_rows(
    settings: Settings,
    items: SearchedItems,
    encoder: str | None,
    others: Sequence[RankedLists],
    progress: Progress,
) -> Iterator[BuiltRows]:
    """Every row that these items can have, built from their texts alone; inside the block.

    Args:
        encoder: of this home, a path or a name; None = the one of the settings. others: rankings from files.

    Raises:
        ArtifactNotFoundError: there is no such encoder here.
    """
    knowledge = build_knowledge(items.table, progress)
    with word_index(items, progress) as index:
        vectors, note = dense_pool(settings, items, encoder, knowledge, progress)
        rows = tuple(_row(RowSetting(name), items, index, knowledge, vectors, settings) for name in ROWS)
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
    knowledge = build_knowledge(items.table, progress)
    vectors = None
    if wanted.row in (DENSE, RRF, WEIGHTED):
        vectors, _ = dense_pool(settings, items, wanted.encoder, knowledge, progress)
    with word_index(items, progress) as index:
        yield _row(wanted, items, index, knowledge, vectors, settings)


def _row(
    wanted: RowSetting,
    items: SearchedItems,
    index: LexicalIndex,
    knowledge: QueryKnowledge,
    meaning: DensePool | None,
    settings: Settings,
) -> SearchRow:
    if wanted.row == RANDOM:
        return RandomRow(np.arange(1, len(items.vocabulary)), settings.evaluation.seed)
    off = SPELLING_REWRITERS if wanted.row == AS_TYPED else frozenset[str]()
    words = lexical_pool(index, knowledge, off)
    if wanted.row in (BM25, AS_TYPED) or meaning is None:
        return PoolRow(wanted.row, words)
    if wanted.row == DENSE:
        return PoolRow(DENSE, meaning)
    if wanted.row == RRF:
        return FusedRow(RRF, words, meaning, FusionWeights(method="ranks"))
    return FusedRow(WEIGHTED, words, meaning, FusionWeights(wanted.weight, 1 - wanted.weight))


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
        loaded = load_named_encoder(settings, encoder)
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
        lexicon = catalog_lexicon(item_words(items)[1:], analyzer)
    values = catalog_values(items.categories, items.brands, map(json.loads, items.attributes))
    return QueryKnowledge(
        speller=Speller(lexicon, near_words_of(correctable_words(lexicon))),
        names=named_values(values, analyzer),
        analyzer=analyzer,
    )
