"""Delimited text (CSV, TSV, `::`) in batches: every cell a text, bad rows set aside with their numbers."""

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from recsys.arrays import IntArray
from recsys.errors import DataError, SchemaMismatchError
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import Malformed, RawBatch, missing_column

BLOCK_BYTES = 16 << 20
_STAND_IN = "\x1f"  # for a delimiter longer than one character


def read_delimited(path: Path, file: str, source: Source, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Batches of `columns` as texts.

    Raises:
        SchemaMismatchError: a column is missing.
        DataError: the file is damaged or has another encoding.
    """
    header = _header(path, file, source)
    columns = [name for name in columns if name in header or name not in source.optional]
    for name in columns:
        if name not in header:
            raise missing_column(file, name, header)
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise SchemaMismatchError(f"{file} has two columns {twice!r}. Rename one in its first line.")
    bad: list[Any] = []
    numbers = _RowNumbers(file, 2 if source.header else 1)
    try:
        with _stream(path, source) as stream:
            for batch in _batches(stream, source, header, columns, bad):
                rows, malformed = numbers.take(len(batch), bad)
                yield RawBatch(pa.Table.from_batches([batch]), ((file, 0),), rows, malformed)
        if bad:
            nothing = pa.table({name: pa.nulls(0, pa.string()) for name in columns})
            yield RawBatch(nothing, ((file, 0),), *numbers.take(0, bad))
    except (pa.ArrowException, OSError, UnicodeDecodeError, EOFError) as error:
        raise _unreadable(path, file, source, numbers.next, error) from error


def _batches(
    stream: Any, source: Source, header: Sequence[str], columns: Sequence[str], bad: list[Any]
) -> Iterator[pa.RecordBatch]:
    def skip(row: Any) -> Literal["skip"]:
        bad.append(row)
        return "skip"

    delimiter = _delimiter(source)
    try:
        yield from pacsv.open_csv(
            stream,
            # One thread: only then does Arrow tell the number of a row that it skips.
            pacsv.ReadOptions(
                use_threads=False,
                block_size=BLOCK_BYTES,
                encoding="utf-8" if len(delimiter) > 1 else source.encoding,
                column_names=list(header),
                skip_rows=1 if source.header else 0,
            ),
            pacsv.ParseOptions(
                delimiter=delimiter if len(delimiter) == 1 else _STAND_IN,
                quote_char=source.quote or False,
                newlines_in_values=bool(source.quote),
                invalid_row_handler=skip,
            ),
            pacsv.ConvertOptions(
                include_columns=list(columns),
                column_types=dict.fromkeys(columns, pa.string()),
                null_values=list(source.nulls),
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error):
            raise


class _RowNumbers:
    """Numbers of good rows, given which numbers were skipped."""

    def __init__(self, file: str, first: int) -> None:
        self.file = file
        self.next = first

    def take(self, count: int, bad: list[Any]) -> tuple[IntArray, tuple[Malformed, ...]]:
        """The numbers of the next `count` good rows, and the bad ones so far, which are taken off `bad`."""
        skipped = np.array([row.number for row in bad], np.int64)
        rows = np.arange(self.next, self.next + count + len(skipped))
        rows = rows[~np.isin(rows, skipped)][:count]
        end = int(rows[-1]) + 1 if count else self.next + len(skipped)
        passed = [row for row in bad if row.number < end or not count]
        bad[:] = [row for row in bad if row not in passed]
        self.next = end
        return rows, tuple(
            Malformed(
                self.file,
                row.number,
                row.text,
                f"{row.actual_columns} columns instead of {row.expected_columns}",
            )
            for row in passed
        )


def _delimiter(source: Source) -> str:
    if source.delimiter:
        return source.delimiter
    return "\t" if any(name.removesuffix(".gz").endswith((".tsv", ".tab")) for name in source.files) else ","


def _open(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _stream(path: Path, source: Source) -> Any:
    if len(_delimiter(source)) > 1:
        return pa.PythonFile(_Translated(_open(path), source), mode="r")
    compression: Any = "gzip" if path.suffix == ".gz" else None
    return pa.input_stream(str(path), compression=compression)


class _Translated(io.RawIOBase):
    """`file` in UTF-8 with the long delimiter replaced by one character that no text has."""

    def __init__(self, file: Any, source: Source) -> None:
        self._text = io.TextIOWrapper(file, source.encoding, newline="")
        self._delimiter = source.delimiter or ","
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size or size < 0:
            lines = self._text.readlines(1 << 20)
            if not lines:
                size = len(self._rest) if size < 0 else size
                break
            self._rest += "".join(lines).replace(self._delimiter, _STAND_IN).encode("utf-8")
        head, self._rest = self._rest[:size], self._rest[size:]
        return head

    def close(self) -> None:
        self._text.close()
        super().close()


def _header(path: Path, file: str, source: Source) -> list[str]:
    if not source.header:
        return list(source.names)
    delimiter = _delimiter(source)
    encoding = "utf-8-sig" if source.encoding.lower().replace("-", "") == "utf8" else source.encoding
    try:
        with io.TextIOWrapper(_open(path), encoding, newline="") as text:
            if len(delimiter) > 1:
                return [name.strip() for name in text.readline().rstrip("\r\n").split(delimiter)]
            if source.quote:
                reader = csv.reader(text, delimiter=delimiter, quotechar=source.quote)
            else:
                reader = csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_NONE)
            return [name.strip() for name in next(reader, [])]
    except (OSError, UnicodeDecodeError, LookupError, csv.Error, EOFError) as error:
        raise _unreadable(path, file, source, 1, error) from error


def _unreadable(path: Path, file: str, source: Source, row: int, error: Exception) -> DataError:
    if isinstance(error, LookupError):
        return DataError(f"{file}: encoding {source.encoding!r} is unknown. Write for example 'latin-1'.")
    text = str(error)
    if isinstance(error, UnicodeDecodeError) or "UTF8" in text or "codec" in text:
        line, value = _first_undecodable(path, source.encoding)
        return DataError(
            f"{file}, row {line}: {value!r} is not {source.encoding}. "
            "Name the file's encoding in the mapping, for example encoding = 'latin-1'."
        )
    if isinstance(error, EOFError) or "Truncated" in text or "gzip" in text or "zlib" in text:
        return DataError(f"{file} is cut off after about row {row}: {error}. Copy or download it again.")
    return DataError(f"{file}, from row {row}: {error}. Check `delimiter` and `quote` in the mapping.")


def _first_undecodable(path: Path, encoding: str) -> tuple[int, bytes]:
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                return number, line[max(0, error.start - 20) : error.end + 20].rstrip()
    return 0, b""
