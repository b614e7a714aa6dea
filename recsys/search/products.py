"""Items that are variants of one product: they match, count and are shown as one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray, IntArray
from recsys.dataset.item_table import ItemTable


@dataclass(frozen=True)
class Products:
    """Which product each item belongs to.

    Attributes:
        lead: (N + 1,) index of the first item of the same product; an item without a product is its own.
        first: product id -> that index.
    """

    lead: IntArray
    first: Mapping[str, int]

    @classmethod
    def of(cls, items: ItemTable) -> "Products":
        """The products of `items`."""
        return cls(np.zeros(0, np.int64), {}).with_items(items, np.arange(len(items)))

    def with_items(self, items: ItemTable, index: IntArray) -> "Products":
        """The products of `items`, which differ from before at `index` only; new indexes are among them."""
        lead = np.arange(len(items))
        lead[: len(self.lead)] = self.lead
        first = dict(self.first)
        for place in index.tolist():
            product = items.products[place] if items.products else ""
            lead[place] = first.setdefault(product, place) if product else place
        return Products(lead, first)

    @property
    def has_variants(self) -> bool:
        """Whether any product has more than one item."""
        return len(self.first) > 0

    def count(self, index: IntArray) -> int:
        """How many products the items at `index` are."""
        return len(np.unique(self.lead[index])) if self.has_variants else len(index)

    def first_places(self, order: IntArray) -> IntArray:
        """Ascending places in `order` of the first item of each product.

        >>> Products(np.array([0, 1, 1, 3]), {"p": 1}).first_places(np.array([2, 3, 1])).tolist()
        [0, 1]
        """
        if not self.has_variants:
            return np.arange(len(order))
        return np.sort(np.unique(self.lead[order], return_index=True)[1])

    def variants(self, index: int, among: BoolArray) -> IntArray:
        """The items of the product of `index` that are `among` (N + 1,)."""
        found: IntArray = np.flatnonzero((self.lead == self.lead[index]) & among)
        return found
