"""Served and recomputed values side by side: what counts as different, and how far behind a row was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.features.skew import (
    ServedRow,
    StoredRows,
    compare_rows,
    differing_features,
    measure_staleness,
    values_equal,
)

SECOND = 1_000_000


def row(values: dict, event_at: int | None = 10 * SECOND, view: str = "user_activity") -> ServedRow:
    return ServedRow("r1", 100 * SECOND, view, "ann", event_at, values)


@pytest.mark.parametrize(
    ("served", "recomputed", "same"),
    [
        (3, 3, True),
        (3, 4, False),
        (2**62, 2**62 + 1, False),  # would be equal as floats
        (True, False, False),
        ("tea", "tea", True),
        ("tea", 3.0, False),
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        ([1, 2], [1], False),
        (None, float("nan"), True),  # JSON writes NaN as null
        (0, None, False),
        (0.0, 1e-12, False),
        (1.0, 1.0 + 5e-7, True),  # within the tolerance of a float32
        (1.0, 1.0 + 5e-6, False),
    ],
)
def test_values_are_equal_exactly_or_within_a_float32(served: object, recomputed: object, same: bool) -> None:
    assert values_equal(served, recomputed) is same
    assert values_equal(recomputed, served) is same


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_equals_itself_however_it_was_written(value: float) -> None:
    assert values_equal(value, float(np.float32(value)))


@given(st.dictionaries(st.text(), st.integers() | st.lists(st.integers()) | st.text() | st.none()))
def test_a_row_never_differs_from_itself(values: dict) -> None:
    assert differing_features(values, values) == []


def test_shares_and_the_largest_difference_are_of_each_feature() -> None:
    rows = [row({"a": 1, "b": 5}), row({"a": 2, "b": 5}), row({"a": 3, "b": 5}), row({"a": 4, "b": 5})]
    recomputed = [{"a": 1, "b": 5}, {"a": 9, "b": 5}, {"a": 5, "b": 5}, {"a": 4, "b": 5}]
    a, b = compare_rows(rows, recomputed)
    assert (a.feature, a.compared, a.mismatched, a.share, a.max_difference) == ("a", 4, 2, 0.5, 7.0)
    assert [(example.served, example.recomputed) for example in a.examples] == [(2, 9), (3, 5)]
    assert (b.compared, b.mismatched, b.examples) == (4, 0, ())


def test_a_feature_that_the_store_no_longer_has_is_not_compared() -> None:
    assert compare_rows([row({"gone": 1})], [{}]) == ()


def test_what_a_late_event_explains_is_counted_but_not_wrong() -> None:
    (a,) = compare_rows([row({"a": 1})], [{"a": 2}], late={0})
    assert (a.mismatched, a.late, a.share) == (0, 1, 0.0)


def test_staleness_is_how_much_newer_the_lake_was_before_the_request() -> None:
    rows = [row({}, event_at=at * SECOND) for at in (10, 20, 30)] + [row({}, event_at=None)] * 2
    stored = [
        StoredRows(10 * SECOND, None),
        StoredRows(50 * SECOND, 40 * SECOND),
        StoredRows(20 * SECOND, None),
        StoredRows(40 * SECOND, 40 * SECOND),
        StoredRows(None, None),
    ]
    (found,) = measure_staleness(rows, stored)
    # Lags 0, 30 and 0 (newer than the lake); one row was missing online, one user is unknown.
    assert (found.rows, found.behind, found.missing) == (5, 1, 1)
    assert (found.lag["max"], found.lag["p50"]) == (30.0, 0.0)
    # The request was at second 100, and the second row had been wrong since second 40.
    assert found.overdue["max"] == 60.0
