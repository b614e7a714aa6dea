"""Rankings: the items that a search shows for each of many queries, best first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import DoubleArray, IntArray
from recsys.dataset.interactions import Vocabulary
from recsys.errors import DataError

RANK, SCORE, QUERY_ID, ROW = "rank", "score", "query_id", "row"


@dataclass(frozen=True)
class Rankings:
    """The first K items for each of Q queries.

    Attributes:
        items: (Q, K) item indexes without repetition from the best, 0 = no further item.
        scores: (Q, K), -inf where there is no item.
    """

    items: IntArray
    scores: DoubleArray

    def __len__(self) -> int:
        return len(self.items)

    def first(self, k: int) -> "Rankings":
        """The first `k` places."""
        return Rankings(self.items[:, :k], self.scores[:, :k])

    def table(
        self, row: str, query_ids: Sequence[str], queries: Sequence[str], items: Vocabulary
    ) -> pa.Table:
        """One line an item shown: row, query_id, query, item_id, rank (from 1), score."""
        case, place = np.nonzero(self.items)
        ids = pa.array(items.ids, pa.string())
        return pa.table(
            {
                ROW: pa.repeat(pa.scalar(row), len(case)),
                QUERY_ID: pa.array(query_ids, pa.string()).take(case),
                columns.QUERY: pa.array(queries, pa.string()).take(case),
                columns.ITEM_ID: ids.take(self.items[case, place]),
                RANK: pa.array(place + 1, pa.int32()),
                SCORE: pa.array(self.scores[case, place], pa.float64()),
            }
        )


def rankings_of(lists: Sequence[tuple[IntArray, DoubleArray]], k: int) -> Rankings:
    """Rankings of lists of any length, each of item indexes and scores from the best, cut at `k`.

    Raises:
        DataError: a list has an item twice, or an item and no score.
    """
    items, scores = np.zeros((len(lists), k), np.int64), np.full((len(lists), k), -np.inf)
    for row, (found, values) in enumerate(lists):
        different = len(np.unique(found))
        if len(found) != len(values) or different < len(found):
            raise DataError(
                f"the ranking of query number {row + 1} has {len(found)} items, {different} different, "
                f"and {len(values)} scores. Show each item once, with its score."
            )
        count = min(k, len(found))
        items[row, :count], scores[row, :count] = found[:count], values[:count]
    return Rankings(items, scores)


def best_of(index: IntArray, scores: DoubleArray, k: int) -> tuple[IntArray, DoubleArray]:
    """The `k` items with the highest scores and these; equal scores by item index.

    >>> best_of(np.array([4, 2, 9]), np.array([1.0, 1.0, 3.0]), 2)
    (array([9, 2]), array([3., 1.]))
    """
    order = np.lexsort((index, -scores))[:k]
    return index[order], scores[order]
