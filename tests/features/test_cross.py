"""Cross features by hand, and the same for one user, for many rows and as Feast hands rows over."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.features.cross import (
    ITEM_INPUTS,
    USER_INPUTS,
    cross_features,
    cross_features_by_row,
    cross_features_of_lists,
)

TEA, MILK = 101, 102  # category keys
KETTLE, CUP = 7, 8  # item keys
NOW = 1_700_000_000


def lists(*rows: list[float]) -> np.ndarray:
    out = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        out[place] = np.array(row)
    return out


USER = {
    columns.AVERAGE_PRICE: np.array([4_000_000]),
    columns.TOP_CATEGORIES: lists([TEA, 999]),
    columns.TOP_CATEGORY_SHARES: lists([0.75, 0.25]),
    columns.LAST_EVENT_AT: np.array([NOW - 60]),
    columns.HISTORY_ITEMS: lists([KETTLE, CUP, KETTLE]),
    columns.HISTORY_AT: lists([NOW - 500, NOW - 400, NOW - 300]),
}
STRANGER = {
    columns.AVERAGE_PRICE: np.array([0]),
    columns.TOP_CATEGORIES: lists([]),
    columns.TOP_CATEGORY_SHARES: lists([]),
    columns.LAST_EVENT_AT: np.array([0]),
    columns.HISTORY_ITEMS: lists([]),
    columns.HISTORY_AT: lists([]),
}
ITEMS = {
    columns.ITEM_KEY: np.array([KETTLE, CUP, 55, 0]),  # the last has no row
    columns.CATEGORY_KEY: np.array([TEA, MILK, 0, 0]),
    columns.PRICE_MICROS: np.array([6_000_000, 2_000_000, 0, 0]),
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (columns.PRICE_RATIO, [6 / 4, 2 / 4, np.nan, np.nan]),
        (columns.CATEGORY_AFFINITY, [0.75, 0.0, np.nan, np.nan]),
        (columns.TIMES_IN_HISTORY, [2, 1, 0, 0]),
        (columns.SECONDS_SINCE_ITEM, [300, 400, np.nan, np.nan]),
        (columns.SECONDS_SINCE_LAST, [60, 60, 60, 60]),
    ],
)
def test_a_user_and_four_items(name: str, expected: list[float]) -> None:
    np.testing.assert_allclose(cross_features(USER, ITEMS, NOW)[name], expected)


def test_of_a_stranger_nothing_is_known_but_that_nothing_was_seen() -> None:
    crossed = cross_features(STRANGER, ITEMS, NOW)
    assert all(np.isnan(crossed[name]).all() for name in columns.CROSS_FEATURES if name != "times_in_history")
    assert crossed[columns.TIMES_IN_HISTORY].tolist() == [0, 0, 0, 0]


def test_they_come_in_the_declared_order_as_float32() -> None:
    crossed = cross_features(USER, ITEMS, NOW)
    assert tuple(crossed) == columns.CROSS_FEATURES
    assert {values.dtype for values in crossed.values()} == {np.dtype(np.float32)}


KEYS = st.integers(min_value=1, max_value=4)


@settings(deadline=None)
@given(
    histories=st.lists(st.lists(KEYS, max_size=6), min_size=1, max_size=4),
    pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=8),
)
def test_rows_of_many_users_equal_each_user_alone(
    histories: list[list[int]], pairs: list[tuple[int, int]]
) -> None:
    count = len(histories)
    users: dict[str, Any] = {
        columns.AVERAGE_PRICE: np.arange(count) * 1_000_000,
        columns.TOP_CATEGORIES: lists(*(sorted(set(history))[:5] for history in histories)),
        columns.TOP_CATEGORY_SHARES: lists(*([0.25] * len(set(history)) for history in histories)),
        columns.LAST_EVENT_AT: np.array([NOW - 10 * len(history) for history in histories]),
        columns.HISTORY_ITEMS: lists(*histories),
        columns.HISTORY_AT: lists(*([NOW - 5 * n for n in range(len(history))] for history in histories)),
    }
    user_row = np.array([user % count for user, _ in pairs])
    keys = np.array([key for _, key in pairs])
    items = {
        columns.ITEM_KEY: keys,
        columns.CATEGORY_KEY: keys,
        columns.PRICE_MICROS: keys * 500_000,
    }
    together = cross_features_by_row(users, user_row, items, np.full(len(pairs), NOW))
    spread = {name: list(users[name][user_row]) for name in USER_INPUTS}
    listed = cross_features_of_lists(
        {**spread, **{name: items[name].tolist() for name in ITEM_INPUTS}}
        | {columns.REQUEST_AT_SECONDS: [NOW] * len(pairs)}
    )
    for row, user in enumerate(user_row):
        alone = cross_features(
            {name: users[name][user : user + 1] for name in USER_INPUTS},
            {name: items[name][row : row + 1] for name in ITEM_INPUTS},
            NOW,
        )
        for name in columns.CROSS_FEATURES:
            np.testing.assert_array_equal(together[name][row], alone[name][0])
            np.testing.assert_array_equal(listed[name][row], alone[name][0])


def test_feast_says_none_for_missing_rows() -> None:
    nothing = {name: [None] for name in (*USER_INPUTS, *ITEM_INPUTS)}
    crossed = cross_features_of_lists(nothing | {columns.REQUEST_AT_SECONDS: [NOW]})
    assert crossed[columns.TIMES_IN_HISTORY] == [0]
    assert np.isnan(crossed[columns.PRICE_RATIO][0])
