"""A small catalog and retriever for the tests of the models."""

import json

import numpy as np
import pytest

from recsys.arrays import FloatArray
from recsys.config import RetrieverSettings
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.models.retriever.build import build_retriever
from recsys.models.retriever.retriever import Retriever

ITEMS = 40


@pytest.fixture
def catalog() -> ItemTable:
    """40 items in two categories, with a colour list, a weight and a price."""
    colours = ("red", "blue", "green", "black")
    return ItemTable(
        vocabulary=Vocabulary.of(f"i{number:02}" for number in range(ITEMS)),
        titles=("", *(f"title {number}" for number in range(ITEMS))),
        categories=("", *("food" if number % 2 else "toys" for number in range(ITEMS))),
        brands=("",) * (ITEMS + 1),
        price_micros=np.array([-1, *(1_000_000 * (number + 1) for number in range(ITEMS))]),
        available=np.ones(ITEMS + 1, bool),
        attributes=(
            "{}",
            *(
                json.dumps({"colour": [colours[n % 4], colours[(n + 1) % 4]], "grams": n})
                for n in range(ITEMS)
            ),
        ),
    )


@pytest.fixture
def text_vectors() -> FloatArray:
    vectors = np.random.default_rng(0).standard_normal((ITEMS + 1, 24)).astype(np.float32)
    vectors[0] = 0
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


@pytest.fixture
def settings() -> RetrieverSettings:
    return RetrieverSettings(width=16, text_width=12, history_length=6, dropout=0.2, threads=1)


@pytest.fixture
def retriever(settings: RetrieverSettings, catalog: ItemTable, text_vectors: FloatArray) -> Retriever:
    """Untrained, but with every zero-initialised part made to count."""
    import torch

    model = build_retriever(settings, catalog, text_vectors, None, clock=True, season=True)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim:
                weight.add_(torch.randn(weight.shape, generator=generator) * 0.1)
    return model.eval()
