"""The whole catalog in order, the same order every time."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from recsys.arrays import FloatArray
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import leave_one_out
from recsys.errors import DataError
from recsys.evaluation.rankings import rank_catalog, top_k


@dataclass(frozen=True)
class FixedScorer:
    """Gives every case the same scores."""

    scores: tuple[float, ...]
    name: str = "fixed"

    def score(self, cases: EvalCases) -> FloatArray:
        return np.tile(np.array(self.scores, np.float32), (len(cases), 1))


BY_INDEX = FixedScorer((9, 5, 4, 3, 2, 1))


def test_padding_is_never_ranked_even_with_the_highest_score(shop: Interactions) -> None:
    found = rank_catalog(BY_INDEX, leave_one_out(shop).test, shop, 5, "keep")
    assert found.items.tolist() == [[1, 2, 3, 4, 5]] * 4
    assert found.scores[0].tolist() == [5, 4, 3, 2, 1]


def test_remove_leaves_out_what_the_user_had_before_the_instant_validation_included(
    shop: Interactions,
) -> None:
    found = rank_catalog(BY_INDEX, leave_one_out(shop).test, shop, 5, "remove")
    # u1 had 1, 2, 3 before its test item 4; u4 had 4 and 5 before its test.
    assert found.items[0].tolist() == [4, 5, 0, 0, 0]
    assert found.items[3].tolist() == [1, 2, 3, 0, 0]


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_the_batch_size_changes_nothing(shop: Interactions, batch: int) -> None:
    cases = leave_one_out(shop).test
    whole = rank_catalog(BY_INDEX, cases, shop, 3, "remove")
    parts = rank_catalog(BY_INDEX, cases, shop, 3, "remove", batch=batch)
    assert parts.items.tolist() == whole.items.tolist()


def test_the_table_has_external_ids_and_ranks_from_one(shop: Interactions) -> None:
    table = rank_catalog(BY_INDEX, leave_one_out(shop).test, shop, 2, "remove").table(shop.users, shop.items)
    assert table.to_pylist()[:3] == [
        {"user_id": "u1", "item_id": "i4", "rank": 1, "score": 2.0},
        {"user_id": "u1", "item_id": "i5", "rank": 2, "score": 1.0},
        {"user_id": "u2", "item_id": "i1", "rank": 1, "score": 5.0},
    ]


def test_scores_of_another_catalog_are_rejected(shop: Interactions) -> None:
    with pytest.raises(DataError, match=r"fixed scored \(4, 3\), expected \(4, 6\)"):
        rank_catalog(FixedScorer((0, 1, 2)), leave_one_out(shop).test, shop, 2)


def test_scores_that_are_no_numbers_are_rejected(shop: Interactions) -> None:
    with pytest.raises(DataError, match="not a number"):
        rank_catalog(FixedScorer((0, 1, 2, 3, float("nan"), 5)), leave_one_out(shop).test, shop, 2)


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(3, 12)), elements=st.integers(0, 3)),
    st.integers(1, 3),
)
def test_equal_scores_go_by_index_also_at_the_edge(scores: FloatArray, k: int) -> None:
    items, values = top_k(scores, k)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert items.tolist() == expected.tolist()
    assert values.tolist() == np.take_along_axis(scores, expected, axis=1).tolist()
