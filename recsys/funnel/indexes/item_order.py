"""The items of a catalog from the most popular on, as a whole and by category."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from recsys.arrays import DoubleArray, IntArray
from recsys.retrieval.popularity import LivePopularity

HEAD = 4096  # popular items that are looked at before all of them are
Codes = npt.NDArray[np.int32]


def sort_items(scores: DoubleArray) -> IntArray:
    """(N,) the items, which are 1 to N, by `scores` (N + 1,), the largest first; equal ones by index."""
    order = np.argsort(-scores, kind="stable")
    return order[order > 0]


@dataclass(frozen=True, eq=False)
class TrainedOrder:
    """The order by the popularity that training found; that of any later instant is a few moves away.

    As time passes all trained scores shrink by one factor. So only items with a live score change places.

    Attributes:
        items: (N,) the most popular first. negated: (N,) their scores times -1, which ascend.
        place: (N + 1,) of each item in `items`.
    """

    items: IntArray
    negated: DoubleArray
    place: IntArray

    @classmethod
    def of(cls, scores: DoubleArray) -> "TrainedOrder":
        """The order by `scores` (N + 1,)."""
        items = sort_items(scores)
        place = np.zeros(len(scores), np.int64)
        place[items] = np.arange(len(items))
        return cls(items, -scores[items], place)

    def with_live(self, live: LivePopularity, size: int, count: int | None = None) -> IntArray:
        """The first `count` of `sort_items` of `live.of(trained scores, size)`; all where it is None.

        The first ones cost as much as they are and `live` has, all of them a pass over the array.
        """
        known = live.index[live.index < len(self.place)]
        stop = len(self.items) if count is None else min(count + len(known), len(self.items))
        moved = self.place[known]
        moved = moved[moved < stop]
        rest, negated = np.delete(self.items[:stop], moved), np.delete(self.negated[:stop], moved)
        negated *= live.worth
        if stop == len(self.items):
            new = np.setdiff1d(np.arange(len(self.place), size), live.index)  # without a score: the last ones
            rest, negated = np.concatenate([rest, new]), np.concatenate([negated, np.zeros(len(new))])
        order = np.lexsort((live.index, -live.scores))
        items, scores = live.index[order], live.scores[order]
        first, last = (np.searchsorted(negated, -scores, side) for side in ("left", "right"))
        for tie in np.flatnonzero(first < last):  # few: equal ones stand by index
            first[tie] += np.searchsorted(rest[first[tie] : last[tie]], items[tie])
        return np.insert(rest, first, items)[:count]


@dataclass(frozen=True, eq=False)
class ItemOrder:
    """The items of a catalog from the most popular on; worked out as far as it is asked for.

    Attributes:
        trained: the order of training. live: what is popular now; None = what was then.
        size: N + 1, with items that came later.
    """

    trained: TrainedOrder
    live: LivePopularity | None
    size: int

    @cached_property
    def head(self) -> IntArray:
        """The first HEAD items."""
        return self._first(HEAD)

    @cached_property
    def items(self) -> IntArray:
        """(N,) all of them."""
        return self._first(None)

    def _first(self, count: int | None) -> IntArray:
        if self.live is not None:
            return self.trained.with_live(self.live, self.size, count)
        if count is not None and count <= len(self.trained.items):
            return self.trained.items[:count]
        new = np.arange(len(self.trained.place), self.size)
        return np.concatenate([self.trained.items, new])[:count]


def category_members(codes: Codes) -> dict[int, IntArray]:
    """Code of a category (N + 1,) -> the indexes of its items, ascending; row 0 is padding."""
    by_code = np.argsort(codes[1:], kind="stable") + 1
    found, starts = np.unique(codes[by_code], return_index=True)
    return dict(zip(found.tolist(), np.split(by_code, starts[1:]), strict=True))


def move_members(
    members: Mapping[int, IntArray], before: Codes, after: Codes, index: IntArray
) -> tuple[dict[int, IntArray], set[int]]:
    """`members` once the items at `index` have the codes `after` instead of `before`, and the codes touched.

    Args:
        before: (N + 1,), without the new items. after: (N' + 1,).
    """
    known = index[index < len(before)]
    moved = known[before[known] != after[known]]
    come = np.sort(np.concatenate([moved, index[index >= len(before)]]))
    other, touched = dict(members), {*before[moved].tolist(), *after[come].tolist()}
    for code in touched:
        stay = other.get(code, np.zeros(0, np.int64))
        gone = moved[before[moved] == code]
        stay = np.delete(stay, np.searchsorted(stay, gone)) if len(gone) else stay
        new = come[after[come] == code]
        other[code] = np.insert(stay, np.searchsorted(stay, new), new) if len(new) else stay
    return other, touched
