"""Which category each item has, by keys: asked for every event of every log, so it answers by the array."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from recsys.arrays import IntArray
from recsys.catalog import stable_key

BUCKET_BITS = 2  # buckets: at least 4 times the items, so that most hold one or none


@dataclass(frozen=True)
class Categories:
    """A hash table from item keys to category keys; keys are hashes already.

    Attributes:
        keys: (N,) item keys, by bucket.
        categories: (N,) the key of each one's category.
        starts: (2^b + 1,) first of each bucket; a key's bucket is its upper b bits.
    """

    keys: IntArray
    categories: IntArray
    starts: IntArray

    def __call__(self, keys: IntArray) -> IntArray:
        """(K,) the category of each of these items, 0 = none or unknown."""
        found = np.zeros(len(keys), np.int64)
        if not len(self.keys):
            return found
        bucket = _bucket(keys, len(self.starts) - 1)
        place, end = self.starts[bucket], self.starts[bucket + 1]
        looking = np.flatnonzero(place < end)
        place, end = place[looking], end[looking]
        while len(looking):
            hit = self.keys[place] == keys[looking]
            found[looking[hit]] = self.categories[place[hit]]
            on = np.flatnonzero(~hit & (place + 1 < end))
            looking, place, end = looking[on], place[on] + 1, end[on]
        return found


def categories_of(items: Iterable[tuple[str, str | None]]) -> Categories:
    """The categories of (item id, category) pairs; of an item that comes twice the last counts."""
    known = {stable_key(item): stable_key(category) if category else 0 for item, category in items}
    keys = np.fromiter(known.keys(), np.int64, len(known))
    categories = np.fromiter(known.values(), np.int64, len(known))
    buckets = 1 << (max(len(known), 1).bit_length() + BUCKET_BITS)
    bucket = _bucket(keys, buckets)
    order = np.argsort(bucket, kind="stable")
    starts = np.searchsorted(bucket[order], np.arange(buckets + 1))
    return Categories(keys[order], categories[order], starts)


def _bucket(keys: IntArray, buckets: int) -> IntArray:
    upper = keys.view(np.uint64) >> np.uint64(65 - buckets.bit_length())
    return upper.view(np.int64)
