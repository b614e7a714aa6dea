"""What searches showed and what of it was clicked, and the counts that judgments from clicks are made of."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import DataError


@dataclass(frozen=True)
class ShownItems:
    """N items that were shown for a query; all arrays have shape (N,).

    Attributes:
        query, item: rows of whatever lists the caller has.
        position: from 1. clicked: at least once.
        propensity: the probability with which chance put the item there; NaN where there was no chance. None
            where the log has no such thing.
    """

    query: IntArray
    item: IntArray
    position: IntArray
    clicked: BoolArray
    propensity: DoubleArray | None = None

    def __post_init__(self) -> None:
        if len(self.position) and int(self.position.min()) < 1:
            raise DataError(f"a position is {int(self.position.min())}. Positions count from 1.")

    def __len__(self) -> int:
        return len(self.query)

    @cached_property
    def pairs(self) -> tuple[IntArray, IntArray, IntArray]:
        """Query and item of each of the M pairs, and (N,) the pair of each item shown."""
        width = int(self.item.max(initial=0)) + 1
        keys, place = np.unique(self.query * width + self.item, return_inverse=True)
        return keys // width, keys % width, np.asarray(place, np.int64)

    @cached_property
    def cells(self) -> "Cells":
        """Counts by pair and position."""
        _, _, pair = self.pairs
        width = int(self.position.max(initial=0)) + 1
        keys, place = np.unique(pair * width + self.position, return_inverse=True)
        shown = np.bincount(place, minlength=len(keys)).astype(np.float64)
        clicks = np.bincount(place, self.clicked, len(keys)).astype(np.float64)
        return Cells(keys // width, keys % width - 1, shown, clicks)


@dataclass(frozen=True)
class Cells:
    """C counts, each of one pair at one position.

    Attributes:
        pair: (C,). place: (C,) position - 1. shown, clicks: (C,).
    """

    pair: IntArray
    place: IntArray
    shown: DoubleArray
    clicks: DoubleArray

    @property
    def pairs(self) -> int:
        """M."""
        return int(self.pair.max(initial=-1)) + 1

    @property
    def places(self) -> int:
        """P, the deepest position."""
        return int(self.place.max(initial=-1)) + 1

    def by_pair(self, values: DoubleArray) -> DoubleArray:
        """(M,) sums of (C,) values."""
        return np.asarray(np.bincount(self.pair, values, self.pairs), np.float64)

    def by_place(self, values: DoubleArray) -> DoubleArray:
        """(P,) sums of (C,) values."""
        return np.asarray(np.bincount(self.place, values, self.places), np.float64)
