"""What one changed item and one refresh of popularity cost a service, by the size of its catalog.

    PYTHONPATH=. python -m scripts.benchmarks.online.update_bench --items 100000

Random items, untrained networks, tables of 50 neighbours, no search; CPU milliseconds of changes of one item
each. The first change of a kind makes spare rows and is given apart.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recsys.arrays import FloatArray
from recsys.catalog import Item
from recsys.config import Settings
from recsys.dataset.item_table import ItemTable
from recsys.funnel.recommender import Recommender
from recsys.instants import utc_now
from recsys.models.bundle_update import ItemChange
from recsys.retrieval.popularity import POPULARITY_ORIGIN, LivePopularity
from scripts.benchmarks.online.random_shop import random_bundle
from tests.fake_world import ShopFeatures

LIVE = 5000  # items with a live score


def main() -> None:
    """Prints what each kind of change costs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--items", type=int, default=100_000)
    options.add_argument("--times", type=int, default=15)
    given = options.parse_args()
    torch.set_num_threads(1)
    rng, settings = np.random.default_rng(0), Settings(home=Path("unused"))
    bundle = random_bundle(given.items, settings, utc_now(), "random-1", rng, applied=False)
    shop = _Shop(Recommender(bundle, ShopFeatures({}), settings.serving), rng)
    for kind, step in shop.kinds().items():
        first, *rest = (step(number) for number in range(given.times + 1))
        print(
            f"{kind:20} first {first:8.1f} ms, median {statistics.median(rest):7.2f}, worst {max(rest):7.2f}",
            flush=True,
        )
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


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
            "text and category": lambda n: self._change(
                self._vector(), title=f"t {n}", category="category 3"
            ),
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
        row = self._rng.normal(size=self._width)
        return (row / np.linalg.norm(row)).astype(np.float32)


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


if __name__ == "__main__":
    main()
