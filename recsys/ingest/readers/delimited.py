"""Delimited text (CSV, TSV, `::`) in batches: every cell a text, bad rows set aside with their numbers."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from recsys.errors import DataError, SchemaMismatchError
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import Malformed, RawBatch, missing_column
from recsys.ingest.readers.contents import unpacked_name
from recsys.ingest.readers.limits import ReadLimits
from recsys.ingest.readers.quoted_rows import CELL_LINES, Dialect, RowLines, row_lines, scan_row
from recsys.ingest.readers.text_stream import LineBlock, line_block, line_blocks, undecodable

_STAND_IN = "\x1f"  # for a delimiter longer than one character
_NO_TEXT = "\uffff"  # for bytes that are not UTF-8: no text has it
_TAB_SUFFIXES = (".tsv", ".tab")
_EXCEL_DELIMITER = re.compile(rb'^"?sep=(.)"?\s*$', re.IGNORECASE)


def read_delimited(
    path: Path, file: str, source: Source, columns: Sequence[str], limits: ReadLimits
) -> Iterator[RawBatch]:
    """Batches of `columns` as texts, but of those that are optional and absent.

    Raises:
        SchemaMismatchError: a column is missing.
        DataError: the file is damaged or has another encoding, or a quote swallows rows.
    """
    blocks = line_blocks(path, file, source.encoding, limits)
    table = _opened_table(blocks, file, source, limits)
    if table is None:
        return
    for name in columns:
        if table.names.count(name) > 1:
            raise SchemaMismatchError(f"{file} has two columns {name!r}. Rename one in its first line.")
        if name not in table.names and name not in source.optional:
            raise _missing(file, name, table)
    present = [name for name in columns if name in table.names]
    for block in table.blocks:
        yield table.batch(block, present)


def delimited_columns(path: Path, file: str, source: Source, limits: ReadLimits) -> list[str]:
    """The names of the columns of a file, none if it has no line; raises as `read_delimited`."""
    table = _opened_table(line_blocks(path, file, source.encoding, limits), file, source, limits)
    return [] if table is None else [name for name in table.names if name]


@dataclass(frozen=True)
class _Table:
    """A file whose header is read: its columns, and the blocks of lines that follow."""

    file: str
    source: Source
    names: list[str]
    dialect: Dialect
    blocks: Iterator[tuple[LineBlock, RowLines]]

    def batch(self, found: tuple[LineBlock, RowLines], columns: Sequence[str]) -> RawBatch:
        """The rows of a block."""
        block, rows = found
        malformed = [
            Malformed(
                self.file, block.first + line, block.text(line), "a quote opens here and does not close"
            )
            for line in rows.aside
        ]
        content = _content(block, rows)
        table, bad = self._parsed(content, columns, block)
        edits = {number: text for number, row in bad.items() if (text := self._mended(row)) is not None}
        if edits:
            table, bad = self._parsed(_edited(block, rows, edits), columns, block)
        if len(table) + len(bad) != len(rows.first):
            raise DataError(
                f"{self.file}, from row {block.first}: {len(rows.first)} rows, but {len(table) + len(bad)} "
                "were read. This is a fault of the import: please report it."
            )
        kept = np.ones(len(rows.first), bool)
        kept[list(bad)] = False
        for number, row in bad.items():
            detail = f"{row.actual_columns} columns instead of {row.expected_columns}"
            first, end = int(rows.first[number]), int(rows.end[number])
            malformed.append(Malformed(self.file, block.first + first, block.text(first, end), detail))
        malformed = [
            Malformed(bad.file, bad.row, self._shown(bad.text), bad.detail)
            for bad in sorted(malformed, key=lambda each: each.row)
        ]
        return RawBatch(table, ((self.file, 0),), block.first + rows.first[kept], tuple(malformed))

    def _parsed(
        self, content: bytes, columns: Sequence[str], block: LineBlock
    ) -> tuple[pa.Table, dict[int, Any]]:
        """The rows of `content` that have the right number of columns, and the others by their place."""
        bad: dict[int, Any] = {}

        def skip(row: Any) -> Literal["skip"]:
            bad[row.number - 1] = row
            return "skip"

        content = _with_bytes_marked(content)
        if not content:
            return pa.table({name: pa.nulls(0, pa.string()) for name in columns}), bad
        try:
            table = pacsv.read_csv(
                pa.BufferReader(content),
                # One thread: only then does Arrow tell the number of a row that it skips.
                pacsv.ReadOptions(
                    use_threads=False,
                    block_size=len(content) + 1,
                    column_names=[
                        name if name in columns else f"{_STAND_IN}{place}"
                        for place, name in enumerate(self.names)
                    ],
                ),
                pacsv.ParseOptions(
                    delimiter=self.dialect.delimiter,
                    quote_char=self.dialect.quote or False,
                    newlines_in_values=self.dialect.quote is not None,
                    invalid_row_handler=skip,
                ),
                pacsv.ConvertOptions(
                    include_columns=list(columns),
                    column_types=dict.fromkeys(columns, pa.string()),
                    null_values=list(self.source.nulls),
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{self.file}, from row {block.first}: {error}. Check `delimiter` and `quote` in the mapping."
            ) from error
        for column in table.columns:
            if pc.any(pc.match_substring(column, _NO_TEXT)).as_py():
                raise _first_undecodable(self.file, block)
        return table, bad

    def _mended(self, row: Any) -> bytes | None:
        """A row with the empty cells at its end that its header has, or without those that it lacks."""
        surplus: int = row.actual_columns - row.expected_columns
        text = str(row.text).rstrip("\r\n")
        if surplus > 0:
            quotes = f"(?:{re.escape(self.dialect.quote * 2)})?" if self.dialect.quote else ""
            empty = rf"(?:{re.escape(self.dialect.delimiter)} *{quotes} *){{{surplus}}}$"
            found = re.search(empty, text)
            return text[: found.start()].encode() if found else None
        if surplus < 0 and not any(self.names[surplus:]):
            return (text + self.dialect.delimiter * -surplus).encode()
        return None

    def _shown(self, text: str) -> str:
        return text.replace(_STAND_IN, self.source.delimiter or _STAND_IN)


def _opened_table(
    blocks: Iterator[LineBlock], file: str, source: Source, limits: ReadLimits
) -> _Table | None:
    """The header of a file and its rows; None if it has no line."""
    delimiter, quote = delimiter_of(file, source), quote_of(file, source)
    shown = _narrow(delimiter)
    blocks = _translated(blocks, delimiter, shown)
    block, line = next(blocks, None), 0
    while block is not None and (line := _first_line(block, shown)) == len(block.ends):
        block = next(blocks, None)
    if block is None:
        return None
    told = _EXCEL_DELIMITER.match(block.text(line).encode())
    if told:
        shown = shown if source.delimiter else told.group(1).decode("latin-1")
        block = _from_line(block, line + 1)
        line = _first_line(block, shown)
    names = list(source.names)
    if source.header:
        block = _from_line(block, line)  # without header, rows of empty cells are rows
        while (row := scan_row(block.data, 0, len(block.data), Dialect(shown, quote, 0))).end < 0:
            following = None if len(block.ends) > CELL_LINES else next(blocks, None)
            if following is None:
                raise DataError(
                    f"{file}, row {block.first}: a quote opens in the line of column names and does not "
                    'close. Close it, or set quote = "" in the mapping if quotes mean nothing in this file.'
                )
            block = line_block(block.data + following.data, block.first, following.last)
        names = _names(block.data[: row.end].decode("utf-8", "replace"), shown, quote)
        block = _from_line(block, int(np.searchsorted(block.ends, row.end)) + 1)
    dialect = Dialect(shown, quote, len(names), source.cell_lines)
    return _Table(file, source, names, dialect, _rows(block, blocks, dialect, file, limits))


def delimiter_of(file: str, source: Source) -> str:
    """What separates the cells of `file`."""
    return source.delimiter or ("\t" if unpacked_name(file).endswith(_TAB_SUFFIXES) else ",")


def quote_of(file: str, source: Source) -> str | None:
    """What encloses cells of `file`: by default nothing in tab-separated files, which databases dump."""
    if source.quote is None:
        return None if unpacked_name(file).endswith(_TAB_SUFFIXES) else '"'
    return source.quote or None


def _narrow(delimiter: str) -> str:
    return delimiter if len(delimiter) == 1 and delimiter.isascii() else _STAND_IN


def _translated(blocks: Iterator[LineBlock], delimiter: str, shown: str) -> Iterator[LineBlock]:
    """`blocks` with a long delimiter replaced by one character that no text has."""
    for block in blocks:
        if delimiter == shown:
            yield block
        else:
            yield line_block(block.data.replace(delimiter.encode(), shown.encode()), block.first, block.last)


def _first_line(block: LineBlock, delimiter: str) -> int:
    """The first line of `block` that says anything: spreadsheets begin with empty rows."""
    for line in range(len(block.ends)):
        if block.text(line).strip().strip(delimiter).strip():
            return line
    return len(block.ends)


def _from_line(block: LineBlock, line: int) -> LineBlock:
    start = int(block.ends[line - 1]) if line else 0
    return LineBlock(block.data[start:], block.ends[line:] - start, block.first + line, block.last)


def _names(text: str, delimiter: str, quote: str | None) -> list[str]:
    if quote is None:
        return [name.strip() for name in text.rstrip("\r\n").split(delimiter)]
    cells = csv.reader([text.rstrip("\r\n")], delimiter=delimiter, quotechar=quote)
    return [name.strip() for name in next(cells, [])]


def _rows(
    block: LineBlock, blocks: Iterator[LineBlock], dialect: Dialect, file: str, limits: ReadLimits
) -> Iterator[tuple[LineBlock, RowLines]]:
    """Blocks of whole rows; what begins a row goes to the next block."""
    while True:
        if block.data:
            rows = row_lines(block, dialect, file, limits)
            yield block, rows
            rest = _from_line(block, rows.used)
        else:
            rest = block
        following = next(blocks, None)
        if following is None:
            return
        block = following
        if rest.data:
            block = line_block(rest.data + following.data, rest.first, following.last)


def _content(block: LineBlock, rows: RowLines) -> bytes:
    """The text of the rows of `block`."""
    if not rows.aside and rows.used == len(block.ends):
        return block.data
    starts = block.starts
    pieces = []
    line = 0
    for aside in (*rows.aside, rows.used):
        if aside > line:
            pieces.append(block.data[int(starts[line]) : int(block.ends[aside - 1])])
        line = aside + 1
    return b"".join(pieces)


def _edited(block: LineBlock, rows: RowLines, edits: dict[int, bytes]) -> bytes:
    """The text of the rows of `block`, some of them replaced."""
    starts = block.starts[rows.first].tolist()
    ends = block.ends[rows.end - 1].tolist()
    return b"".join(
        edits[number] + b"\n" if number in edits else block.data[start:end]
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    )


def _missing(file: str, name: str, table: _Table) -> SchemaMismatchError:
    if table.dialect.quote is None and f'"{name}"' in table.names and table.source.quote is None:
        return SchemaMismatchError(
            f"{file} has its column names in quotes, which mean nothing in tab-separated files unless the "
            "mapping says so. Set quote = '\"' in the mapping."
        )
    if len(table.names) == 1 and table.source.delimiter is None:
        for other in ";\t|,":
            if name in [part.strip() for part in table.names[0].split(other)]:
                return SchemaMismatchError(
                    f"{file} has its columns between {other!r}, not {table.dialect.delimiter!r}. "
                    f"Set delimiter = {other!r} in the mapping."
                )
    return missing_column(file, name, table.names, more=", or check `delimiter`, `header` and `names`")


def _with_bytes_marked(content: bytes) -> bytes:
    """`content` in UTF-8: what is none is marked, for in a column that nobody reads it does no harm."""
    try:
        content.decode()
    except UnicodeDecodeError:
        text = content.decode("utf-8", "surrogateescape")
        return re.sub("[\udc80-\udcff]+", _NO_TEXT, text).encode()
    return content


def _first_undecodable(file: str, block: LineBlock) -> DataError:
    starts = block.starts
    for line, end in enumerate(block.ends.tolist()):
        try:
            block.data[int(starts[line]) : end].decode()
        except UnicodeDecodeError as error:
            return undecodable(file, block.first + line, error, "utf-8")
    return DataError(f"{file}, from row {block.first}: the character U+FFFF is not a text. Remove it.")
