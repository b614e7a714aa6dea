"""The rows of an evaluation: random, by words, by meaning, both fused, and what other engines ranked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import FloatArray
from recsys.config import Settings
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
