"""Tables of neighbours: of every item the few items that go with it, and how strongly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import FloatArray, IntArray, SmallIntArray


@dataclass(frozen=True)
class Neighbours:
    """M neighbours of each of N + 1 items.

    Attributes:
        index: (N + 1, M) int32 item indexes, 0 = none; wider ones, as earlier bundles hold, become those.
        score: (N + 1, M) float32, above 0 for every neighbour.
    """

    index: SmallIntArray
    score: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", np.asarray(self.index, np.int32))

    @classmethod
    def nothing(cls, size: int) -> "Neighbours":
        """A table of `size` rows without a neighbour."""
        return cls(np.zeros((size, 0), np.int32), np.zeros((size, 0), np.float32))

    def first(self, count: int) -> "Neighbours":
        """The first `count` columns: the strongest neighbours where each row runs from the strongest on."""
        return Neighbours(self.index[:, :count], self.score[:, :count])

    def rows_with_new_texts(
        self, size: int, texts: Sequence["NewText"], weakest: FloatArray, holders: IntArray | None = None
    ) -> "ChangedRows":
        """The rows that are others once the table has `size` rows and some items new texts.

        Those items get the ones of similar text as neighbours; and the reverse, which is how a history brings
        them in. A row keeps its M strongest neighbours, in any order; what the items' old texts had brought
        is gone.

        Args:
            weakest: `weakest_scores` of this table.
            holders: rows in which those items may be; None = look at all.
        """
        changed = _RowsInWork(self, weakest)
        if not self.index.shape[1]:
            return changed.rows()
        known = np.array([text.item for text in texts if text.item < len(self.index)], np.int64)
        if len(known):  # others are nobody's neighbours yet
            held = np.isin(self.index if holders is None else self.index[holders], known).any(1)
            changed.remove(np.flatnonzero(held) if holders is None else holders[held], known)
        for text in texts:
            others = (text.near > 0) & (text.near != text.item) & (text.cosines > 0)
            near, cosines = text.near[others], text.cosines[others]
            changed.replace(text.item, near, cosines)
            changed.offer(text.item, near, cosines)
        return changed.rows()


@dataclass(frozen=True)
class NewText:
    """An item whose text is another now.

    Attributes:
        near: (C,) items of training, each once: all, or those whose texts are nearest.
        cosines: (C,) with them.
    """

    item: int
    near: IntArray
    cosines: FloatArray


@dataclass(frozen=True)
class ChangedRows:
    """Rows of a table of neighbours that are others now.

    Attributes:
        places: (P,) items. index, score: (P, M) their rows. weakest: (P,) `weakest_scores` of them.
    """

    places: IntArray
    index: SmallIntArray
    score: FloatArray
    weakest: FloatArray


class _RowsInWork:
    """Copies of the rows of a table that change, made when a row is touched first."""

    def __init__(self, table: Neighbours, weakest: FloatArray) -> None:
        self._table, self._weakest = table, weakest
        width = table.index.shape[1]
        self._place: dict[int, int] = {}  # of each row among the copies
        self._index, self._score = np.zeros((0, width), table.index.dtype), np.zeros((0, width), np.float32)

    def remove(self, rows: IntArray, items: IntArray) -> None:
        """Takes `items` out of `rows`."""
        places = self._touch(rows)
        gone = np.isin(self._index[places], items)
        self._index[places] = np.where(gone, 0, self._index[places])
        self._score[places] = np.where(gone, 0, self._score[places])

    def replace(self, item: int, near: IntArray, cosines: FloatArray) -> None:
        """Gives `item` the neighbours with the largest `cosines` (C,), of `near` (C,)."""
        place = self._touch(np.array([item]))[0]
        best = _largest(cosines, self._index.shape[1])
        self._index[place], self._score[place] = 0, 0
        self._index[place, : len(best)], self._score[place, : len(best)] = near[best], cosines[best]

    def offer(self, item: int, near: IntArray, cosines: FloatArray) -> None:
        """Puts `item` into every row of `near` whose weakest neighbour is less than its cosine (C,).

        A row that has it keeps the larger cosine: two items of one update have each other twice.
        """
        touched = np.isin(near, list(self._place))  # what they have now may be weaker than before
        fits = touched | (cosines > self._weakest[near])
        near, cosines = near[fits], cosines[fits]
        places = self._touch(near)
        has = self._index[places] == item
        column = np.where(has.any(1), has.argmax(1), self._score[places].argmin(1))
        stronger = cosines > self._score[places, column]
        places, column = places[stronger], column[stronger]
        self._index[places, column], self._score[places, column] = item, cosines[stronger]

    def rows(self) -> ChangedRows:
        """What was touched."""
        places = np.array(list(self._place), np.int64)
        return ChangedRows(places, self._index, self._score, weakest_scores(self._score))

    def _touch(self, rows: IntArray) -> IntArray:
        """The places of `rows` among the copies."""
        new = np.array([row for row in rows.tolist() if row not in self._place], np.int64)
        self._place |= {row: len(self._place) + place for place, row in enumerate(new.tolist())}
        index = np.zeros((len(new), self._index.shape[1]), self._index.dtype)
        score = np.zeros(index.shape, np.float32)
        known = new < len(self._table.index)
        index[known], score[known] = self._table.index[new[known]], self._table.score[new[known]]
        self._index, self._score = np.concatenate([self._index, index]), np.concatenate([self._score, score])
        return np.array([self._place[row] for row in rows.tolist()], np.int64)


def weakest_scores(score: FloatArray) -> FloatArray:
    """(N + 1,) the smallest score of each row (N + 1, M); 0 where rows are empty."""
    return score.min(1) if score.shape[1] else np.zeros(len(score), np.float32)


def _largest(values: FloatArray, count: int) -> IntArray:
    """The places of the `count` largest values."""
    if len(values) <= count:
        return np.arange(len(values))
    largest: IntArray = np.argpartition(-values, count)[:count]
    return largest
