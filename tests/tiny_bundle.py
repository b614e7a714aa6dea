"""A bundle of the real networks over four items, untrained: small enough for any test."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from recsys.config import RetrieverSettings
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.models.bundle import Bundle
from recsys.models.fusion import initial_fusion
from recsys.models.manifest import Manifest
from recsys.models.ranker import Ranker, RankerShape
from recsys.models.retriever.build import build_retriever
from recsys.models.signals import SignalTables

NOW = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
SERVICES = {"retrieval_v1": "a1", "ranking_v1": "b2"}


def tiny_items() -> ItemTable:
    return ItemTable(
        vocabulary=Vocabulary(("", "bread", "butter", "cheese", "wine")),
        titles=("", "Bread", "Butter", "Cheese", "Wine"),
        categories=("", "bakery", "dairy", "dairy", "drinks"),
        brands=("", "mill", "alp", "alp", ""),
        price_micros=np.array([-1, 2_500_000, 3_000_000, 4_000_000, -1]),
        available=np.array([False, True, True, False, True]),
        attributes=("{}", '{"size": 500}', "{}", "{}", '{"grape": ["merlot"]}'),
    )


def tiny_bundle(bundle_id: str = "shop-1", services: Mapping[str, str] = SERVICES, **changes: Any) -> Bundle:
    rng = np.random.default_rng(7)
    items = tiny_items()
    text = rng.normal(size=(len(items), 6)).astype(np.float32)
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    text[0] = 0
    retriever = build_retriever(
        RetrieverSettings(width=8, text_width=8, heads=2, history_length=4), items, text, None, clock=True
    )
    manifest = Manifest(
        bundle_id=bundle_id,
        created_at=NOW,
        dataset="corner-shop",
        protocol="time-split",
        repeats=True,
        services=dict(services),
        data_start=NOW,
        data_end=NOW,
        users=2,
        items=len(items) - 1,
        encoder="minilm",
        settings={"retriever": {"width": 8}},
        metrics={"ndcg@10": 0.25, "recall@10": 0.5},
    )
    arrays: dict[str, Any] = {
        "item_vectors": retriever.item_vectors(),
        "popularity": np.array([0, 4, 3, 2, 1], np.float32),
        "neighbours": np.array([[0, 0], [2, 3], [1, 3], [2, 0], [3, 0]]),
        "neighbour_scores": rng.random((len(items), 2)).astype(np.float32),
        "cosine_neighbours": np.array([[0, 0], [2, 4], [1, 0], [4, 0], [3, 1]]),
        "cosine_scores": np.array([[0, 0], [0.5, 0.25], [0.5, 0], [0.75, 0], [0.75, 0.25]], np.float32),
        "text_neighbours": np.array([[0, 0], [4, 0], [3, 1], [2, 0], [1, 0]]),
        "text_scores": np.array([[0, 0], [0.5, 0], [0.75, 0.25], [0.75, 0], [0.5, 0]], np.float32),
        "word_neighbours": np.array([[0, 0], [2, 0], [1, 0], [0, 0], [0, 0]]),
        "word_scores": np.array([[0, 0], [0.5, 0], [0.5, 0], [0, 0], [0, 0]], np.float32),
        "item_events": np.array([0, 8, 6, 4, 2], np.float32),
    }
    parts: dict[str, Any] = {
        "manifest": manifest,
        "items": items,
        "retriever": retriever,
        "text_vectors": text,
        "signal_tables": SignalTables.from_arrays(arrays),
        "fusion": initial_fusion(4, repeats=True),
        "ranker": Ranker(RankerShape(hidden=4)),
    }
    return Bundle(**(parts | changes))
