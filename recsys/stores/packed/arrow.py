"""Packed rows from Arrow columns, as Feast would have written them value by value."""

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from feast.type_map import python_values_to_proto_values
from feast.value_type import ValueType

from recsys.arrays import BoolArray, IntArray
from recsys.errors import DataError, SchemaMismatchError
from recsys.stores.packed.layout import (
    ARRAYS,
    SCALARS,
    TEXT_LISTS,
    TEXTS,
    Blob,
    Layout,
    ScalarColumn,
    join_texts,
    pack_rows,
)
from recsys.stores.packed.protos import blob_of_proto, encode_text, join_ids

# pyarrow's stubs know neither an array's `values` nor that a function of an array returns an array.
ArrowColumn = Any
pc: Any = pyarrow.compute


_ARROW = {kind: pa.from_numpy_dtype(dtype) for kind, dtype in SCALARS.items()}


def pack_arrow(layout: Layout, table: pa.Table, event_column: str, created_column: str | None) -> list[bytes]:
    """Packed rows of a table, as Feast would have written them value by value.

    Raises:
        SchemaMismatchError: a column is missing or its values do not fit the declared type.
    """
    scalars: dict[str, ScalarColumn] = {}
    blobs: dict[str, list[Blob]] = {}
    names = set(table.column_names)  # Arrow makes a new list at each access
    for name, kind in layout.fields:
        if name not in names:
            raise SchemaMismatchError(
                f"view {layout.view!r} declares the feature {name!r}, but its source has the columns "
                f"{', '.join(table.column_names)}. Add the column or correct the view."
            )
        column = _whole(table, name)
        try:
            if kind in SCALARS:
                scalars[name] = _scalars_of_arrow(column, kind)
            else:
                blobs[name] = _blobs_of_arrow(column, kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError, ValueError) as error:
            raise SchemaMismatchError(
                f"view {layout.view!r}, feature {name!r}: {column.type} does not fit {kind}: {error}. "
                "Correct the source or the declared type."
            ) from error
    event_at = _instants(_whole(table, event_column))
    created = _instants(_whole(table, created_column)) if created_column else np.zeros_like(event_at)
    return pack_rows(layout, event_at, created, scalars, blobs)


def entity_ids_of_arrow(layout: Layout, table: pa.Table) -> list[bytes]:
    """The entity part of each row's key; the same bytes as `entity_id` gives.

    Raises:
        DataError: a join key is null.
    """
    columns = []
    for name, kind in layout.keys:
        column = _whole(table, name)
        if column.null_count:
            row = pc.index(pc.is_null(column), True).as_py()
            raise DataError(
                f"view {layout.view!r}: the join key {name!r} is null in row {row}. "
                "Drop such rows at the source."
            )
        if kind == "UNIX_TIMESTAMP":
            column = pa.array(_scalars_of_arrow(column, kind)[0])
        texts = column if kind == "BYTES" else pc.cast(column, pa.string())
        columns.append(pc.cast(texts, pa.binary()).to_pylist())
    if len(columns) == 1:
        ids: list[bytes] = columns[0]
        return ids
    return [join_ids(parts) for parts in zip(*columns, strict=True)] if columns else [b""] * len(table)


def _whole(table: pa.Table, name: str) -> ArrowColumn:
    column = table.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _instants(column: ArrowColumn) -> IntArray:
    if pa.types.is_timestamp(column.type):
        column = pc.cast(column, pa.timestamp("us", column.type.tz), safe=False)
    else:
        column = pc.cast(column, pa.timestamp("us"))
    values: IntArray = pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy(zero_copy_only=False)
    return values


def _scalars_of_arrow(column: ArrowColumn, kind: str) -> ScalarColumn:
    if kind == "UNIX_TIMESTAMP" and pa.types.is_temporal(column.type):
        if pa.types.is_timestamp(column.type) and column.type.unit != "s":
            # Feast rounds towards minus infinity as well.
            column = pc.cast(
                pc.floor_temporal(column, unit="second"), pa.timestamp("s", column.type.tz), safe=False
            )
        column = pc.cast(pc.cast(column, pa.timestamp("s", getattr(column.type, "tz", None))), pa.int64())
    if kind == "BOOL" and not pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.bool_())
    null = None
    if column.null_count:
        null = column.is_null().to_numpy(zero_copy_only=False)
        column = column.fill_null(False if pa.types.is_boolean(column.type) else 0)
    if column.type == _ARROW[kind] and kind in ("INT32", "INT64"):
        return column.to_numpy(zero_copy_only=False), null
    floats = SCALARS[kind].kind == "f"
    if SCALARS[kind].kind == "i" and pa.types.is_floating(column.type):
        # pandas turns whole numbers with gaps into floats, and gaps into NaN.
        null, column = _with_nan(null, column)
    column = pc.cast(column, _ARROW[kind], safe=not floats)
    values = column.to_numpy(zero_copy_only=False)
    if floats:
        nan = np.isnan(values)
        if nan.any():  # Feast takes NaN for null
            null = nan if null is None else null | nan
    return values, null


def _with_nan(null: BoolArray | None, column: ArrowColumn) -> tuple[BoolArray | None, ArrowColumn]:
    nan = pc.is_nan(column).to_numpy(zero_copy_only=False)
    if not nan.any():
        return null, column
    filled = pc.if_else(pa.array(nan), pa.scalar(0, column.type), column)
    return (nan if null is None else null | nan), filled


def _blobs_of_arrow(column: ArrowColumn, kind: str) -> list[Blob]:
    if kind in TEXTS:
        return _texts_of_arrow(column, kind)
    if kind in ARRAYS:
        return _arrays_of_arrow(column, kind)
    if kind in TEXT_LISTS:
        lists: list[list[str | bytes] | None] = column.to_pylist()
        return [None if each is None else join_texts([encode_text(text) for text in each]) for each in lists]
    values = python_values_to_proto_values(column.to_numpy(zero_copy_only=False), ValueType[kind])
    return [blob_of_proto(value, kind) for value in values]


def _texts_of_arrow(column: ArrowColumn, kind: str) -> list[Blob]:
    if kind == "STRING":
        column = pc.cast(column, pa.string())
    texts: list[Blob] = pc.cast(column, pa.binary()).to_pylist()
    return texts


def _arrays_of_arrow(column: ArrowColumn, kind: str) -> list[Blob]:
    """Each row's array as raw bytes, cut from one buffer."""
    if not pa.types.is_list(column.type):
        kind_of_list: Any = column.type  # fixed-size, large or view lists, or null
        inner = getattr(kind_of_list, "value_type", pa.from_numpy_dtype(ARRAYS[kind]))
        column = pc.cast(column, pa.list_(inner))
    offsets = column.offsets.to_numpy().astype(np.int64)
    # A slice of a table shares the values of the whole: take what belongs to its rows.
    inside = column.values.slice(offsets[0], offsets[-1] - offsets[0])
    values, null = _scalars_of_arrow(inside, kind.removesuffix("_LIST"))
    if null is not None and ARRAYS[kind].kind != "f":
        raise ValueError("an array holds a null")
    joined, width = values.tobytes(), ARRAYS[kind].itemsize
    ends = ((offsets - offsets[0]) * width).tolist()
    cut: list[Blob] = [joined[start:end] for start, end in pairwise(ends)]
    if column.null_count:
        for place in np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)):
            cut[place] = None
    return cut
