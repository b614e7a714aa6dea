"""The user_item_cross features: of a user and an item together, computed at request time.

Pure numpy, called by the Feast on-demand view, by training sets and by the online funnel: one definition.
Inputs are columns, an array a feature, with 0 or an empty array where a row is missing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys import columns
from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray

USER_INPUTS = (
    columns.AVERAGE_PRICE,
    columns.TOP_CATEGORIES,
    columns.TOP_CATEGORY_SHARES,
    columns.LAST_EVENT_AT,
    columns.HISTORY_ITEMS,
    columns.HISTORY_AT,
)
ITEM_INPUTS = (columns.ITEM_KEY, columns.CATEGORY_KEY, columns.PRICE_MICROS)

BLOCK_ROWS = 50_000  # rows compared with a history at once


def cross_features(
    user: Mapping[str, npt.NDArray[Any]],
    items: Mapping[str, npt.NDArray[Any]],
    request_at_seconds: float,
) -> dict[str, FloatArray]:
    """The CROSS_FEATURES of one user (columns of one row) and K items, each (K,) float32.

    - `price_to_user_mean`: the item's price over the mean price the user paid; NaN where either is unknown.
    - `category_affinity`: the share of the item's category among the user's favourites, 0 if it is none of
      them; NaN where the item's category is unknown or the user has no favourites.
    - `times_in_history`: how often the item occurs in the user's history.
    - `seconds_since_item`: since the item last occurred in it; NaN if it does not.
    - `seconds_since_last_event`: since the user last did anything; NaN for a user without a past.
    """
    rows = len(items[columns.ITEM_KEY])
    return cross_features_by_row(
        user, np.zeros(rows, np.int64), items, np.full(rows, request_at_seconds, np.float64)
    )


def cross_features_by_row(
    users: Mapping[str, npt.NDArray[Any]],
    user_row: IntArray,
    items: Mapping[str, npt.NDArray[Any]],
    request_at_seconds: npt.NDArray[Any],
) -> dict[str, FloatArray]:
    """The same for R rows: row r is user `user_row[r]` of U `users` and item r of R `items`."""
    padded = {
        name: _padded(users[name], dtype)
        for name, dtype in (
            (columns.TOP_CATEGORIES, np.int64),
            (columns.TOP_CATEGORY_SHARES, np.float32),
            (columns.HISTORY_ITEMS, np.int64),
            (columns.HISTORY_AT, np.int64),
        )
    }
    at = np.asarray(request_at_seconds, np.float64)
    last = np.asarray(users[columns.LAST_EVENT_AT], np.int64)[user_row]
    price = np.asarray(items[columns.PRICE_MICROS], np.float64)
    mean = np.asarray(users[columns.AVERAGE_PRICE], np.float64)[user_row]
    result = {
        columns.PRICE_RATIO: _where((price > 0) & (mean > 0), price / np.maximum(mean, 1)),
        columns.SECONDS_SINCE_LAST: _where(last != 0, at - last),
    }
    result |= _affinity(padded, user_row, np.asarray(items[columns.CATEGORY_KEY], np.int64))
    result |= _recurrence(padded, user_row, np.asarray(items[columns.ITEM_KEY], np.int64), at)
    return {name: result[name] for name in columns.CROSS_FEATURES}


def cross_features_of_lists(inputs: Mapping[str, Sequence[Any]]) -> dict[str, list[np.float32]]:
    """The same for R rows as Feast hands them to an on-demand view: a list a column, None where missing."""
    empty: tuple[int, ...] = ()
    columns_of = {
        name: np.array([0 if value is None else value for value in inputs[name]], np.int64)
        for name in (*ITEM_INPUTS, columns.AVERAGE_PRICE, columns.LAST_EVENT_AT, columns.REQUEST_AT_SECONDS)
    }
    arrays: dict[str, Any] = {
        name: [empty if value is None else value for value in inputs[name]]
        for name in (
            columns.TOP_CATEGORIES,
            columns.TOP_CATEGORY_SHARES,
            columns.HISTORY_ITEMS,
            columns.HISTORY_AT,
        )
    }
    rows = np.arange(len(columns_of[columns.ITEM_KEY]))
    result = cross_features_by_row(
        {**columns_of, **arrays}, rows, columns_of, columns_of[columns.REQUEST_AT_SECONDS]
    )
    return {name: list(values) for name, values in result.items()}


def _affinity(
    padded: Mapping[str, npt.NDArray[Any]], user_row: IntArray, category: IntArray
) -> dict[str, FloatArray]:
    favourites = padded[columns.TOP_CATEGORIES][user_row]  # (R, 5)
    shares = padded[columns.TOP_CATEGORY_SHARES][user_row]  # (R, 5)
    share = np.where(favourites == category[:, None], shares, 0).sum(1)
    known = (category != 0) & (favourites != 0).any(1)
    return {columns.CATEGORY_AFFINITY: _where(known, share)}


def _recurrence(
    padded: Mapping[str, npt.NDArray[Any]],
    user_row: IntArray,
    item: IntArray,
    at: DoubleArray,
) -> dict[str, FloatArray]:
    times = np.zeros(len(item), np.float32)
    seen_at = np.zeros(len(item), np.int64)
    items, instants = padded[columns.HISTORY_ITEMS], padded[columns.HISTORY_AT]  # (U, L)
    if len(items) == 1 and len(item) <= BLOCK_ROWS:  # as in service: few of the items occur in the history
        known = np.sort(np.append(items[0], 0))
        rows = np.flatnonzero((known[np.searchsorted(known, item, "right") - 1] == item) & (item != 0))
        same = items == item[rows, None]  # (R', L)
        times[rows] = same.sum(1)
        seen_at[rows] = np.where(same, instants, 0).max(1, initial=0)
        return _recurrence_columns(times, at - seen_at)
    for start in range(0, len(item), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        same = items[user_row[part]] == item[part, None]  # (R', L)
        same &= item[part, None] != 0
        row, place = np.divmod(np.flatnonzero(same), max(items.shape[1], 1))  # few
        times[part] = np.bincount(row, minlength=len(same))
        np.maximum.at(seen_at[part], row, instants[user_row[part][row], place])
    return _recurrence_columns(times, at - seen_at)


def _recurrence_columns(times: FloatArray, since: DoubleArray) -> dict[str, FloatArray]:
    return {columns.TIMES_IN_HISTORY: times, columns.SECONDS_SINCE_ITEM: _where(times > 0, since)}


def _where(known: BoolArray, values: npt.NDArray[Any]) -> FloatArray:
    return np.where(known, values, np.nan).astype(np.float32)


def _padded(rows: Sequence[Any] | npt.NDArray[Any], dtype: Any) -> npt.NDArray[Any]:
    """(U, longest) with 0, which is not a key, behind each row."""
    width = max((len(row) for row in rows), default=0)
    out = np.zeros((len(rows), width), dtype)
    for place, row in enumerate(rows):
        out[place, : len(row)] = row
    return out
