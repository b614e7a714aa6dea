"""Rows made of two halves: weighted sums and reciprocal ranks over the union of both pools."""

from dataclasses import dataclass

import numpy as np
import pytest

from recsys.arrays import DoubleArray, IntArray
from recsys.evaluation.search.rankings import best_of
from recsys.evaluation.search.rows import Half, PoolRow, RandomRow, ReciprocalRow, WeightedRow


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


WORDS, MEANING = Table((8.0, 4.0, 0.0, 0.0)), Table((0.1, 0.5, 0.9, 0.2))
PAIRS = np.array([0, 0, 0]), np.array([1, 2, 3])


def test_weighted_is_half_the_share_of_the_top_score_and_half_the_cosine() -> None:
    row = WeightedRow("weighted", WORDS, MEANING)
    # 8/8/2 + .05 = .55, 4/8/2 + .25 = .5, .45
    assert row.score(["q"], *PAIRS).tolist() == pytest.approx([0.55, 0.5, 0.45])
    assert row.rank(["q"], 4).items.tolist() == [[1, 2, 3, 4]]
    assert WeightedRow("m", WORDS, MEANING, weight=0).rank(["q"], 4).items.tolist() == [[3, 2, 4, 1]]


def test_without_words_that_match_the_cosine_orders() -> None:
    assert WeightedRow("w", Table((0, 0, 0, 0)), MEANING).rank(["q"], 2).items.tolist() == [[3, 2]]


def test_reciprocal_ranks_score_pairs_as_they_rank() -> None:
    row = ReciprocalRow("RRF", WORDS, MEANING)
    # item 1: places 1 and 4; item 2: 2 and 2; item 3: none, counted as behind the two that match, and 1
    expected = [1 / 61 + 1 / 64, 1 / 62 + 1 / 62, 1 / 63 + 1 / 61]
    assert row.score(["q"], *PAIRS).tolist() == pytest.approx(expected)
    assert row.rank(["q"], 1).items.tolist() == [[2]]


def test_a_half_alone_shows_only_what_matches() -> None:
    assert PoolRow("BM25", WORDS).rank(["q", "q"], 3).items.tolist() == [[1, 2, 0], [1, 2, 0]]


def test_random_shows_different_items_and_the_same_ones_again() -> None:
    row = RandomRow(np.arange(1, 100))
    first = row.rank(["a", "b"], 50)
    assert all(len(set(items)) == 50 for items in first.items.tolist())
    assert first.items.tolist() == row.rank(["a", "b"], 50).items.tolist()
    assert first.items[0].tolist() != first.items[1].tolist()
