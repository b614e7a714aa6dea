"""The first rows of a shop's file, read before anything is known of it but its name."""

import codecs
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import Column, combined
from recsys.errors import DataError
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.cells import as_text
from recsys.ingest.readers.contents import byte_order_mark, unpacked_name
from recsys.ingest.readers.files import file_columns, read_batches
from recsys.ingest.readers.text_stream import first_bytes

SAMPLED_ROWS = 20_000
_HEAD_BYTES = 1 << 20
_DELIMITERS = (",", ";", "\t", "|")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_VALUE = re.compile(r"[-+]?[\d.,:/ -]+")  # a number or a date: no name of a column


@dataclass(frozen=True)
class Sheet:
    """Files of the same columns, with the texts of their first cells.

    Attributes:
        files: their names below the folder of the shop's files.
        settings: what the mapping has to say so that it is read: `encoding`, `delimiter`.
        table: the sampled rows, every cell a text or null.
        whole: whether these are all rows.
    """

    files: tuple[str, ...]
    settings: Mapping[str, str]
    table: pa.Table
    whole: bool

    @property
    def names(self) -> list[str]:
        """The columns."""
        names: list[str] = self.table.column_names
        return names

    def cells(self, name: str) -> Column:
        """The cells of a column that hold something."""
        return self._filled[name]

    def distinct(self, name: str) -> list[str]:
        """Different cells of a column, in the order of their first appearance."""
        found: list[str] = pc.unique(self.cells(name)).to_pylist()
        return found

    @cached_property
    def _filled(self) -> Mapping[str, Column]:
        return {name: combined(self.table[name]).drop_null() for name in self.names}


def read_sheet(path: Path, folder: Path) -> Sheet:
    """The first rows of the file at `path`, which lies below `folder`.

    Raises:
        DataError: it is not a table of rows, is damaged, or has no line of column names.
    """
    file = path.relative_to(folder).as_posix()
    settings = _text_settings(path)
    source = Source.model_validate({"files": file, **settings})
    names = list(dict.fromkeys(name for name in file_columns(source, folder) if name))
    if names and all(_VALUE.fullmatch(name) for name in names):
        raise DataError(
            f"{file} has no line of column names: it begins with {', '.join(names)[:80]}. Write one above "
            "the rows, or a mapping with `header = false` and `names` (docs/mapping.md)."
        )
    try:
        table, whole = _first_rows(source, folder, names)
    except DataError:  # one column that cannot be read must not hide the others
        table, whole = _readable_columns(source, folder, names)
    return Sheet((file,), settings, table, whole)


def joined_sheets(sheets: Sequence[Sheet]) -> Sheet:
    """Sheets of the same columns and settings as one."""
    first = sheets[0]
    table = pa.concat_tables([sheet.table.select(first.names) for sheet in sheets])
    files = tuple(file for sheet in sheets for file in sheet.files)
    return Sheet(files, first.settings, table, all(sheet.whole for sheet in sheets))


def _first_rows(source: Source, folder: Path, names: list[str]) -> tuple[pa.Table, bool]:
    tables: list[pa.Table] = []
    rows, whole = 0, True
    for batch in read_batches(source, folder, names):
        if rows >= SAMPLED_ROWS:
            whole = False
            break
        tables.append(pa.table({name: as_text(combined(batch.table[name])) for name in names}))
        rows += len(batch.table)
    if not rows:
        raise DataError(f"{source.files[0]} has no rows. Name a file that has some.")
    table = pa.concat_tables(tables)
    return table.slice(0, SAMPLED_ROWS), whole and rows <= SAMPLED_ROWS


def _readable_columns(source: Source, folder: Path, names: list[str]) -> tuple[pa.Table, bool]:
    found: dict[str, Any] = {}
    whole, problem = True, DataError(f"{source.files[0]} has no columns. Name a file that has some.")
    for name in names:
        try:
            table, whole = _first_rows(source, folder, [name])
        except DataError as error:
            problem = error
        else:
            found[name] = table[name]
    if not found:
        raise problem
    return pa.table(found), whole


def _text_settings(path: Path) -> dict[str, str]:
    """What has to be said of a text file so that it is read: nothing where the reader sees it by itself."""
    head, unpacked = first_bytes(path)
    if unpacked is head:
        with path.open("rb") as file:
            unpacked = file.read(_HEAD_BYTES)
    settings = {}
    encoding = "utf-8" if byte_order_mark(unpacked) else _encoding(unpacked)
    if encoding != "utf-8":
        settings["encoding"] = encoding
    name = unpacked_name(path.name)
    if not name.endswith((".json", ".jsonl", ".ndjson", ".parquet", ".pq")):
        delimiter = _delimiter(unpacked.decode(encoding, "replace"))
        if delimiter != ("\t" if name.endswith((".tsv", ".tab")) else ","):
            settings["delimiter"] = delimiter
    return settings


def _encoding(head: bytes) -> str:
    """UTF-8 if it can be; else that of Chinese texts if they are some, else that of Western Windows."""
    if head.startswith(b"PAR1"):
        return "utf-8"
    for name in ("utf-8", "gb18030"):
        with suppress(UnicodeDecodeError):
            text = codecs.getincrementaldecoder(name)().decode(head)
            if name == "utf-8" or _CHINESE.search(text):
                return name
    return "cp1252"


def _delimiter(text: str) -> str:
    """The mark that is as often in the second line as in the first, quoted cells apart; the most frequent."""
    lines = [re.sub(r'"[^"]*"', "", line) for line in text.lstrip("\ufeff").splitlines()[:2]]
    if not lines or lines[0].lstrip().startswith(("{", "[")):
        return ","
    counts = [lines[0].count(mark) for mark in _DELIMITERS]
    agree = [len(lines) < 2 or lines[1].count(mark) == lines[0].count(mark) for mark in _DELIMITERS]
    best = max(range(len(_DELIMITERS)), key=lambda place: (counts[place] > 0 and agree[place], counts[place]))
    return _DELIMITERS[best] if counts[best] else ","
