"""Parquet files in batches, their sizes judged by the footer before anything is read."""

import difflib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.arrays import Column
from recsys.errors import DataError, SchemaMismatchError
from recsys.ingest.raw.batch import Malformed, RawBatch, missing_column
from recsys.ingest.readers.limits import ReadLimits
from recsys.ingest.readers.parquet_columns import PlainColumn, UnreadableTypeError, plain_column

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
        with pq.ParquetFile(path) as parquet:
            schema, metadata = parquet.schema_arrow, parquet.metadata
            tops = _top_columns(columns, optional, schema, file)
            leaves = _leaves(parquet, set(tops.values()))
        rows = _credible_batch_rows(metadata, leaves, path.stat().st_size, file, limits)
        repeated = [
            metadata.row_group(0).column(leaf).path_in_schema for leaf in leaves if _repeats(metadata, leaf)
        ]
        uuids = {name for name in tops if _says_uuid(parquet, name)}
        with pq.ParquetFile(path, read_dictionary=repeated, metadata=metadata) as parquet:
            unpacked = 0
            for batch in parquet.iter_batches(rows, columns=list(dict.fromkeys(tops.values()))):
                unpacked += sum(_dictionary_bytes(column) for column in batch.columns)
                if unpacked > limits.unpacked_bytes(path.stat().st_size):
                    raise _too_large(file, unpacked, limits)
                found = {
                    name: _plain(name, _nested(batch.column(top), name, top), name in uuids, nested)
                    for name, top in tops.items()
                }
                yield _batch(found, file, first, len(batch))
                first += len(batch)
    except UnreadableTypeError as error:
        raise SchemaMismatchError(f"{file}: {error}") from error
    except (pa.ArrowException, OSError) as error:
        where = f", from row {first}" if first > 1 else ""
        raise DataError(f"{file}{where} is not a readable Parquet file: {error}. Copy it again.") from error


def _plain(name: str, column: Column, is_uuid: bool, nested: str | None) -> PlainColumn:
    return PlainColumn(column) if name == nested else plain_column(name, column, is_uuid)


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
    if name in schema.names:
        return name
    top, *path = name.split(".")
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
            close = difflib.get_close_matches(key, names, 1)
            hint = f" Did you mean '{walked}.{close[0]}'?" if close else ""
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


def _leaves(parquet: pq.ParquetFile, tops: set[str]) -> list[int]:
    """The leaf columns below `tops`."""
    schema = parquet.schema
    return [
        place
        for place in range(len(schema))
        if any(
            schema.column(place).path == top or schema.column(place).path.startswith(f"{top}.")
            for top in tops
        )
    ]


def _credible_batch_rows(
    metadata: Any, leaves: Sequence[int], size: int, file: str, limits: ReadLimits
) -> int:
    """How many rows to read at a time.

    Raises:
        DataError: the columns unpack to more than a file of `size` bytes may.
    """
    total = 0
    for group in range(metadata.num_row_groups):
        chunks = [metadata.row_group(group).column(leaf) for leaf in leaves]
        total += sum(max(chunk.total_uncompressed_size, chunk.num_values * _VALUE_BYTES) for chunk in chunks)
    if total > limits.unpacked_bytes(size):
        raise _too_large(file, total, limits)
    width = total // max(1, int(metadata.num_rows))
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, width)))


def _too_large(file: str, unpacked: int, limits: ReadLimits) -> DataError:
    return DataError(
        f"{file} unpacks to {unpacked >> 20} MiB or more, over {limits.unpacked_ratio} times its size. "
        "If that is right, raise most_unpacked_ratio in the [import] settings."
    )


def _repeats(metadata: Any, leaf: int) -> bool:
    """Whether a leaf has few distinct texts: kept once each, so that their size is known beforehand."""
    chunks = [metadata.row_group(group).column(leaf) for group in range(metadata.num_row_groups)]
    small = all(chunk.total_uncompressed_size < chunk.num_values * _VALUE_BYTES for chunk in chunks)
    return small and bool(chunks) and chunks[0].physical_type == "BYTE_ARRAY"


def _dictionary_bytes(column: Column) -> int:
    """How much the texts of a column take that are kept once so far."""
    if pa.types.is_list(column.type):
        return _dictionary_bytes(column.flatten())
    if not pa.types.is_dictionary(column.type):
        return 0
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    return int(pc.sum(lengths).as_py() or 0)


def _says_uuid(parquet: pq.ParquetFile, name: str) -> bool:
    schema = parquet.schema
    return any(
        schema.column(place).path == name and schema.column(place).logical_type.type == "UUID"
        for place in range(len(schema))
    )
