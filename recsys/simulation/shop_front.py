"""What a shop without a recommender shows: popular items, and categories that are searched for."""

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.simulation.item_space import ItemSpace

WHOLE_SHOP = -1
_TRIES = 4  # draws for each place of a slate; what comes twice is shown once
_FOCUS = 6.0  # how much more a near category is searched for


class ShopFront:
    """Random slates, an item as likely as the shop is to expose it: what is shown does not know the user."""

    def __init__(self, space: ItemSpace) -> None:
        self._space = space
        self._items = np.argsort(space.category_of, kind="stable").astype(np.int64)
        self._reach = np.cumsum(space.exposure[self._items], dtype=np.float64)
        ends = np.searchsorted(space.category_of[self._items], np.arange(len(space.categories)), side="right")
        self._high = self._reach[ends - 1]
        self._low = np.append(0.0, self._high[:-1])
        self._sold = self._high > self._low  # (categories,) bool: something of it is available

    def slates(self, categories: IntArray, size: int, rng: np.random.Generator) -> IntArray:
        """(B, size) distinct items of each category, or of the whole shop; 0 where there are too few."""
        everywhere = (categories == WHOLE_SHOP) | ~self._sold[categories]
        low = np.where(everywhere, 0.0, self._low[categories])
        high = np.where(everywhere, self._reach[-1], self._high[categories])
        drawn = low[:, None] + rng.random((len(categories), _TRIES * size)) * (high - low)[:, None]
        inside = np.minimum(drawn, np.nextafter(high, 0)[:, None])
        items = self._items[np.searchsorted(self._reach, inside, side="right")]
        return _distinct(items)[:, :size]

    def searches(self, near: IntArray, rng: np.random.Generator) -> list[str]:
        """(B,) what people type who look for something of a category: its name, or the title of an item."""
        titles = self.slates(near, 1, rng)[:, 0]
        by_name = rng.random(len(near)) < 0.5
        return [
            self._space.categories[category].lower()
            if named and category and self._space.categories[category].strip()
            else self._space.titles[item]
            for category, item, named in zip(near.tolist(), titles.tolist(), by_name.tolist(), strict=True)
        ]

    def wanted(self, taste: FloatArray, rng: np.random.Generator) -> IntArray:
        """(B,) a category for each taste (B, WIDTH), near ones more often, among those that are sold."""
        liking = _FOCUS * (taste @ self._space.centres.T) + rng.gumbel(
            size=(len(taste), len(self._space.centres))
        )
        return np.asarray(np.where(self._sold, liking, -np.inf).argmax(axis=1), np.int64)


def _distinct(items: IntArray) -> IntArray:
    """Each row without what came in it before, in the order of first coming, filled up with 0.

    >>> _distinct(np.array([[5, 5, 3, 5, 4]])).tolist()
    [[5, 3, 4, 0, 0]]
    """
    order = np.argsort(items, axis=1, kind="stable")
    ranked = np.take_along_axis(items, order, axis=1)
    again = np.zeros(items.shape, bool)
    np.put_along_axis(again, order[:, 1:], ranked[:, 1:] == ranked[:, :-1], axis=1)
    first = np.argsort(again, axis=1, kind="stable")
    return np.where(np.take_along_axis(again, first, 1), 0, np.take_along_axis(items, first, 1))
