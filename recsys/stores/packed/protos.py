"""Packed rows from Feast's protobuf values, and back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from feast.protos.feast.types import Value_pb2 as proto

from recsys.errors import DataError
from recsys.instants import to_micros
from recsys.stores.packed.layout import (
    ARRAYS,
    SCALARS,
    TEXT_LISTS,
    Blob,
    Layout,
    ScalarColumn,
    join_texts,
    pack_rows,
)
from recsys.stores.packed.rows import PackedRows

# kind -> (attribute of Value, message of a list)
_ATTRIBUTES: dict[str, tuple[str, Any]] = {
    "INT32": ("int32_val", None),
    "INT64": ("int64_val", None),
    "FLOAT": ("float_val", None),
    "DOUBLE": ("double_val", None),
    "BOOL": ("bool_val", None),
    "UNIX_TIMESTAMP": ("unix_timestamp_val", None),
    "STRING": ("string_val", None),
    "BYTES": ("bytes_val", None),
    "INT32_LIST": ("int32_list_val", proto.Int32List),
    "INT64_LIST": ("int64_list_val", proto.Int64List),
    "FLOAT_LIST": ("float_list_val", proto.FloatList),
    "DOUBLE_LIST": ("double_list_val", proto.DoubleList),
    "BOOL_LIST": ("bool_list_val", proto.BoolList),
    "UNIX_TIMESTAMP_LIST": ("unix_timestamp_list_val", proto.Int64List),
    "STRING_LIST": ("string_list_val", proto.StringList),
    "BYTES_LIST": ("bytes_list_val", proto.BytesList),
}
_NULL = proto.Value()


def feast_micros(at: datetime | None) -> int:
    """Microseconds since 1970; a naive instant is UTC, as in Feast; 0 for none (pandas' NaT too)."""
    if at is None or at != at:
        return 0
    return to_micros(at if at.tzinfo else at.replace(tzinfo=UTC))


def pack_protos(layout: Layout, data: Sequence[tuple[Any, Mapping[str, Any], Any, Any]]) -> list[bytes]:
    """Packed rows of what Feast hands to `online_write_batch`; a feature that a row lacks is null."""
    scalars: dict[str, ScalarColumn] = {}
    blobs: dict[str, list[Blob]] = {}
    for name, kind in layout.fields:
        values = [row[1].get(name, _NULL) for row in data]
        if kind in SCALARS:
            scalars[name] = _scalars_of_protos(values, kind)
        else:
            blobs[name] = [blob_of_proto(value, kind) for value in values]
    event_at = np.fromiter((feast_micros(row[2]) for row in data), np.int64, len(data))
    created_at = np.fromiter((feast_micros(row[3]) for row in data), np.int64, len(data))
    return pack_rows(layout, event_at, created_at, scalars, blobs)


def _scalars_of_protos(values: Sequence[Any], kind: str) -> ScalarColumn:
    attribute = _ATTRIBUTES[kind][0]
    column = np.array([getattr(value, attribute) for value in values], SCALARS[kind])
    null = np.zeros(len(column), np.bool_)
    for place in np.flatnonzero(column == 0).tolist():  # what an unset field looks like
        null[place] = values[place].WhichOneof("val") is None
    return column, null if null.any() else None


def blob_of_proto(value: Any, kind: str) -> Blob:
    """The bytes that a packed row holds for a value that is not a number; None for null."""
    if value.WhichOneof("val") is None:
        return None
    if kind not in _ATTRIBUTES:
        serialized: bytes = value.SerializeToString()
        return serialized
    content = getattr(value, _ATTRIBUTES[kind][0])
    if kind in ARRAYS:
        return np.array(content.val, ARRAYS[kind]).tobytes()
    if kind in TEXT_LISTS:
        return join_texts([encode_text(text) for text in content.val])
    return encode_text(content)


def encode_text(text: str | bytes) -> bytes:
    """`text` as UTF-8; bytes as they are."""
    return text.encode() if isinstance(text, str) else text


def protos_of_rows(rows: PackedRows, name: str) -> list[Any]:
    """K protobuf values of a feature, empty ones where it is null or its row is missing."""
    kind = rows.layout.kinds[name]
    if kind in SCALARS:
        attribute = _ATTRIBUTES[kind][0]
        values = [proto.Value(**{attribute: value}) for value in rows[name].tolist()]
        for place in np.flatnonzero(rows.absent(name)):
            values[place] = proto.Value()
        return values
    if kind not in _ATTRIBUTES:
        return [
            proto.Value.FromString(blob) if blob is not None else proto.Value() for blob in rows.blob(name)
        ]
    attribute, message = _ATTRIBUTES[kind]
    contents = [each.tolist() if kind in ARRAYS else each for each in rows[name]]
    if message is not None:
        contents = [message(val=each) for each in contents]
    return [
        proto.Value() if absent else proto.Value(**{attribute: each})
        for each, absent in zip(contents, rows.absent(name).tolist(), strict=True)
    ]


def entity_id(key: Any) -> bytes:
    """The entity part of a key, from Feast's EntityKey: the id, or `length:id` for each join key by name."""
    if len(key.join_keys) == 1:
        return _id_bytes(key.entity_values[0])
    pairs = sorted(zip(key.join_keys, key.entity_values, strict=True), key=lambda pair: str(pair[0]))
    return join_ids([_id_bytes(value) for _, value in pairs])


def join_ids(parts: Sequence[bytes]) -> bytes:
    """One unambiguous id of several: `1:a` + `2:bc` is never that of other parts."""
    return b"".join(b"%d:%b" % (len(part), part) for part in parts)


def _id_bytes(value: Any) -> bytes:
    kind = value.WhichOneof("val")
    if kind == "string_val":
        text: str = value.string_val
        return text.encode()
    if kind in ("int64_val", "int32_val", "unix_timestamp_val"):
        return b"%d" % getattr(value, kind)
    if kind == "bytes_val":
        return bytes(value.bytes_val)
    raise DataError(f"an entity id must be a text, bytes, an integer or a timestamp, not {kind or 'null'}.")
