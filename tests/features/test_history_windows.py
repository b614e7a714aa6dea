"""Histories from windows against those from the arrays of single rows: no value may differ."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import stable_key
from recsys.dataset.interactions import Vocabulary, histories_from_features
from recsys.features.history_windows import (
    HistoryWindows,
    WindowsPart,
    histories_from_windows,
    windows_of_lists,
)

KNOWN = Vocabulary.of(["a", "b", "c"])
KEYS = [stable_key(name) for name in ("a", "b", "c", "unknown")]
ROWS = st.lists(
    st.lists(st.tuples(st.sampled_from(KEYS), st.integers(1, 8), st.integers(0, 100)), max_size=7), max_size=6
)


def lists_of(rows: list[list[tuple[int, int, int]]]) -> tuple[list[np.ndarray], ...]:
    """Item keys, kinds and seconds, an array of each a row."""
    return tuple([np.array([each[place] for each in row], np.int64) for row in rows] for place in range(3))


@given(rows=ROWS, length=st.integers(1, 5), split=st.integers(0, 6))
def test_histories_equal_those_of_single_rows(
    rows: list[list[tuple[int, int, int]]], length: int, split: int
) -> None:
    asked = np.arange(len(rows), dtype=np.int64)
    expected = histories_from_features(*lists_of(rows), asked, KNOWN, length)
    order = asked[::-1]  # parts come in any order
    parts = [
        WindowsPart(part, windows_of_lists(*lists_of([rows[place] for place in part])))
        for part in (order[:split], order[split:])
    ]
    got = histories_from_windows(parts, asked, KNOWN, length)
    for name in ("items", "kinds", "at_seconds", "request_at_seconds"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))


def test_windows_that_overlap_share_their_actions() -> None:
    keys = np.array([stable_key(name) for name in ("a", "b", "c")], np.int64)
    windows = HistoryWindows(
        keys, np.array([2, 3, 4]), np.array([10, 20, 30]), np.array([0, 1, 1, 2]), np.array([0, 2, 4])
    )
    got = histories_from_windows([WindowsPart(np.array([1, 0]), windows)], np.array([40, 25]), KNOWN, 3)
    assert got.items.tolist() == [[0, 2, 3], [0, 1, 2]]
    assert got.kinds.tolist() == [[0, 3, 4], [0, 2, 3]]
    assert got.at_seconds.tolist() == [[0, 20, 30], [0, 10, 20]]


def test_a_request_that_is_in_no_part_has_no_history() -> None:
    assert histories_from_windows([], np.array([40]), KNOWN, 2).items.tolist() == [[0, 0]]
