"""Finding a shop's files and reading them batch by batch, whatever their format."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import Column
from recsys.errors import DataError
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import RawBatch
from recsys.ingest.raw.cells import LIST_MARK, as_text
from recsys.ingest.readers.contents import (
    PACKED_SUFFIXES,
    byte_order_mark,
    is_parquet,
    reject_foreign_file,
    unpacked_name,
)
from recsys.ingest.readers.delimited import delimited_columns, read_delimited
from recsys.ingest.readers.json_documents import begins_with_array, read_json_document
from recsys.ingest.readers.json_lines import JsonFields, read_json_lines
from recsys.ingest.readers.limits import DEFAULT_LIMITS, ReadLimits
from recsys.ingest.readers.parquet import parquet_columns, read_parquet
from recsys.ingest.readers.source_settings import reject_unused_settings
from recsys.ingest.readers.text_stream import first_bytes, reject_large_contents

_FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"


def find_files(source: Source, folder: Path) -> list[Path]:
    """The files of `source` below `folder`, in the mapping's order, those of one glob or folder by name.

    Of a folder, as Spark writes tables, it is all files but those whose name begins with `_` or `.`.

    Raises:
        DataError: a name or glob fits no file; the message lists what the folder has.
    """
    found: dict[Path, None] = {}
    for pattern in source.files:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise DataError(f"file {pattern!r} leaves the source folder. Name files below {folder}.")
        matches = _matches(folder, pattern)
        matches = matches or sorted(
            path for end in PACKED_SUFFIXES for path in _matches(folder, pattern + end)
        )
        if not matches:
            there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
            shown = ", ".join(there[:20]) or ("nothing" if folder.is_dir() else "no such folder")
            raise DataError(
                f"{folder} has no file {pattern!r} (there is: {shown}). "
                "Pass the right folder as --source, or change `files` in the mapping."
            )
        files = [file for path in matches for file in ([path] if path.is_file() else _files_below(path))]
        if not files:
            raise DataError(f"{matches[0]} is a folder without files. Change `files` in the mapping.")
        found.update(dict.fromkeys(files))
    return list(found)


def _matches(folder: Path, pattern: str) -> list[Path]:
    """What fits a glob below `folder`, else the file of this very name: `orders[1].csv` is one."""
    try:
        return sorted(folder.glob(pattern)) or [path for path in (folder / pattern,) if path.is_file()]
    except (ValueError, IndexError) as error:
        raise DataError(
            f"file {pattern!r} is not a name or a glob. Write for example 'orders.csv', "
            "'orders-*.csv' or '**/*.csv' as `files` in the mapping."
        ) from error


def _files_below(folder: Path) -> list[Path]:
    if (folder / "_delta_log").exists() or any(folder.glob("metadata/*.metadata.json")):
        # Such a table keeps files that its log has taken out again.
        raise DataError(
            f"{folder.name} is a Delta or Iceberg table, which only its log can read. Write its rows as "
            "Parquet and name that folder."
        )

    def hidden(path: Path) -> bool:
        return any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)

    return sorted(path for path in folder.rglob("*") if path.is_file() and not hidden(path))


def read_batches(
    source: Source,
    folder: Path,
    columns: Sequence[str],
    limits: ReadLimits = DEFAULT_LIMITS,
    nested: str | None = None,
) -> Iterator[RawBatch]:
    """All rows of all files of `source`, only `columns`, in the order of the files.

    Args:
        nested: the one of `columns` whose cells may be lists of objects: as the file has them, or JSON texts.

    Raises:
        SchemaMismatchError: a file lacks a column, or no JSON object of all files has it; the message
            names the nearest.
        ConfigError: a setting of `source` means nothing for the formats of its files.
        DataError: a file is missing, damaged or too large; the message names it and the row.
    """
    wanted = list(dict.fromkeys(columns))
    paths = find_files(source, folder)
    formats = {path: _format(path, path.relative_to(folder).as_posix(), source, limits) for path in paths}
    reject_unused_settings(source, set(formats.values()), wanted)
    fields = JsonFields([name for name in wanted if name not in source.optional])
    for path, form in formats.items():
        file = path.relative_to(folder).as_posix()
        partition = {name: value for name, value in _partition(file).items() if name in wanted}
        fields.found.update(partition)
        own = [name for name in wanted if name not in partition]
        empty = True
        for batch in _read(path, file, form, source, own, fields, limits, nested):
            table = _completed(batch.table, partition, wanted)
            table = table if form == "csv" else without_nulls(table, source.nulls)
            yield replace(batch, table=with_lists(table, source.lists))
            empty = False
        if empty:  # counted with the others
            nothing = pa.table({name: pa.nulls(0, pa.string()) for name in wanted})
            yield RawBatch(nothing, ((file, 0),), np.zeros(0, np.int64))
    if set(formats.values()) == {"jsonl"}:
        fields.reject_absent_fields(", ".join(source.files))


def file_columns(source: Source, folder: Path, limits: ReadLimits = DEFAULT_LIMITS) -> list[str]:
    """The columns that the first file of `source` has; of JSON, the fields of its first objects.

    Raises:
        DataError: the file is missing or damaged.
    """
    path = find_files(source, folder)[0]
    file = path.relative_to(folder).as_posix()
    form = _format(path, file, source, limits)
    if form == "parquet":
        return parquet_columns(path, file)
    if form == "csv":
        return delimited_columns(path, file, source, limits)
    fields = JsonFields([])
    next(_read(path, file, form, source, [], fields, limits, None), None)
    return fields.present


def _read(
    path: Path,
    file: str,
    form: str,
    source: Source,
    columns: Sequence[str],
    fields: JsonFields,
    limits: ReadLimits,
    nested: str | None,
) -> Iterator[RawBatch]:
    if form == "parquet":
        return read_parquet(path, file, columns, source.optional, limits, nested)
    if form == "jsonl" and (source.records is not None or begins_with_array(path)):
        return read_json_document(path, file, source, columns, fields, limits, nested)
    if form == "jsonl":
        return read_json_lines(path, file, source.encoding, columns, fields, limits, nested)
    return read_delimited(path, file, source, columns, limits)


def _format(path: Path, file: str, source: Source, limits: ReadLimits) -> str:
    """`csv`, `jsonl` or `parquet`: as the mapping says, else by the contents and the name.

    Raises:
        DataError: the file is of another kind than the mapping or its name says, or of none that is read,
            or it unpacks to too much.
    """
    try:
        reject_large_contents(path, file, limits)
        head, unpacked = first_bytes(path)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    reject_foreign_file(path, file, head, unpacked)
    named = source.format or _FORMATS.get(Path(unpacked_name(file)).suffix, "csv")
    if is_parquet(unpacked):
        if source.format not in (None, "parquet"):
            raise DataError(f"{file} is a Parquet file, but the mapping says format = {source.format!r}.")
        if unpacked is not head:
            raise DataError(f"{file} is a packed Parquet file. Unpack it: Parquet is packed inside.")
        return "parquet"
    if named == "parquet":
        begins = f"begins with {unpacked[:20]!r}" if unpacked else "is empty"
        raise DataError(
            f"{file} is not a readable Parquet file: it {begins}. Copy it again, or say its `format` in the "
            "mapping."
        )
    return "jsonl" if source.format is None and _begins_with_object(unpacked) else named


def _begins_with_object(head: bytes) -> bool:
    """Whether the first line is a JSON object."""
    mark = byte_order_mark(head)
    lines = (head[len(mark[0]) :] if mark else head).lstrip().splitlines()
    try:
        return bool(lines) and lines[0].startswith(b"{") and isinstance(orjson.loads(lines[0]), dict)
    except orjson.JSONDecodeError:
        return False


def _partition(file: str) -> dict[str, str | None]:
    """What the folders of a file say as `day=2024-01-05`, as Spark and Hive write partitions."""
    pairs = (part.split("=", 1) for part in Path(file).parts[:-1] if "=" in part)
    return {unquote(name): None if value == _NO_PARTITION else unquote(value) for name, value in pairs}


def _completed(table: pa.Table, partition: Mapping[str, str | None], columns: Sequence[str]) -> pa.Table:
    """`table` with the `columns` that its file lacks: what its folders say, else nothing."""
    for name in columns:
        if name not in table.column_names:
            value = pa.scalar(partition.get(name), pa.string())
            table = table.append_column(name, pa.repeat(value, len(table)))
    return table.select(columns)


def without_nulls(table: pa.Table, nulls: Sequence[str]) -> pa.Table:
    """`table` without the values that mean nothing; texts that are empty mean nothing anyway."""
    for place, name in enumerate(table.column_names):
        column = table[name]
        values = _values_of(tuple(text for text in nulls if text), column.type)
        if values is not None:
            kept = pc.invert(pc.is_in(column, value_set=values))
            table = table.set_column(place, name, pc.if_else(kept, column, pa.scalar(None, column.type)))
    return table


def _values_of(texts: Sequence[str], kind: pa.DataType) -> Column | None:
    """Those of `texts` that are values of `kind`, None if none is."""
    values = []
    for text in texts if not pa.types.is_list(kind) else ():
        try:
            values.append(pa.scalar(text).cast(kind).as_py())
        except pa.ArrowException:
            continue
    return pa.array(values, kind) if values else None


def with_lists(table: pa.Table, lists: Mapping[str, str]) -> pa.Table:
    """`table` with LIST_MARKs in place of the separators in the columns that `lists` names."""
    for name, separator in lists.items():
        marked = pc.replace_substring(as_text(table[name]), separator, LIST_MARK)
        table = table.set_column(table.column_names.index(name), name, marked)
    return table
