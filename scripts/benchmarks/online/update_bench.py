"""catalog-update: what one changed item and one refresh of popularity cost a service, without its search.

Random items (100,000, or RECSYS_BENCH_ITEMS), untrained networks, tables of 50 neighbours; median CPU of
changes of one item each, one after the other. The first of a kind, which makes spare rows, does not count.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from online.bounded_row import bounded_row
from online.random_shop import random_bundle
from recsys.arrays import FloatArray
from recsys.catalog import Item
from recsys.config import Settings
from recsys.dataset.item_table import ItemTable
from recsys.errors import StoreUnavailableError
from recsys.funnel.online_features import FeatureRows
from recsys.funnel.recommender import Recommender
from recsys.instants import utc_now
from recsys.models.bundle_update import ItemChange
from recsys.retrieval.popularity import POPULARITY_ORIGIN, LivePopularity

ITEMS = 100_000
LARGE = 300_000  # items from which on the bounds are those of a million
TIMES = 15
LIVE = 5000  # items with a live score


def rows() -> list[dict[str, object]]:
    """A row for each kind of change."""
    torch.set_num_threads(1)
    items = int(os.environ.get("RECSYS_BENCH_ITEMS", ITEMS))
    rng, settings = np.random.default_rng(0), Settings(home=Path("unused"))
    bundle = random_bundle(items, settings, utc_now(), "random-1", rng, applied=False)
    shop = _Shop(Recommender(bundle, _NoFeatures(), settings.serving), rng)
    large = items >= LARGE
    found = []
    for kind, step in shop.kinds().items():
        spent = median([step(number) for number in range(TIMES + 1)][1:])
        bounds = (20.0, 5.0) if large or kind == "popularity" else (10.0, 2.0)
        found.append(bounded_row(f"catalog-update-{kind}", "ms CPU", spent, *bounds))
    return found


class _NoFeatures:
    """A store of features that is away."""

    def read_user(self, user_id: str) -> FeatureRows:
        raise StoreUnavailableError("redis", "read features", 0.2)

    def read_items(self, item_ids: Sequence[str]) -> FeatureRows:
        raise StoreUnavailableError("redis", "read features", 0.2)

    def read(self, user_id: str, item_ids: Sequence[str]) -> tuple[FeatureRows, FeatureRows]:
        raise StoreUnavailableError("redis", "read features", 0.2)


class _Shop:
    """A recommender and changes to it, one after the other."""

    def __init__(self, recommender: Recommender, rng: np.random.Generator) -> None:
        self._recommender, self._rng = recommender, rng
        self._items, self._width = recommender.bundle.items, recommender.bundle.text_vectors.shape[1]

    def kinds(self) -> dict[str, Callable[[int], float]]:
        """Kind of change -> what makes the n-th of it and gives its CPU milliseconds."""
        return {
            "price": lambda n: self._change(price_micros=n + 7),
            "availability": lambda n: self._change(available=False),
            "text": lambda n: self._change(self._vector(), title=f"t {n}", category="category 3"),
            "new": lambda n: self._change(self._vector(), item_id=f"new-{n}", title=f"New {n}"),
            "popularity": self._refresh,
        }

    def _change(self, vector: FloatArray | None = None, **facts: Any) -> float:
        item = _known(self._items, int(self._rng.integers(1, len(self._items))))
        change = ItemChange(replace(item, **facts), vector)
        start = time.process_time()
        self._recommender = self._recommender.with_changes([change], self._recommender.version + 1)
        return 1000 * (time.process_time() - start)

    def _refresh(self, number: int) -> float:
        index = self._rng.choice(len(self._items) - 1, LIVE, replace=False) + 1
        live = dict(zip(index.tolist(), self._rng.random(LIVE).tolist(), strict=True))
        popularity = LivePopularity.at(POPULARITY_ORIGIN, live, POPULARITY_ORIGIN + number)
        start = time.process_time()
        self._recommender = self._recommender.with_popularity(popularity)
        return 1000 * (time.process_time() - start)

    def _vector(self) -> FloatArray:
        row = np.asarray(self._rng.normal(size=self._width), np.float32)
        return np.asarray(row / np.linalg.norm(row), np.float32)


def _known(items: ItemTable, place: int) -> Item:
    return Item(
        items.vocabulary.ids[place],
        items.titles[place],
        None,
        items.categories[place],
        items.brands[place],
        int(items.price_micros[place]),
        bool(items.available[place]),
    )
