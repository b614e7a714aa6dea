"""Small worlds with ties, midnights, cancellations and gaps longer than every window."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from recsys import columns

START = datetime(2024, 2, 20, tzinfo=UTC)  # a leap day lies within
KINDS = (columns.IMPRESSION, *columns.ACTION_KINDS, columns.CANCEL)
CATEGORIES = {"i1": "tea", "i2": "tea", "i3": "coffee", "i4": "", "i5": "milk", "i6": "oil", "i7": "rye"}

# Hours on purpose coarse, so that instants coincide with each other and with midnights.
INSTANTS = st.builds(
    lambda days, hours: START + timedelta(days=days, hours=hours),
    st.sampled_from([0, 1, 2, 6, 7, 8, 9, 29, 30, 31, 32, 60, 89, 90, 91, 92, 200]),
    st.sampled_from([0, 0, 5, 23.9999]),
)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            columns.KIND: st.sampled_from([*KINDS, columns.PURCHASE, columns.CANCEL]),
            columns.USER_ID: st.sampled_from(["u1", "u2"]),
            columns.ITEM_ID: st.sampled_from(sorted(CATEGORIES)),
            columns.AT: INSTANTS,
            columns.QUANTITY: st.sampled_from([None, 1, 3]),
            columns.VALUE_MICROS: st.sampled_from([None, 0, 2_000_000, 999_999]),
            columns.WEIGHT: st.sampled_from([0.0, 1.0, 1.0, 1.0]),
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
    }
)


def numbered(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """`rows` in order of time, numbered in the order of arrival."""
    ordered = sorted(rows, key=lambda row: row[columns.AT])
    return [{**row, columns.SEQUENCE: place} for place, row in enumerate(ordered)]


def event(kind: str, at: datetime, user: str = "u1", item: str = "i1", **more: Any) -> dict[str, Any]:
    """One canonical event row, with what most tests do not care about filled in."""
    row = {columns.KIND: kind, columns.USER_ID: user, columns.ITEM_ID: item, columns.AT: at}
    return row | {columns.QUANTITY: 1, columns.VALUE_MICROS: None, columns.WEIGHT: 1.0} | more


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """`rows` as canonical events."""
    return pa.Table.from_pylist(list(rows), schema=EVENT_TYPES)
