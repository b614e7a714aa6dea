"""What one changed item and one refresh of popularity cost a service, by the size of its catalog.

    PYTHONPATH=. python -m scripts.benchmarks.online.update_bench --items 100000 [--search] [--reload]

Random items, untrained networks, tables of 50 neighbours; the median of CPU milliseconds over `--times`
changes, one item each. The first change of each kind makes spare rows and is given apart.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from recsys.catalog import Item
from recsys.config import Settings
from recsys.funnel.recommender import Recommender
from recsys.instants import utc_now
from recsys.models.bundle import Bundle
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
    options.add_argument("--reload", action="store_true", help="only load the bundle, twice")
    given = options.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    with TemporaryDirectory() as home:
        settings = Settings(home=Path(home))
        bundle = random_bundle(given.items, settings, utc_now(), "random-1", rng, applied=False)
        print_changes(Recommender(bundle, ShopFeatures({}), settings.serving), rng, given.times)


def print_changes(recommender: Recommender, rng: np.random.Generator, times: int) -> None:
    """Changes of each kind, one after the other, each on what the one before left."""
    bundle = recommender.bundle
    width = bundle.text_vectors.shape[1]
    version = 0

    def known(place: int) -> Item:
        items = bundle.items
        return Item(
            items.vocabulary.ids[place],
            items.titles[place],
            "",
            items.categories[place],
            items.brands[place],
            int(items.price_micros[place]),
            bool(items.available[place]),
            {},
        )

    def vector() -> np.ndarray:
        row = rng.normal(size=width)
        return (row / np.linalg.norm(row)).astype(np.float32)

    def place() -> int:
        return int(rng.integers(1, len(bundle.items)))

    kinds: dict[str, Callable[[int], ItemChange]] = {
        "price": lambda n: ItemChange(replace(known(place()), price_micros=n + 7)),
        "availability": lambda n: ItemChange(replace(known(place()), available=False)),
        "text and category": lambda n: ItemChange(
            replace(known(place()), title=f"t {n}", category="category 3"), vector()
        ),
        "new": lambda n: ItemChange(replace(known(place()), item_id=f"new-{n}", title=f"New {n}"), vector()),
    }
    for kind, change in kinds.items():
        spent = []
        for n in range(times + 1):
            changes = [change(n)]
            version += 1
            start = time.process_time()
            recommender = recommender.with_changes(changes, version)
            spent.append(1000 * (time.process_time() - start))
        print(
            f"{kind:20} first {spent[0]:8.1f} ms, median {statistics.median(spent[1:]):7.2f}, worst {max(spent[1:]):7.2f}",
            flush=True,
        )
    spent = []
    for n in range(times + 1):
        live = dict(
            zip(
                rng.choice(given_size(bundle), LIVE, replace=False).tolist(),
                rng.random(LIVE).tolist(),
                strict=True,
            )
        )
        live.pop(0, None)
        popularity = LivePopularity.at(POPULARITY_ORIGIN, live, POPULARITY_ORIGIN + n)
        start = time.process_time()
        recommender = recommender.with_popularity(popularity)
        spent.append(1000 * (time.process_time() - start))
    print(
        f"{'popularity':20} first {spent[0]:8.1f} ms, median {statistics.median(spent[1:]):7.2f}, worst {max(spent[1:]):7.2f}"
    )
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


def given_size(bundle: Bundle) -> int:
    return len(bundle.items)


if __name__ == "__main__":
    main()
