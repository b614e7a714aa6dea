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
        found = self.rows_with_new_texts(size, index, cosines, weakest_scores(self.score))
        width = self.index.shape[1]
        neighbours, scores = np.zeros((size, width), self.index.dtype), np.zeros((size, width), np.float32)
        neighbours[: len(self.index)], scores[: len(self.score)] = self.index, self.score
        neighbours[found.places], scores[found.places] = found.index, found.score
        return Neighbours(neighbours, scores)

    def rows_with_new_texts(
        self, size: int, index: IntArray, cosines: FloatArray, weakest: FloatArray
    ) -> "ChangedRows":
        """The rows alone in which `with_new_texts` differs from this table, new ones included.

        Args:
            weakest: `weakest_scores` of this table.
        """
        changed = _RowsInWork(self, size, weakest)
        known = index[index < len(self.index)]  # others are nobody's neighbours yet
        if len(known) and self.index.shape[1]:
            changed.remove(np.flatnonzero(np.isin(self.index, known).any(1)), known)
        for item, row in zip(index.tolist() if self.index.shape[1] else (), cosines, strict=False):
            others = row.copy()
            others[[0, item] if item < len(row) else [0]] = 0
            changed.replace(item, others)
            changed.offer(item, others)
        return changed.rows()


@dataclass(frozen=True)
class ChangedRows:
    """Rows of a table of neighbours that are others now.

    Attributes:
        places: (P,) items. index, score: (P, M) their rows.
        weakest: (size,) `weakest_scores` of the whole table with them.
    """

    places: IntArray
    index: IntArray
    score: FloatArray
    weakest: FloatArray


class _RowsInWork:
    """Copies of the rows of a table that change, made when a row is touched first."""

    def __init__(self, table: Neighbours, size: int, weakest: FloatArray) -> None:
        self._table = table
        width = table.index.shape[1]
        self._place = np.full(size, -1, np.int32)  # of each row among the copies
        self._touched = np.zeros(0, np.int64)
        self._index, self._score = np.zeros((0, width), table.index.dtype), np.zeros((0, width), np.float32)
        self._weakest = np.zeros(size, np.float32)
        self._weakest[: len(weakest)] = weakest

    def remove(self, rows: IntArray, items: IntArray) -> None:
        """Takes `items` out of `rows`."""
        places = self._touch(rows)
        gone = np.isin(self._index[places], items)
        self._index[places] = np.where(gone, 0, self._index[places])
        self._score[places] = np.where(gone, 0, self._score[places])
        self._weakest[rows] = self._score[places].min(1)

    def replace(self, item: int, cosines: FloatArray) -> None:
        """Gives `item` the neighbours with the largest `cosines` (C,)."""
        place = self._touch(np.array([item]))[0]
        best = _largest(cosines, self._index.shape[1])
        self._index[place], self._score[place] = 0, 0
        self._index[place, : len(best)] = np.where(cosines[best] > 0, best, 0)
        self._score[place, : len(best)] = np.maximum(cosines[best], 0)
        self._weakest[item] = self._score[place].min()

    def offer(self, item: int, cosines: FloatArray) -> None:
        """Puts `item` into every row whose weakest neighbour is less than its cosine (C,)."""
        rows = np.flatnonzero(cosines > self._weakest[: len(cosines)])
        places = self._touch(rows)
        column = self._score[places].argmin(1)
        self._index[places, column], self._score[places, column] = item, cosines[rows]
        self._weakest[rows] = self._score[places].min(1)

    def rows(self) -> ChangedRows:
        """What was touched."""
        return ChangedRows(self._touched, self._index, self._score, self._weakest)

    def _touch(self, rows: IntArray) -> IntArray:
        """The places of `rows` among the copies."""
        new = rows[self._place[rows] < 0]
        self._place[new] = np.arange(len(self._touched), len(self._touched) + len(new))
        self._touched = np.concatenate([self._touched, new])
        index = np.zeros((len(new), self._index.shape[1]), self._index.dtype)
        score = np.zeros(index.shape, np.float32)
        known = new < len(self._table.index)
        index[known], score[known] = self._table.index[new[known]], self._table.score[new[known]]
        self._index, self._score = np.concatenate([self._index, index]), np.concatenate([self._score, score])
        return self._place[rows].astype(np.int64)


def weakest_scores(score: FloatArray) -> FloatArray:
    """(N + 1,) the smallest score of each row (N + 1, M); 0 where rows are empty."""
    return score.min(1) if score.shape[1] else np.zeros(len(score), np.float32)


def _largest(values: FloatArray, count: int) -> IntArray:
    """The places of the `count` largest values."""
    if len(values) <= count:
        return np.arange(len(values))
    largest: IntArray = np.argpartition(-values, count)[:count]
    return largest
