"""The rows of an evaluation: random, by words, by meaning, both fused, and what other engines ranked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import FloatArray
from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.evaluation.search.rows import (
    PoolRow,
    RandomRow,
    RankedLists,
    ReciprocalRow,
    SearchRow,
    WeightedRow,
)
from recsys.jobs.encoders.loading import load_named_encoder
from recsys.jobs.search.pools import DensePool, LexicalPool
from recsys.jobs.search.searched_items import SearchedItems
from recsys.models.encoders.query_encoder import QueryEncoder, TorchQueries
from recsys.progress import Progress
from recsys.retrieval.text_index import TextIndex
from recsys.stores.encoders.text_vectors import TextVectors

RANDOM, BM25, DENSE, RRF, WEIGHTED, LEARNED = "random", "BM25", "dense", "RRF", "weighted", "learned"


ROWS = (RANDOM, BM25, DENSE, RRF, WEIGHTED)


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


def build_rows(
    settings: Settings,
    items: SearchedItems,
    encoder: str | None,
    others: Sequence[RankedLists],
    progress: Progress,
) -> BuiltRows:
    """Every row that these items can have, built from their texts alone.

    Args:
        encoder: of this home, a path or a name; None = the one of the settings. others: rankings from files.

    Raises:
        ArtifactNotFoundError: there is no such encoder here.
    """
    rows: list[SearchRow] = [RandomRow(np.arange(1, len(items.vocabulary)), settings.evaluation.seed)]
    words = lexical_pool(items, progress)
    meaning, note = dense_pool(settings, items, encoder, progress)
    if words is not None:
        rows.append(PoolRow(BM25, words))
    rows.append(PoolRow(DENSE, meaning))
    if words is not None:
        rows += [ReciprocalRow(RRF, words, meaning), WeightedRow(WEIGHTED, words, meaning)]
    default = WEIGHTED if words is not None else DENSE
    return BuiltRows((*rows, *others), default, (BM25, DENSE), (items.source, note))


def build_row(settings: Settings, items: SearchedItems, wanted: RowSetting, progress: Progress) -> SearchRow:
    """One row, with only the halves that it needs.

    Raises:
        ConfigError: there is no such row here.
        ArtifactNotFoundError: there is no such encoder here.
    """
    if wanted.row == RANDOM:
        return RandomRow(np.arange(1, len(items.vocabulary)), settings.evaluation.seed)
    if wanted.row == DENSE:
        return PoolRow(DENSE, dense_pool(settings, items, wanted.encoder, progress)[0])
    words = lexical_pool(items, progress)
    if words is None:
        raise ConfigError(f"the row {wanted.row!r} needs an index of words, and none was built. Use {DENSE}.")
    if wanted.row == BM25:
        return PoolRow(BM25, words)
    meaning, _ = dense_pool(settings, items, wanted.encoder, progress)
    if wanted.row == RRF:
        return ReciprocalRow(RRF, words, meaning)
    return WeightedRow(WEIGHTED, words, meaning, wanted.weight)


def dense_pool(
    settings: Settings, items: SearchedItems, encoder: str | None, progress: Progress
) -> tuple[DensePool, str]:
    """The half by meaning, and a note on its encoder; texts that were encoded before are not again."""
    with progress("load encoder", None):
        loaded = load_named_encoder(settings, encoder)
    vectors = TextVectors(settings.paths.text_vectors).vectors(loaded, items.texts, progress)
    queries = QueryEncoder(TorchQueries(loaded))
    return DensePool(TextIndex(vectors), query_vectors(queries)), f"encoder {loaded.name}"


def query_vectors(encoder: QueryEncoder) -> Callable[[str], FloatArray]:
    """A query's vector; the encoder remembers those that it made."""
    return encoder.encode


def lexical_pool(items: SearchedItems, progress: Progress) -> LexicalPool | None:
    """The half by words; None until there is a lexical index to build."""
    return None
