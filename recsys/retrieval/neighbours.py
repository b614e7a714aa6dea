"""Which items go together: the weighted graph of what one user did near in their sequence."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys.dataset.interactions import FloatArray, IntArray, Interactions
from recsys.dataset.split import moments_of
from recsys.progress import Progress, silent

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
        degree_power: exponent of both items' degrees in the norm; 0 favours the popular, .5 is the cosine.
    """

    window: int = 10
    reach: int = 50
    decay: float = 0.8
    backward: float = 0.7
    degree_power: float = 0.5


def co_occurrence(
    interactions: Interactions,
    count: int,
    parameters: CoOccurrence = CoOccurrence(),
    progress: Progress = silent,
) -> tuple[IntArray, FloatArray]:
    """The `count` strongest neighbours of every item: indexes (N + 1, M) int64 and scores (N + 1, M) float32.

    For two actions of one user on items i before j, d moments apart (two items of one basket count
    as one apart, both ways forward):

        w(i -> j) += decay^(d - 1),  w(j -> i) += backward decay^(d - 1)
        score(i, j) = w(i -> j) / (degree_i degree_j)^degree_power,  degree_j = sum over i of w(i -> j)

    An item is no neighbour of itself. Columns run from the strongest to the weakest, ties by index;
    0 where an item has fewer neighbours.
    """
    size = len(interactions.items)
    neighbours, scores = np.zeros((size, count), np.int64), np.zeros((size, count), np.float32)
    pairs = _Pairs.of(interactions, parameters)
    norm = np.maximum(pairs.degrees(size), 1e-9) ** -parameters.degree_power
    with progress("co-occurrence", len(interactions)) as advance:
        for items, rows in pairs.blocks():
            graph = pairs.graph(items, rows, size)
            graph.data *= norm[graph.indices]
            top, weight = top_of_rows(graph, count)
            neighbours[items], scores[items] = top, weight * norm[items][:, None]
            advance(len(rows))
    return neighbours, scores


def neighbour_graph(neighbours: IntArray, scores: FloatArray) -> sparse.csr_matrix:
    """(N + 1, N + 1) sparse float32: row i holds the scores of i's neighbours."""
    size = len(neighbours)
    rows = np.repeat(np.arange(size), neighbours.shape[1])
    some = neighbours.ravel() > 0
    cells = (scores.ravel()[some], (rows[some], neighbours.ravel()[some]))
    return sparse.csr_matrix(cells, shape=(size, size), dtype=np.float32)


def top_of_rows(graph: sparse.csr_matrix, count: int) -> tuple[IntArray, FloatArray]:
    """The `count` largest cells of each row: columns and values, largest first, ties by column; 0 = none."""
    rows = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    order = np.lexsort((graph.indices, -graph.data, rows))
    place = np.arange(len(rows)) - graph.indptr[rows]
    kept = place < count
    columns, values = (
        np.zeros((graph.shape[0], count), np.int64),
        np.zeros((graph.shape[0], count), np.float32),
    )
    columns[rows[kept], place[kept]] = graph.indices[order[kept]]
    values[rows[kept], place[kept]] = graph.data[order[kept]]
    return columns, values


@dataclass(frozen=True)
class _Pairs:
    """Pairs of actions, made block by block so that memory stays bounded."""

    user: IntArray
    item: IntArray
    moment: IntArray
    offsets: IntArray
    parameters: CoOccurrence

    @classmethod
    def of(cls, interactions: Interactions, parameters: CoOccurrence) -> "_Pairs":
        moment = moments_of(interactions)
        user = interactions.user_index
        far = parameters.reach
        while far > 1 and not _any_near(user, moment, far, parameters.window):
            far -= 1  # in an ordered log the window alone bounds the distance
        offsets = np.concatenate([np.arange(-far, 0), np.arange(1, far + 1)])
        return cls(user, interactions.item_index, moment, offsets, parameters)

    def blocks(self) -> Iterator[tuple[IntArray, IntArray]]:
        """Groups of items and their actions' rows, of about _PAIRS_AT_ONCE pairs each."""
        order = np.argsort(self.item, kind="stable")
        items, starts = np.unique(self.item[order], return_index=True)
        ends = np.append(starts[1:], len(order))
        step = max(1, _PAIRS_AT_ONCE // len(self.offsets))
        block = starts // step
        for number in np.unique(block):
            inside = np.flatnonzero(block == number)
            yield items[inside], order[starts[inside[0]] : ends[inside[-1]]]

    def graph(self, items: IntArray, rows: IntArray, size: int) -> sparse.csr_matrix:
        """(len(items), size): the summed weight of pairs from each of `items` to every other item."""
        total = sparse.csr_matrix((len(items), size), dtype=np.float32)
        step = max(1, _PAIRS_AT_ONCE // len(self.offsets))
        for start in range(0, len(rows), step):
            row, other, weight = self.weigh(rows[start : start + step])
            cells = (weight, (np.searchsorted(items, self.item[row]), self.item[other]))
            total = total + sparse.csr_matrix(cells, shape=total.shape)
        return total

    def degrees(self, size: int) -> npt.NDArray[np.float64]:
        """(size,) the summed weight of all pairs that lead to each item."""
        total = np.zeros(size)
        step = max(1, _PAIRS_AT_ONCE // len(self.offsets))
        for start in range(0, len(self.item), step):
            _, other, weight = self.weigh(np.arange(start, min(start + step, len(self.item))))
            total += np.bincount(self.item[other], weight, minlength=size)
        return total

    def weigh(self, rows: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        """All pairs that start at `rows`: the row, the other row and the pair's weight."""
        other = rows[:, None] + self.offsets  # (R, O)
        inside = (other >= 0) & (other < len(self.item))
        other = np.where(inside, other, 0)
        apart = self.moment[other] - self.moment[rows][:, None]
        good = inside & (self.user[other] == self.user[rows][:, None])
        good &= (np.abs(apart) <= self.parameters.window) & (self.item[other] != self.item[rows][:, None])
        row, place = np.nonzero(good)
        apart = apart[row, place]
        worth = self.parameters.decay ** np.arange(self.parameters.window + 1)
        weight = worth[np.maximum(np.abs(apart) - 1, 0)] * np.where(apart < 0, self.parameters.backward, 1.0)
        return rows[row], other[row, place], weight.astype(np.float32)


def _any_near(user: IntArray, moment: IntArray, distance: int, window: int) -> bool:
    near = (user[distance:] == user[:-distance]) & (moment[distance:] - moment[:-distance] <= window)
    return bool(near.any())
