"""Columns of Parquet files as the few types that the import knows, or the reason why not."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import Column
from recsys.errors import SchemaMismatchError
from recsys.ingest.raw.cells import is_list_type


@dataclass(frozen=True)
class PlainColumn:
    """A column of plain values.

    Attributes:
        values: texts, int64, uint64, float32, float64, decimal128, booleans, timestamps, dates, or lists.
        bad: the cells that cannot be read, by row, as they are shown.
    """

    values: Column
    bad: Mapping[int, str] = field(default_factory=dict)


def plain_column(name: str, column: Column, is_uuid: bool = False) -> PlainColumn:
    """`column` in a plain type.

    Args:
        is_uuid: the file says that 16 bytes are a UUID.

    Raises:
        SchemaMismatchError: it holds objects, maps or something else; the message names the remedy.
    """
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return plain_column(name, column.storage, is_uuid or kind.extension_name == "arrow.uuid")
    if pa.types.is_dictionary(kind):
        return plain_column(name, column.dictionary_decode(), is_uuid)
    if pa.types.is_run_end_encoded(kind):
        return plain_column(name, pc.run_end_decode(column), is_uuid)
    if _is_list(kind):
        return _plain_list(name, column)
    if pa.types.is_struct(kind) or pa.types.is_map(kind) or pa.types.is_union(kind):
        raise _objects(name, kind)
    if pa.types.is_fixed_size_binary(kind) and is_uuid and kind.byte_width == 16:
        texts = [None if value is None else str(uuid.UUID(bytes=value)) for value in column.to_pylist()]
        return PlainColumn(pa.array(texts, pa.string()))
    if _is_binary(kind):
        return _decoded(name, column)
    target = _target(kind)
    if target is None:
        raise SchemaMismatchError(
            f"column {name!r} has the type {kind}, which is neither text, number, instant nor list. "
            "Write it as text."
        )
    return PlainColumn(column if target == kind else column.cast(target))


def _target(kind: pa.DataType) -> pa.DataType | None:
    """The plain type that values of `kind` are cast to."""
    if pa.types.is_signed_integer(kind) or kind in (pa.uint8(), pa.uint16(), pa.uint32()):
        return pa.int64()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_decimal(kind):
        fits = kind.precision <= 38 and kind.scale >= 0
        return pa.decimal128(kind.precision, kind.scale) if fits else pa.string()
    if pa.types.is_duration(kind):
        return pa.int64()  # in its unit
    if pa.types.is_null(kind) or pa.types.is_time(kind) or pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_string_view(kind):
        return pa.string()
    same = (pa.types.is_string, pa.types.is_boolean, pa.types.is_timestamp, pa.types.is_date)
    numeric = (pa.types.is_uint64, pa.types.is_float32, pa.types.is_float64)
    return kind if any(test(kind) for test in (*same, *numeric)) else None


def _is_list(kind: pa.DataType) -> bool:
    return bool(is_list_type(kind) or pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(test(kind) for test in (*tests, pa.types.is_fixed_size_binary))


def _plain_list(name: str, column: Column) -> PlainColumn:
    """A list of plain values; a list of lists is one list. An element that cannot be read is null."""
    missing = np.asarray(column.is_null())
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    values = pc.list_flatten(column)
    if pa.types.is_struct(values.type) or pa.types.is_map(values.type):
        raise _objects(name, values.type, listed=True)
    elements = plain_column(name, values).values
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    if _is_list(elements.type):
        offsets = elements.offsets.to_numpy()[offsets]
        elements = elements.values
    mask = pa.array(missing) if missing.any() else None
    return PlainColumn(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), elements, mask=mask))


def _decoded(name: str, column: Column) -> PlainColumn:
    """Bytes that are UTF-8 as texts."""
    column = column.cast(pa.binary())
    try:
        return PlainColumn(column.cast(pa.string()))
    except pa.ArrowInvalid:
        texts = [_utf8(value) for value in column.to_pylist()]
    values = pa.array(texts, pa.string())
    shown = enumerate(zip(texts, column.to_pylist(), strict=True))
    bad = {row: repr(value[:100]) for row, (text, value) in shown if text is None and value is not None}
    if values.null_count == len(values):
        raise SchemaMismatchError(
            f"column {name!r} holds bytes that are not UTF-8 text, such as {next(iter(bad.values()))[:60]}. "
            "Write it as text, for example in hexadecimal."
        )
    return PlainColumn(values, bad)


def _utf8(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _objects(name: str, kind: pa.DataType, listed: bool = False) -> SchemaMismatchError:
    if pa.types.is_map(kind):
        what, remedy = "a map", f"Name one of its keys by a dotted path, such as '{name}.key'"
    elif pa.types.is_struct(kind):
        fields = [f"{name}.{kind.field(place).name}" for place in range(kind.num_fields)]
        what = f"objects (fields: {', '.join(fields[:10])})"
        remedy = f"Name one by its dotted path, such as {fields[0]!r}" if fields else "Name another column"
    else:
        what, remedy = f"values of several types ({kind})", "Write it as text"
    if listed:
        what = f"lists of {what.removeprefix('a ')}"
        remedy = f"Write one row for each element, or name the list as `lines = {name!r}`"
    return SchemaMismatchError(f"column {name!r} holds {what}, not a text or a number. {remedy}.")
