"""Items that the same users take: against a plain matrix product, and on guests with a whole shop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.arrays import FloatArray, IntArray
from recsys.dataset.interactions import Interactions, Vocabulary
from recsys.retrieval import item_cosine
from recsys.retrieval.item_cosine import item_cosines


def interactions(pairs: list[tuple[int, int]], users: int, items: int) -> Interactions:
    """One action a pair of user and item, from 1 on, in this order."""
    ordered = sorted(pairs, key=lambda pair: pair[0])
    user, item = (np.array([pair[place] for pair in ordered], np.int64) for place in (0, 1))
    return Interactions(
        Vocabulary(("", *(f"u{number}" for number in range(users)))),
        Vocabulary(("", *(f"i{number}" for number in range(items)))),
        user,
        item,
        np.ones(len(ordered), np.int64),
        np.ones(len(ordered), np.float32),
        np.arange(len(ordered), dtype=np.int64),
    )


def dense(found: tuple[IntArray, FloatArray], size: int) -> FloatArray:
    """(N + 1, N + 1) of a table of neighbours."""
    table = np.zeros((size, size), np.float32)
    for item, (others, cosines) in enumerate(zip(*found, strict=True)):
        table[item, others[others > 0]] = cosines[others > 0]
    return table


def test_the_cosine_of_who_took_them() -> None:
    """Item 1 was taken by users 1 and 2, item 2 by all three, item 3 by user 3 alone; item 4 by none."""
    log = interactions([(1, 1), (1, 2), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3)], 3, 4)
    neighbours, cosines = item_cosines(log, 2)
    assert neighbours.tolist() == [[0, 0], [2, 0], [1, 3], [2, 0], [0, 0]]
    one_two, two_three = 2 / np.sqrt(2 * 3), 1 / np.sqrt(3 * 1)
    expected = [[0, 0], [one_two, 0], [one_two, two_three], [two_three, 0], [0, 0]]
    np.testing.assert_allclose(cosines, expected, rtol=1e-6)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 8)), max_size=60), st.integers(1, 200))
def test_equals_the_product_of_the_whole_matrix(pairs: list[tuple[int, int]], pairs_at_once: int) -> None:
    log = interactions(pairs, 6, 8)
    taken = np.zeros((7, 9))
    taken[log.user_index, log.item_index] = 1
    unit = taken / np.maximum(np.linalg.norm(taken, axis=0), 1)
    expected = unit.T @ unit
    np.fill_diagonal(expected, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item_cosine, "_PAIRS_AT_ONCE", pairs_at_once)  # as many blocks as there are items
        found = item_cosines(log, 8)
    np.testing.assert_allclose(dense(found, 9), expected, atol=1e-6)


def test_only_the_latest_actions_of_a_user_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_cosine, "LATEST", 2)
    log = interactions([(1, 1), (1, 2), (1, 3), (2, 1), (2, 3)], 2, 3)
    neighbours, _ = item_cosines(log, 2)
    assert neighbours.tolist() == [[0, 0], [3, 0], [3, 0], [1, 2]], "user 1 had item 1 too long ago"
