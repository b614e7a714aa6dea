"""The Arrow schema of each feature view's rows, and how columns become such a table."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recsys import columns
from recsys.arrays import Column, IntArray

INSTANT = pa.timestamp("us", "UTC")


def _view(join_key: str, **features: Any) -> pa.Schema:
    # Nothing is null inside a row: 0, "" and the empty list say "none", so that a null means "no row".
    names = {join_key: pa.string(), **features, columns.EVENT_TIMESTAMP: INSTANT}
    return pa.schema({**names, columns.CREATED_TIMESTAMP: INSTANT})


VIEW_SCHEMAS: Mapping[str, pa.Schema] = {
    columns.USER_ACTIVITY: _view(
        columns.USER_ID,
        **dict.fromkeys(columns.USER_COUNTS, pa.int32()),
        **dict.fromkeys(columns.USER_VALUES, pa.int64()),
        **{
            columns.ACTIVE_DAYS: pa.int32(),
            columns.LAST_EVENT_AT: pa.int64(),
            columns.AVERAGE_PRICE: pa.int64(),
            columns.TOP_CATEGORIES: pa.list_(pa.int64()),
            columns.TOP_CATEGORY_SHARES: pa.list_(pa.float32()),
        },
    ),
    columns.USER_HISTORY: _view(
        columns.USER_ID,
        **{
            columns.HISTORY_ITEMS: pa.list_(pa.int64()),
            columns.HISTORY_KINDS: pa.list_(pa.int32()),
            columns.HISTORY_AT: pa.list_(pa.int64()),
        },
    ),
    columns.USER_SEARCHES: _view(
        columns.USER_ID,
        **{columns.SEARCH_TEXTS: pa.list_(pa.string()), columns.SEARCH_AT: pa.list_(pa.int64())},
    ),
    columns.ITEM_ENGAGEMENT: _view(
        columns.ITEM_ID,
        **dict.fromkeys(columns.ITEM_COUNTS, pa.int32()),
        **{
            columns.ITEM_CLICK_RATE: pa.float32(),
            columns.ITEM_CONVERSION: pa.float32(),
            columns.ITEM_TREND: pa.float32(),
            columns.ITEM_LAST_EVENT_AT: pa.int64(),
        },
    ),
    columns.ITEM_CONTENT: _view(
        columns.ITEM_ID,
        **{
            columns.ITEM_KEY: pa.int64(),
            columns.CATEGORY_KEY: pa.int64(),
            columns.PRICE_MICROS: pa.int64(),
            columns.AVAILABLE: pa.bool_(),
            columns.TITLE: pa.string(),
            columns.TEXT: pa.string(),
            columns.CATEGORY: pa.string(),
            columns.BRAND: pa.string(),
            columns.ATTRIBUTES: pa.string(),
            columns.PRODUCT_ID: pa.string(),
            columns.CATEGORY_PATH: pa.string(),
            columns.FIRST_AT: pa.int64(),
        },
    ),
    columns.ITEM_TEXT: _view(
        columns.ITEM_ID,
        **{columns.TEXT_VECTOR: pa.list_(pa.float32()), columns.TEXT_HASH: pa.string()},
    ),
    columns.ITEM_VECTORS: _view(
        columns.ITEM_ID,
        **{columns.READY_VECTOR: pa.list_(pa.float32()), columns.VECTOR_LAYOUT: pa.string()},
    ),
}


def instant_column(micros: IntArray) -> Column:
    """`micros` since 1970 as aware UTC instants."""
    return pa.array(micros).cast(INSTANT)


def micros_of(column: Column) -> IntArray:
    """The microseconds since 1970 of a column of instants without gaps, as `instant_column` makes it."""
    return np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)


def list_column(values: npt.NDArray[np.generic], offsets: IntArray, item_type: pa.DataType) -> Column:
    """Row r is `values[offsets[r]:offsets[r + 1]]`."""
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values, item_type))


def names_of(identifiers: tuple[str, ...], index: IntArray) -> Column:
    """The external ids at `index` (R,), as text."""
    indices: Column = pa.array(index)
    return pa.array(identifiers, pa.string()).take(indices)


def view_table(view: str, values: Mapping[str, Column]) -> pa.Table:
    """`values` as a table of `view`'s schema, columns in the schema's order."""
    schema = VIEW_SCHEMAS[view]
    typed = [values[field.name].cast(field.type) for field in schema]
    return pa.Table.from_arrays(typed, schema=schema)
