"""Small worlds with ties, midnights, cancellations and gaps longer than every window."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from recsys import columns
from recsys.catalog import stable_key

START = datetime(2024, 2, 20, tzinfo=UTC)  # a leap day lies within
KINDS = (columns.IMPRESSION, *columns.ACTION_KINDS, columns.CANCEL)
CATEGORIES = {"i1": "tea", "i2": "tea", "i3": "coffee", "i4": "", "i5": "milk", "i6": "oil", "i7": "rye"}

# Hours on purpose coarse, so that instants coincide with each other and with midnights.
INSTANTS = st.builds(
    lambda days, hours: START + timedelta(days=days, hours=hours),
    st.sampled_from([0, 1, 2, 6, 7, 8, 9, 29, 30, 31, 32, 60, 89, 90, 91, 92, 200]),
    st.sampled_from([0, 0, 5, 23.9999]),
)
FAR = st.builds(lambda at, days: at + timedelta(days=days), INSTANTS, st.sampled_from([0, 0, 0, 1, 100]))
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            columns.KIND: st.sampled_from([*KINDS, columns.PURCHASE, columns.CANCEL]),
            columns.USER_ID: st.sampled_from(["u1", "u2"]),
            columns.ITEM_ID: st.sampled_from(sorted(CATEGORIES)),
            columns.AT: INSTANTS,
            columns.QUANTITY: st.sampled_from([None, 1000, 3000, 250, 1400]),
            columns.VALUE_MICROS: st.sampled_from([None, 0, 2_000_000, 999_999]),
            columns.WEIGHT: st.sampled_from([0.0, 1.0, 1.0, 1.0]),
            columns.VIEWABLE: st.sampled_from([None, None, True, False]),
        }
    ),
    min_size=1,
    max_size=40,
)

# Few texts and few instants, so that both repeat; a blank says nothing.
SEARCHES = st.lists(
    st.fixed_dictionaries(
        {
            columns.KIND: st.sampled_from([columns.SEARCH, columns.SEARCH, columns.SEARCH, columns.VIEW]),
            columns.USER_ID: st.sampled_from(["u1", "u2"]),
            columns.AT: INSTANTS,
            columns.WEIGHT: st.just(0.0),
            columns.QUERY: st.sampled_from(["tea", " Green  TEA", "green tea", "milk", "rye", "  "]),
            columns.QUERY_ID: st.sampled_from([None, "r1"]),
            columns.REQUEST_ID: st.sampled_from([None, "r1", "r2"]),
            columns.PAGE: st.sampled_from([None, 1, 2]),
        }
    ),
    min_size=1,
    max_size=40,
)

EVENT_TYPES = pa.schema(
    {
        columns.KIND: pa.string(),
        columns.USER_ID: pa.string(),
        columns.ITEM_ID: pa.string(),
        columns.AT: pa.timestamp("us", "UTC"),
        columns.SEQUENCE: pa.int64(),
        columns.QUANTITY: pa.int64(),
        columns.VALUE_MICROS: pa.int64(),
        columns.WEIGHT: pa.float32(),
        columns.VIEWABLE: pa.bool_(),
    }
)


def numbered(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """`rows` in order of time, numbered in the order of arrival."""
    ordered = sorted(rows, key=lambda row: row[columns.AT])
    return [{**row, columns.SEQUENCE: place} for place, row in enumerate(ordered)]


def event(kind: str, at: datetime, user: str = "u1", item: str = "i1", **more: Any) -> dict[str, Any]:
    """One canonical event row, with what most tests do not care about filled in."""
    row = {columns.KIND: kind, columns.USER_ID: user, columns.ITEM_ID: item, columns.AT: at}
    return row | {columns.QUANTITY: 1000, columns.VALUE_MICROS: None, columns.WEIGHT: 1.0} | more


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """`rows` as canonical events."""
    return pa.Table.from_pylist(list(rows), schema=EVENT_TYPES)


def row_at(view: pa.Table, join_key: str, entity: str, at: datetime) -> dict[str, Any] | None:
    """The features of the last row of `entity` up to `at`, as a point-in-time join finds them."""
    rows = [row for row in view.to_pylist() if row[join_key] == entity and row[columns.EVENT_TIMESTAMP] <= at]
    if not rows:
        return None
    last = max(rows, key=lambda row: row[columns.EVENT_TIMESTAMP])
    left_out = (join_key, columns.EVENT_TIMESTAMP, columns.CREATED_TIMESTAMP)
    return {name: value for name, value in last.items() if name not in left_out}


def known(values: Mapping[str, Any] | None, reference: Mapping[str, Any]) -> Mapping[str, Any]:
    """`values`, or where there is no row the reference, which must then say "nothing"."""
    if values is None:
        assert not any(reference.values())
        return reference
    return values


def category_keys(item_keys: np.ndarray) -> np.ndarray:
    """The keys of CATEGORIES by key of an item."""
    by_item = {stable_key(item): stable_key(name) for item, name in CATEGORIES.items() if name}
    return np.array([by_item.get(key, 0) for key in item_keys.tolist()], np.int64)
