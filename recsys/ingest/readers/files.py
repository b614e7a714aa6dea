"""Finding a shop's files and reading them batch by batch, whatever their format."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.arrays import Column
from recsys.errors import DataError
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import RawBatch, missing_column
from recsys.ingest.raw.cells import LIST_MARK, as_text
from recsys.ingest.readers.delimited import read_delimited
from recsys.ingest.readers.json_lines import read_json_lines
from recsys.ingest.readers.limits import DEFAULT_LIMITS, ReadLimits

BATCH_ROWS = 1 << 18
_FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}


def find_files(source: Source, folder: Path) -> list[Path]:
    """The files of `source` below `folder`, in the mapping's order, those of one glob by name.

    Raises:
        DataError: a name or glob fits no file; the message lists what the folder has.
    """
    found: dict[Path, None] = {}
    for pattern in source.files:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise DataError(f"file {pattern!r} leaves the source folder. Name files below {folder}.")
        matches = sorted(folder.glob(pattern)) or sorted(folder.glob(f"{pattern}.gz"))
        if not matches:
            there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
            shown = ", ".join(there[:20]) or ("nothing" if folder.is_dir() else "no such folder")
            raise DataError(
                f"{folder} has no file {pattern!r} (there is: {shown}). "
                "Pass the right folder as --source, or change `files` in the mapping."
            )
        found.update(dict.fromkeys(path for path in matches if path.is_file()))
    return list(found)


def read_batches(
    source: Source, folder: Path, columns: Sequence[str], limits: ReadLimits = DEFAULT_LIMITS
) -> Iterator[RawBatch]:
    """All rows of all files of `source`, only `columns`, in the order of the files.

    Raises:
        SchemaMismatchError: a file lacks a column; the message names the nearest.
        DataError: a file is missing or damaged; the message names it and the row.
    """
    wanted = list(dict.fromkeys(columns))
    for path in find_files(source, folder):
        file = path.relative_to(folder).as_posix()
        for batch in _read(path, file, source, wanted):
            yield _with_lists(batch, source)


def _read(path: Path, file: str, source: Source, columns: Sequence[str]) -> Iterator[RawBatch]:
    kind = source.format or _FORMATS.get(Path(path.name.removesuffix(".gz")).suffix, "csv")
    if kind == "parquet":
        return _read_parquet(path, file, columns)
    if kind == "jsonl":
        return read_json_lines(path, file, columns)
    return read_delimited(path, file, source, columns)


def _read_parquet(path: Path, file: str, columns: Sequence[str]) -> Iterator[RawBatch]:
    first = 1
    try:
        with pq.ParquetFile(path) as parquet:
            names = parquet.schema_arrow.names
            tops = {name: name if name in names else name.split(".")[0] for name in columns}
            for name, top in tops.items():
                if top not in names:
                    raise missing_column(file, name, names)
            for batch in parquet.iter_batches(BATCH_ROWS, columns=list(dict.fromkeys(tops.values()))):
                table = pa.table({name: _nested(batch, name, top) for name, top in tops.items()})
                yield RawBatch(table, ((file, 0),), np.arange(first, first + len(table)))
                first += len(table)
    except (pa.ArrowException, OSError) as error:
        where = f", from row {first}" if first > 1 else ""
        raise DataError(f"{file}{where} is not a readable Parquet file: {error}. Copy it again.") from error


def _nested(batch: pa.RecordBatch, name: str, top: str) -> Column:
    column = batch.column(top)
    return column if name == top else pc.struct_field(column, name.split(".")[1:])


def _with_lists(batch: RawBatch, source: Source) -> RawBatch:
    table = batch.table
    for name, separator in source.lists.items():
        if name in table.column_names:
            marked = pc.replace_substring(as_text(table[name]), separator, LIST_MARK)
            table = table.set_column(table.column_names.index(name), name, marked)
    return RawBatch(table, batch.files, batch.rows, batch.malformed)
