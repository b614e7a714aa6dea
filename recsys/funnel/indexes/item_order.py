"""The items of a catalog from the most popular on, as a whole and by category."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys.arrays import DoubleArray, IntArray
from recsys.retrieval.popularity import LivePopularity

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

    def with_live(self, live: LivePopularity, size: int) -> IntArray:
        """(size - 1,) as `sort_items` of `live.of(trained scores, size)`, for a pass over the array."""
        known = live.index[live.index < len(self.place)]
        new = np.setdiff1d(np.arange(len(self.place), size), live.index)  # without a score: the last ones
        moved = self.place[known]
        rest = np.concatenate([np.delete(self.items, moved), new])
        negated = np.concatenate([np.delete(self.negated, moved) * live.worth, np.zeros(len(new))])
        order = np.lexsort((live.index, -live.scores))
        items, scores = live.index[order], live.scores[order]
        first, last = (np.searchsorted(negated, -scores, side) for side in ("left", "right"))
        for tie in np.flatnonzero(first < last):  # few: equal ones stand by index
            first[tie] += np.searchsorted(rest[first[tie] : last[tie]], items[tie])
        return np.insert(rest, first, items)


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
    come = np.concatenate([moved, index[index >= len(before)]])
    other, touched = dict(members), {*before[moved].tolist(), *after[come].tolist()}
    for code in touched:
        stay = np.setdiff1d(other.get(code, np.zeros(0, np.int64)), moved, assume_unique=True)
        other[code] = np.union1d(stay, come[after[come] == code])
    return other, touched
