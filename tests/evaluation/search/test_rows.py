"""Rows: one half alone, and any order as the floor."""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray, IntArray
from recsys.evaluation.search.rankings import best_of
from recsys.evaluation.search.rows import Half, PoolRow, RandomRow


@dataclass(frozen=True)
class Table:
    """Scores of items 1 to 4 whatever the query; an item with 0 does not match."""

    values: tuple[float, ...]

    def best(self, query: str, count: int) -> Half:
        values = np.array(self.values)
        index = np.flatnonzero(values > 0)
        return best_of(index + 1, values[index], count)

    def scores(self, query: str, items: IntArray) -> DoubleArray:
        return np.array(self.values)[items - 1]


def test_a_half_alone_shows_only_what_matches_and_scores_each_pair() -> None:
    row = PoolRow("BM25", Table((8.0, 4.0, 0.0, 0.0)))
    assert row.rank(["q", "q"], 3).items.tolist() == [[1, 2, 0], [1, 2, 0]]
    assert row.score(["q", "r", "s"], np.array([0, 0, 2]), np.array([2, 3, 1])).tolist() == [4, 0, 8]


def test_random_shows_different_items_and_the_same_ones_again() -> None:
    row = RandomRow(np.arange(1, 100))
    first = row.rank(["a", "b"], 50)
    assert all(len(set(items)) == 50 for items in first.items.tolist())
    assert first.items.tolist() == row.rank(["a", "b"], 50).items.tolist()
    assert first.items[0].tolist() != first.items[1].tolist()
