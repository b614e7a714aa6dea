"""Tables of neighbours: of every item the few items that go with it, and how strongly."""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Neighbours:
    """M neighbours of each of N + 1 items.

    Attributes:
        index: (N + 1, M) int64 item indexes, 0 = none.
        score: (N + 1, M) float32, above 0 for every neighbour.
    """

    index: IntArray
    score: FloatArray

    @classmethod
    def nothing(cls, size: int) -> "Neighbours":
        """A table of `size` rows without a neighbour."""
        return cls(np.zeros((size, 0), np.int64), np.zeros((size, 0), np.float32))

    def first(self, count: int) -> "Neighbours":
        """The first `count` columns: the strongest neighbours where each row runs from the strongest on."""
        return Neighbours(self.index[:, :count], self.score[:, :count])

    def with_new_texts(self, size: int, index: IntArray, cosines: FloatArray) -> "Neighbours":
        """The table with `size` rows; items with a new text get those of similar text as neighbours.

        And the reverse, which is how a history brings them in. A row keeps its M strongest neighbours, in any
        order; what the items' old texts had brought is gone.

        Args:
            index: (K,) items with a new text. cosines: (K, C) of their texts with the items 0 .. C - 1.
        """
        width = self.index.shape[1]
        neighbours, scores = np.zeros((size, width), np.int64), np.zeros((size, width), np.float32)
        neighbours[: len(self.index)], scores[: len(self.score)] = self.index, self.score
        gone = np.isin(neighbours, index)
        neighbours[gone], scores[gone] = 0, 0
        if not width:
            return Neighbours(neighbours, scores)
        weakest = scores.min(1)  # (size,)
        for item, row in zip(index.tolist(), cosines, strict=True):
            others = row.copy()
            others[[0, item] if item < len(row) else [0]] = 0
            best = _largest(others, width)
            neighbours[item], scores[item] = 0, 0
            neighbours[item, : len(best)] = np.where(others[best] > 0, best, 0)
            scores[item, : len(best)] = np.maximum(others[best], 0)
            rows = np.flatnonzero(others > weakest[: len(others)])
            place = scores[rows].argmin(1)
            neighbours[rows, place], scores[rows, place] = item, others[rows]
            rows = np.append(rows, item)
            weakest[rows] = scores[rows].min(1)
        return Neighbours(neighbours, scores)


def _largest(values: FloatArray, count: int) -> IntArray:
    """The places of the `count` largest values."""
    if len(values) <= count:
        return np.arange(len(values))
    largest: IntArray = np.argpartition(-values, count)[:count]
    return largest
