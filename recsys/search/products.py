"""Items that are variants of one product: they match, count and are shown as one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recsys.arrays import BoolArray, IntArray
from recsys.dataset.item_table import ItemTable
from recsys.versions.grown_mapping import GrownMapping
from recsys.versions.spare_capacity import SpareCapacity, rows_differ


@dataclass(frozen=True)
class Products:
    """Which product each item belongs to.

    Attributes:
        lead: (N + 1,) index of the first item of the same product; an item without a product is its own.
        first: product id -> that index.
        spare: the same for all that become of this.
    """

    lead: IntArray
    first: Mapping[str, int]
    spare: SpareCapacity = field(default_factory=SpareCapacity, repr=False, compare=False)

    @classmethod
    def of(cls, items: ItemTable) -> "Products":
        """The products of `items`."""
        first: dict[str, int] = {}
        lead = np.arange(len(items))
        for place, product in enumerate(items.products):
            if product:
                lead[place] = first.setdefault(product, place)
        return cls(lead, GrownMapping.of(first))

    def with_items(self, items: ItemTable, index: IntArray) -> "Products":
        """The products of `items`, which differ from before at `index` only; new indexes are among them."""
        new: dict[str, int] = {}
        lead = index.copy()
        for row, place in enumerate(index.tolist()):
            product = items.products[place]
            if product and product not in self.first:
                new.setdefault(product, place)
            if product:
                lead[row] = new[product] if product in new else self.first[product]
        first = GrownMapping.of(self.first).with_items(new) if new else self.first
        differs = rows_differ(self.lead, index, lead)
        leads = self.spare.with_rows("lead", self.lead, len(items), index[differs], lead[differs])
        return Products(leads, first, self.spare)

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
