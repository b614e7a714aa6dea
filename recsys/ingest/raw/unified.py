"""Parts of one column that have different types, brought to one type that keeps every value."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import Column, combined
from recsys.ingest.raw.cells import as_text, is_list_type, list_text
from recsys.ingest.raw.time_cells import is_time_type, micros_of

_EXACT = 2**53  # up to here a float64 counts by ones


def unified(parts: Sequence[Column]) -> list[Column]:
    """`parts` in one type: that of all, a wider one of numbers or instants, else texts.

    A part without values takes any type. Whole numbers become floats only if each stays what it is.

    >>> [part.type for part in unified([pa.array([1]), pa.array([2.5]), pa.nulls(1)])]
    [DataType(double), DataType(double), DataType(double)]
    """
    columns = [combined(part) for part in parts]
    filled = [column for column in columns if column.null_count < len(column)]
    kinds = {column.type for column in filled}
    if len(kinds) <= 1:
        kind = next(iter(kinds), pa.string())
        return [column if column.type == kind else pa.nulls(len(column), kind) for column in columns]
    target = _wider_type(kinds, filled)
    if target is None:
        return [_marked_text(column) for column in columns]
    return [
        _in_type(column, target) if column.null_count < len(column) else pa.nulls(len(column), target)
        for column in columns
    ]


def _wider_type(kinds: set[pa.DataType], columns: Sequence[Column]) -> pa.DataType | None:
    """A type for values of all `kinds`; None if only a text keeps them."""
    if all(map(pa.types.is_integer, kinds)):
        return pa.int64() if all(_largest(column) < 2**63 for column in columns) else None
    if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        whole = [column for column in columns if pa.types.is_integer(column.type)]
        return pa.float64() if all(_largest(column) <= _EXACT for column in whole) else None
    if all(pa.types.is_integer(kind) or pa.types.is_decimal(kind) for kind in kinds):
        decimals = [kind for kind in kinds if pa.types.is_decimal(kind)]
        scale = max(kind.scale for kind in decimals)
        digits = max([20, *(kind.precision - kind.scale for kind in decimals)])
        return pa.decimal128(digits + scale, scale) if digits + scale <= 38 else None
    if all(map(is_time_type, kinds)):
        zoned = {pa.types.is_timestamp(kind) and kind.tz is not None for kind in kinds}
        return pa.timestamp("us", "UTC" if zoned == {True} else None) if len(zoned) == 1 else None
    if all(map(pa.types.is_list, kinds)):
        numbers = all(
            pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type) for kind in kinds
        )
        return pa.list_(pa.float64() if numbers else pa.string())
    return None


def _marked_text(column: Column) -> Column:
    """Texts that still tell a list of one element from its element, as those of JSON files do."""
    if pa.types.is_string(column.type):
        return column
    return list_text(column) if is_list_type(column.type) else as_text(column)


def _largest(column: Column) -> int:
    ends = pc.min_max(column).as_py()
    return int(max(abs(ends["min"]), abs(ends["max"])))


def _in_type(column: Column, target: pa.DataType) -> Column:
    if is_time_type(column.type) and pa.types.is_timestamp(target):
        return pa.array(micros_of(column), mask=np.asarray(column.is_null())).cast(target)
    if pa.types.is_list(target):
        inner = column.values
        values = _in_type(inner, target.value_type) if inner.type != target.value_type else inner
        mask = column.is_null() if column.null_count else None
        return pa.ListArray.from_arrays(column.offsets, values, mask=mask)
    if pa.types.is_string(target):
        return as_text(column)
    return column.cast(target)
