"""A retriever for a catalog, as it is before training."""

from collections.abc import Set

import numpy as np
import torch
from scipy import sparse
from torch import nn

from recsys.arrays import FloatArray, IntArray
from recsys.config import RetrieverSettings
from recsys.dataset.item_table import ItemTable, some_lack_text
from recsys.errors import ConfigError
from recsys.models.retriever.attributes import AttributeVocabulary, attribute_rows
from recsys.models.retriever.graph_init import graph_directions, initialise_from_graph
from recsys.models.retriever.ready_vectors import ReadyProjection
from recsys.models.retriever.retriever import Retriever
from recsys.models.retriever.shape import RetrieverShape
from recsys.models.retriever.text_projection import TextProjection


def build_retriever(
    settings: RetrieverSettings,
    items: ItemTable,
    text_vectors: FloatArray,
    graph: sparse.csr_matrix | None,
    *,
    clock: bool,
    season: bool = False,
) -> Retriever:
    """A retriever for this catalog, before training.

    Args:
        text_vectors: (N + 1, E), zero rows where there is no text.
        graph: (N + 1, N + 1) item graph of the training actions; its directions are where F_m starts.
        clock: whether instants are real (`DatasetInfo.clock == "time"`).
        season: whether the training data covers at least two years.

    Raises:
        ConfigError: the width does not divide among the heads.
    """
    if settings.width % settings.heads:
        raise ConfigError(
            f"retriever.width {settings.width} does not divide by retriever.heads {settings.heads}. "
            "Set a width that is a multiple of the heads."
        )
    off = frozenset(settings.without)
    clock, season = clock and "time" not in off, season and "time" not in off
    if "text" in off:
        text_vectors = np.zeros_like(text_vectors)
    rows = attribute_rows(items)
    attributes = AttributeVocabulary.fit(rows[1:])
    tokens, numbers = attributes.encode(rows)
    projection = TextProjection.fit(text_vectors[1:], settings.text_width)
    ready = ReadyProjection.fit(items.ready_vectors, items.vector_layout, settings.text_width)
    vectors = tuple((name, *sizes) for (name, _), sizes in zip(items.vector_layout, ready.sizes, strict=True))
    shape = RetrieverShape(
        items=len(items) - 1,
        text_dimensions=text_vectors.shape[1],
        text=projection.directions.shape[1],
        tokens=tokens.shape[1],
        width=settings.width,
        layers=settings.layers,
        heads=settings.heads,
        history_length=settings.history_length,
        dropout=settings.dropout,
        clock=clock,
        season=season and clock,
        vectors=vectors,
        text_missing=some_lack_text(text_vectors),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        retriever = Retriever(shape, attributes)
    retriever.text_projection.load_state_dict(projection.state_dict())
    retriever.ready_projection.load_state_dict(ready.state_dict())
    fill_item_tower(retriever, text_vectors, tokens, numbers, items.vectors)
    if graph is not None and "graph" not in off:
        kept = sum(kept for _, _, kept in shape.vectors)
        directions = graph_directions(graph, settings.width, settings.seed)
        initialise_from_graph(retriever.item_tower, directions, kept)
    _freeze_left_out(retriever, off)
    return retriever


def fill_item_tower(
    retriever: Retriever,
    text_vectors: FloatArray,
    tokens: IntArray,
    numbers: FloatArray,
    vectors: FloatArray | None,
) -> None:
    """Gives the item tower the catalog that its vectors are made of, by the retriever's projections."""
    tower = retriever.item_tower
    tower.tokens.copy_(torch.from_numpy(tokens))
    tower.numbers.copy_(retriever.numbers(numbers, vectors))
    tower.text.copy_(retriever.text_projection(torch.from_numpy(text_vectors)))


def _freeze_left_out(retriever: Retriever, off: Set[str]) -> None:
    """Fixes the weights of the parts that are left out at zero."""
    if "id" in off:
        nn.init.zeros_(retriever.item_tower.residual)
        retriever.item_tower.residual.requires_grad_(False)
    if "kinds" in off:  # zero from the start
        retriever.user_tower.kind.weight.requires_grad_(False)
