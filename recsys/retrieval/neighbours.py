"""Which items go together: the weighted graph of what one user did near in their sequence."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from recsys.arrays import DoubleArray, FloatArray, IntArray, SmallIntArray
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import moments_of
from recsys.progress import Progress, silent
from recsys.retrieval.dense_index import largest_places

_PAIRS_AT_ONCE = 4_000_000  # about 200 MB of temporary arrays


@dataclass(frozen=True)
class CoOccurrence:
    """How near two actions must be, and what a pair is worth.

    Attributes:
        window: moments between the two actions, at most (a moment is one action of an ordered log or
            one basket).
        reach: actions between them, at most; bounds the work for large baskets.
        decay: what one moment more between them multiplies a pair's worth by.
        backward: worth of the way from the later item to the earlier one.
        source_power: how far an item's own degree divides what it says about others.
        target_power: the same for the neighbour's; 0 favours the popular, .5 (with .5) is the cosine.
    """

    window: int = 10
    reach: int = 50
    decay: float = 0.8
    backward: float = 0.7
    source_power: float = 0.5
    target_power: float = 0.15


def co_occurrence(
    interactions: Interactions,
    count: int,
    parameters: CoOccurrence = CoOccurrence(),
    progress: Progress = silent,
) -> tuple[SmallIntArray, FloatArray]:
    """The `count` strongest neighbours of every item: indexes (N + 1, M) int32 and scores (N + 1, M) float32.

    For two actions of one user on items i before j, d moments apart (two items of one basket count
    as one apart, both ways forward):

        w(i -> j) += decay^(d - 1),  w(j -> i) += backward decay^(d - 1)
        score(i, j) = w(i -> j) degree_i^-source_power degree_j^-target_power
        degree_j = sum over i of w(i -> j)

    An item is not its own neighbour. Columns run from the strongest to the weakest, ties by index;
    0 where an item has fewer neighbours.
    """
    size = len(interactions.items)
    neighbours, scores = np.zeros((size, count), np.int32), np.zeros((size, count), np.float32)
    pairs = _Pairs.of(interactions, parameters)
    degrees = np.maximum(pairs.degrees(size), 1.0)
    source, target = degrees**-parameters.source_power, degrees**-parameters.target_power
    with progress("co-occurrence", len(interactions)) as advance:
        for items, rows in pairs.blocks():
            graph = pairs.graph(items, rows, size)
            graph.data *= target[graph.indices]
            top, weight = top_of_rows(graph, count)
            neighbours[items], scores[items] = top, weight * source[items][:, None]
            advance(len(rows))
    return neighbours, scores


def neighbour_graph(neighbours: SmallIntArray, scores: FloatArray) -> sparse.csr_matrix:
    """(N + 1, N + 1) sparse float32: row i holds the scores of i's neighbours."""
    size = len(neighbours)
    rows = np.repeat(np.arange(size), neighbours.shape[1])
    some = neighbours.ravel() > 0
    cells = (scores.ravel()[some], (rows[some], neighbours.ravel()[some]))
    return sparse.csr_matrix(cells, shape=(size, size), dtype=np.float32)


def top_of_rows(graph: sparse.csr_matrix, count: int) -> tuple[IntArray, FloatArray]:
    """The `count` largest cells of each row: columns and values, largest first, ties by column; 0 = none."""
    columns = np.zeros((graph.shape[0], count), np.int64)
    values = np.zeros((graph.shape[0], count), np.float32)
    for row, (start, end) in enumerate(zip(graph.indptr[:-1], graph.indptr[1:], strict=True)):
        inside, data = graph.indices[start:end], graph.data[start:end]
        if len(data) > 2 * count:  # sorting all of a long row would cost more than finding its edge
            kept = largest_places(data, count)
            inside, data = inside[kept], data[kept]
        order = np.lexsort((inside, -data))[:count]
        columns[row, : len(order)] = inside[order]
        values[row, : len(order)] = data[order]
    return columns, values


def without_itself(
    rows: IntArray, other: IntArray, score: FloatArray, count: int
) -> tuple[IntArray, FloatArray]:
    """The first `count` of `other` (n, M) with a `score` above 0 that are not the row itself (n,)."""
    # Stable: what stays keeps its order, the row itself and what is not similar moves to the end.
    good = (other != rows[:, None]) & (score > 0)
    kept = np.argsort(~good, axis=1, kind="stable")[:, :count]
    found, scores = (np.zeros((len(rows), count), kind) for kind in (np.int64, np.float32))
    width = kept.shape[1]
    for out, values in ((found, other), (scores, score)):
        out[:, :width] = np.take_along_axis(np.where(good, values, 0), kept, 1)
    return found, scores


@dataclass(frozen=True)
class _Pairs:
    """Pairs of actions, made block by block so that memory stays bounded.

    Attributes:
        item: (M,) item of each action.
        place: (M,) moments, from `window + 1` on, with a gap wider than the window between users: two
            actions are near each other if and only if their places are.
        reach: actions between the two of a pair, at most.
    """

    item: SmallIntArray
    place: SmallIntArray
    reach: int
    parameters: CoOccurrence

    @classmethod
    def of(cls, interactions: Interactions, parameters: CoOccurrence) -> "_Pairs":
        steps = np.diff(moments_of(interactions), prepend=0)
        steps[np.diff(interactions.user_index, prepend=-1) != 0] = parameters.window + 1
        place = np.cumsum(steps).astype(np.int32)
        reach = parameters.reach
        while reach > 1 and not (place[reach:] - place[:-reach] <= parameters.window).any():
            reach -= 1  # in an ordered log the window alone bounds the distance
        return cls(interactions.item_index.astype(np.int32), place, reach, parameters)

    def degrees(self, size: int) -> DoubleArray:
        """(size,) the summed weight of all pairs that lead to each item."""
        total, beyond = np.zeros(size), self.parameters.window + 1
        item, place = self.item.astype(np.int64), self.place.astype(np.int64)  # as they count and index
        worth = np.append(self.worth.astype(np.float64), 0.0)  # the last: too far apart, or the same item
        forth, back = worth[beyond - 1 :], np.append(worth[beyond - 1 :: -1], 0.0)
        for distance in range(1, self.reach + 1):
            earlier, later = item[:-distance], item[distance:]
            apart = np.minimum(place[distance:] - place[:-distance], beyond)
            apart[earlier == later] = beyond
            total += np.bincount(later, forth[apart], minlength=size)
            total += np.bincount(earlier, back[apart], minlength=size)
        return total

    def blocks(self) -> Iterator[tuple[IntArray, IntArray]]:
        """Groups of items and the rows of their actions, item by item, of about _PAIRS_AT_ONCE pairs each."""
        order = np.argsort(self.item, kind="stable")
        items, starts = np.unique(self.item[order].astype(np.int64), return_index=True)
        ends = np.append(starts[1:], len(order))
        block = starts // self._step
        for number in np.unique(block):
            inside = np.flatnonzero(block == number)
            yield items[inside], order[starts[inside[0]] : ends[inside[-1]]]

    def graph(self, items: IntArray, rows: IntArray, size: int) -> sparse.csr_matrix:
        """(len(items), size), indexes sorted: the weight of pairs from each of `items` to other items."""
        total = sparse.csr_matrix((len(items), size), dtype=np.float32)
        for start in range(0, len(rows), self._step):
            some = rows[start : start + self._step]
            counts, other, weight = self._weigh(some)
            source = np.searchsorted(items, self.item[some])
            ends = np.cumsum(np.bincount(source, counts, minlength=len(items)))
            bounds = np.append(0, ends).astype(np.int32)
            part = sparse.csr_matrix((weight, other, bounds), shape=total.shape)
            part = part.tocsc().tocsr()  # sorts the indexes in linear time
            part.sum_duplicates()
            total = total + part
        return total

    @property
    def worth(self) -> FloatArray:
        """(2 window + 1,): entry `window + d` is a pair's worth whose second action is d moments after."""
        after = self.parameters.decay ** np.maximum(np.arange(self.parameters.window + 1) - 1, 0)
        return np.concatenate([self.parameters.backward * after[:0:-1], after]).astype(np.float32)

    @property
    def _step(self) -> int:
        """Actions whose pairs are made at once."""
        return max(1, _PAIRS_AT_ONCE // self._width)

    @property
    def _width(self) -> int:
        return 2 * self.reach + 1

    @cached_property
    def _around(self) -> tuple[SmallIntArray, SmallIntArray]:
        """(M, W) views of the items and the places of what stands within `reach` of each action."""
        padded = (np.pad(of_all, self.reach) for of_all in (self.item, self.place))  # no place is near 0
        items, places = (np.lib.stride_tricks.sliding_window_view(each, self._width) for each in padded)
        return items, places

    def _weigh(self, rows: IntArray) -> tuple[IntArray, SmallIntArray, FloatArray]:
        """How many pairs start at each of `rows`, and of all of them the other item and the weight."""
        items, places = self._around
        other, apart = items[rows], places[rows]  # (R, W)
        apart -= (self.place[rows] - self.parameters.window)[:, None]
        # One comparison instead of two: a negative number is a huge unsigned one.
        good = apart.view(np.uint32) <= 2 * self.parameters.window
        good &= other != self.item[rows][:, None]
        kept = np.flatnonzero(good)
        return np.count_nonzero(good, axis=1), other.ravel()[kept], self.worth[apart.ravel()[kept]]
