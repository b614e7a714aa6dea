"""Two rankings beside each other: how alike they are, and which queries gain or lose."""

import numpy as np
import pytest

from recsys.dataset.interactions import Vocabulary
from recsys.errors import DataError
from recsys.evaluation.search.compare import SearchMeasure
from recsys.evaluation.search.judgments import JudgedPairs, judgments_on
from recsys.evaluation.search.rankings import Rankings, rankings_of
from recsys.evaluation.search.side_by_side import compare_rankings

MEASURE = SearchMeasure(threshold=1, cutoffs=(2,), samples=50)
JUDGED = judgments_on(
    JudgedPairs.of(list("abc"), list("abc"), [0, 1, 2], ["i1", "i1", "i1"], [1, 1, 1]),
    Vocabulary(("", "i1", "i2", "i3")),
)


def lists(*found: list[int]) -> Rankings:
    return rankings_of([(np.array(each, int), -np.arange(len(each), dtype=float)) for each in found], 2)


def test_queries_that_gain_and_lose_are_named_with_both_values() -> None:
    found = compare_rankings(lists([1, 2], [2, 1], [1]), lists([1, 2], [1, 2], [2, 3]), MEASURE, JUDGED)
    second_place = 1 / np.log2(3)
    assert [(each.row, each.first, each.second) for each in found.gained] == [
        (1, pytest.approx(second_place), 1)
    ]
    assert [(each.row, each.gain) for each in found.lost] == [(2, -1)]
    assert found.same == 1
    difference = next(part.found for part in found.differences if part.metric == "ndcg@2")
    assert difference.difference == pytest.approx((0 + (1 - second_place) - 1) / 3)
    assert difference.outcome == "too few cases"


def test_overlap_counts_items_and_rank_biased_overlap_their_places() -> None:
    found = compare_rankings(lists([1, 2], [1, 2]), lists([2, 1], [1, 3]), MEASURE)
    assert found.overlap == (1 + 1 / 2) / 2
    assert 0 < found.rank_biased_overlap < found.overlap + 0.3
    assert {each.row for each in found.changed} == {0, 1}
    assert found.differences == ()


def test_what_is_asked_often_counts_more() -> None:
    found = compare_rankings(lists([1], [1]), lists([1], [2]), MEASURE, weights=np.array([3.0, 1.0]))
    assert found.overlap == 3 / 4


def test_queries_that_find_nothing_are_counted_for_both() -> None:
    assert compare_rankings(lists([], [1]), lists([1], [1]), MEASURE).empty == (1, 0)


def test_lists_of_other_queries_are_refused() -> None:
    with pytest.raises(DataError, match="1 and 2 lists cannot be compared"):
        compare_rankings(lists([1]), lists([1], [2]), MEASURE)
