"""Parquet files in batches, their sizes judged by the footer before anything is read."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.arrays import Column
from recsys.errors import DataError, SchemaMismatchError, did_you_mean
from recsys.ingest.raw.batch import Malformed, RawBatch, missing_column
from recsys.ingest.raw.cells import is_list_type
from recsys.ingest.readers.limits import ReadLimits
from recsys.ingest.readers.parquet_columns import PlainColumn, plain_column

BATCH_ROWS = 1 << 18
BATCH_BYTES = 256 << 20  # about what a batch may take where rows are wide
_VALUE_BYTES = 4  # what a value takes at least when it is unpacked


def read_parquet(
    path: Path,
    file: str,
    columns: Sequence[str],
    optional: Collection[str],
    limits: ReadLimits,
    nested: str | None = None,
) -> Iterator[RawBatch]:
    """Batches of `columns` in plain types, but of those that are `optional` and absent.

    A dotted path reaches into structs and maps. The column `nested` comes as it is.

    Raises:
        SchemaMismatchError: a column is missing, or has a type that cannot be read.
        DataError: the file is damaged, or unpacks to more than is credible.
    """
    first = 1
    try:
        most = limits.unpacked_bytes(path.stat().st_size)
        with pq.ParquetFile(path) as parquet:
            metadata, leaves = parquet.metadata, _leaves(parquet)
            tops = _top_columns(columns, optional, parquet.schema_arrow, file)
        wanted = [leaf for leaf in leaves if leaf.top in tops.values()]
        unpacked, rows = _claimed_bytes(metadata, len(wanted)), int(metadata.num_rows)
        if unpacked > most:
            raise _too_large(file, unpacked, limits)
        # Texts that take so little are few: kept once each, so that their size is known beforehand.
        few = unpacked <= rows * len(wanted) * _VALUE_BYTES
        repeated = [leaf.path for leaf in wanted if few and leaf.is_text and leaf.top != nested]
        uuids = {leaf.path for leaf in wanted if leaf.is_uuid}
        width = unpacked // max(1, rows)
        batch_rows = max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, width)))
        with pq.ParquetFile(
            path, read_dictionary=repeated, metadata=metadata, coerce_int96_timestamp_unit="us"
        ) as parquet:
            unpacked = 0
            for batch in parquet.iter_batches(batch_rows, columns=list(dict.fromkeys(tops.values()))):
                unpacked += sum(_dictionary_bytes(column) for column in batch.columns)
                if unpacked > most:
                    raise _too_large(file, unpacked, limits)
                found = {
                    name: _plain(file, name, _nested(batch.column(top), name, top), name in uuids)
                    if name != nested
                    else PlainColumn(_nested(batch.column(top), name, top))
                    for name, top in tops.items()
                }
                yield _batch(found, file, first, len(batch))
                first += len(batch)
    except (pa.ArrowException, OSError, UnicodeDecodeError, LookupError) as error:
        where = f", from row {first}" if first > 1 else ""
        raise DataError(f"{file}{where} is not a readable Parquet file: {error}. Copy it again.") from error


def parquet_columns(path: Path, file: str) -> list[str]:
    """The names of the columns of a file.

    Raises:
        DataError: the file is damaged.
    """
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} is not a readable Parquet file: {error}. Copy it again.") from error


def _plain(file: str, name: str, column: Column, is_uuid: bool) -> PlainColumn:
    try:
        return plain_column(name, column, is_uuid)
    except SchemaMismatchError as error:
        raise SchemaMismatchError(f"{file}: {error}") from error


def _batch(found: dict[str, PlainColumn], file: str, first: int, count: int) -> RawBatch:
    """The rows whose cells could all be read, and the others."""
    rows = np.arange(first, first + count)
    table = pa.table({name: column.values for name, column in found.items()})
    bad = {row: (name, text) for name, column in found.items() for row, text in column.bad.items()}
    if not bad:
        return RawBatch(table, ((file, 0),), rows)
    kept = np.ones(count, bool)
    kept[list(bad)] = False
    malformed = [
        Malformed(file, first + row, f"{name} = {text}", f"{name} holds bytes that are not UTF-8 text")
        for row, (name, text) in sorted(bad.items())
    ]
    return RawBatch(table.filter(pa.array(kept)), ((file, 0),), rows[kept], tuple(malformed))


def _top_columns(
    columns: Sequence[str], optional: Collection[str], schema: pa.Schema, file: str
) -> dict[str, str]:
    found = {}
    for name in columns:
        try:
            found[name] = _top_column(name, schema, file)
        except SchemaMismatchError:
            if name not in optional:
                raise
    return found


def _top_column(name: str, schema: pa.Schema, file: str) -> str:
    """The column of the file that `name` is or reaches into.

    Raises:
        SchemaMismatchError: there is none, or it has no such field.
    """
    top, *path = [name] if name in schema.names else name.split(".")
    if schema.names.count(top) > 1:
        raise SchemaMismatchError(f"{file} has two columns {top!r}. Rename one of them.")
    if name in schema.names:
        return name
    if top not in schema.names or not path:
        raise missing_column(file, name, schema.names)
    kind, walked = schema.field(top).type, top
    for key in path:
        if pa.types.is_map(kind):
            kind, walked = kind.item_type, f"{walked}.{key}"
            continue
        if not pa.types.is_struct(kind):
            raise SchemaMismatchError(
                f"{file}: column {walked!r} has the type {kind}, so it has no field {key!r}. "
                f"Name {walked!r} itself, or a column with objects."
            )
        names = [kind.field(place).name for place in range(kind.num_fields)]
        if key not in names:
            hint = did_you_mean(key, names, f"{walked}.")
            raise SchemaMismatchError(
                f"{file}: column {walked!r} has no field {key!r}.{hint} It has: {', '.join(names[:30])}. "
                "Name another field in the mapping."
            )
        kind, walked = kind.field(key).type, f"{walked}.{key}"
    return top


def _nested(column: Column, name: str, top: str) -> Column:
    for key in [] if name == top else name.split(".")[1:]:
        if pa.types.is_map(column.type):
            column = pc.map_lookup(column, pa.scalar(key, column.type.key_type), "last")
        else:
            column = pc.struct_field(column, [key])
    return column


@dataclass(frozen=True)
class _Leaf:
    """A column as Parquet stores it, below a column of the table."""

    path: str
    top: str
    is_text: bool
    is_uuid: bool


def _leaves(parquet: pq.ParquetFile) -> list[_Leaf]:
    found = []
    for place in range(len(parquet.schema)):
        column = parquet.schema.column(place)
        tops = [name for name in parquet.schema_arrow.names if f"{column.path}.".startswith(f"{name}.")]
        top = tops[0] if tops else column.path
        is_text = column.physical_type == "BYTE_ARRAY"
        found.append(_Leaf(column.path, top, is_text, column.logical_type.type == "UUID"))
    return found


def _claimed_bytes(metadata: Any, columns: int) -> int:
    """What a file unpacks to by its footer: what the row groups say, and something for each value.

    Only the sizes of row groups are asked for: Arrow ends the process where those of a column are damaged.
    """
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    return sum(max(group.total_byte_size, group.num_rows * columns * _VALUE_BYTES) for group in groups)


def _too_large(file: str, unpacked: int, limits: ReadLimits) -> DataError:
    return DataError(
        f"{file} unpacks to {unpacked >> 20} MiB or more, over {limits.unpacked_ratio} times its size. "
        "If that is right, raise most_unpacked_ratio in the [import] settings."
    )


def _dictionary_bytes(column: Column) -> int:
    """How much the texts of a column take that are kept once so far."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(column.dictionary).take(column.indices)
        return int(pc.sum(lengths).as_py() or 0)
    if pa.types.is_struct(kind):
        return sum(map(_dictionary_bytes, column.flatten()))
    if is_list_type(kind):
        return _dictionary_bytes(pc.list_flatten(column))
    return 0
