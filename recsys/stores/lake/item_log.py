"""Versions of items and users that came by the stream, as Parquet beside the event lake.

A file holds what one batch of the stream changed, and its name is the number that the batch got:
`<version>.parquet`, or `<first>-<last>.parquet` for the batches that compaction has merged. One process
appends at a time (the worker that owns the catalog's partition); readers may come at any time: a file
appears whole or not at all, and one whose versions another file covers counts no more.
"""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys import atomic, columns
from recsys.dataset.catalog_rows import without_ids_as_text
from recsys.dataset.row_versions import last_of, sorted_versions
from recsys.dataset.schemas import ITEM_SCHEMA, USER_SCHEMA, conform_table
from recsys.errors import DataError, SchemaMismatchError, StoreUnavailableError
from recsys.home import HomePaths

VERSION = "version"  # grows from batch to batch, never used twice
COMPACT_FROM = 64  # files, so that a year of single changes does not become a million of them
_ATTEMPTS = 100


class VersionLog:
    """An append-only table of versions; nothing is created before the first append."""

    def __init__(self, root: Path, schema: pa.Schema) -> None:
        """Args:
        schema: of a row; its first column is the key, `at` the instant from which the row is so.
        """
        self.root = root
        self._key = schema.names[0]
        self._schema = schema.append(pa.field(VERSION, pa.int64(), nullable=False))

    def append(self, rows: pa.Table, version: int) -> None:
        """Adds the rows of one batch; returns when they are on the disk.

        Args:
            version: greater than every earlier one.

        Raises:
            StoreUnavailableError: the disk refused; nothing was added.
        """
        self._compact()
        numbered = rows.append_column(VERSION, pa.array(np.full(len(rows), version, np.int64)))
        self._write(numbered, _Span(version, version))

    def read(self, after: int = 0) -> pa.Table:
        """All versions above `after` in the order of their arrival, with a column VERSION.

        Raises:
            DataError: a file is damaged; the message names it.
        """
        for _ in range(_ATTEMPTS):
            with ExitStack() as stack:
                try:
                    files = [
                        (self._path(span), stack.enter_context(_open(self._path(span))))
                        for span in self._spans()
                        if span.last > after
                    ]
                except FileNotFoundError:
                    continue  # compacted away between the listing and the opening
                tables = [self._rows(file, path) for path, file in files]
            table = pa.concat_tables([self._schema.empty_table(), *tables])
            return table.filter(pc.greater(table[VERSION], after)) if after else table
        raise StoreUnavailableError(
            "disk", f"read {self.root}", 0.0, f"The folder changed during each of {_ATTEMPTS} attempts."
        )

    def last_version(self) -> int:
        """The newest version, 0 = none."""
        return max((span.last for span in self._spans()), default=0)

    def over(self, imported: pa.Table) -> pa.Table:
        """`imported` and all versions by key and instant, each (key, at) once: what came last counts."""
        table = pa.concat_tables([imported, self.read().drop_columns([VERSION])])
        return last_of(sorted_versions(table, self._key), [self._key, columns.AT])

    def newest(self, imported: pa.Table, earlier: pa.Table | None = None) -> pa.Table:
        """The newest row of each key of `imported` or of the log, sorted by key.

        Args:
            earlier: further versions, which may be newer than the log's; they add no keys.
        """
        if not self.last_version():
            return imported
        table = self.over(imported if earlier is None else pa.concat_tables([earlier, imported]))
        if earlier is not None:
            known = pa.chunked_array([*imported[self._key].chunks, *self.read()[self._key].chunks])
            table = table.filter(pc.is_in(table[self._key], value_set=known.combine_chunks()))
        return last_of(table, [self._key])

    def _path(self, span: "_Span") -> Path:
        first, last = span
        return self.root / (f"{last:020d}.parquet" if first == last else f"{first:020d}-{last:020d}.parquet")

    def _spans(self) -> list["_Span"]:
        """What the files that count cover, oldest first."""
        try:
            names = [entry.name for entry in os.scandir(self.root) if entry.name.endswith(".parquet")]
        except FileNotFoundError:
            return []
        spans = sorted((_span(self.root / name) for name in names), key=lambda span: (span.first, -span.last))
        counting: list[_Span] = []
        for span in spans:
            if not counting or span.last > counting[-1].last:
                counting.append(span)
        return counting

    def _compact(self) -> None:
        """Merges single batches when there are many, and merged ones when there are many of those.

        A crash before the old files are deleted leaves some that no longer count.
        """
        spans = self._spans()
        single = [span for span in spans if span.first == span.last]  # always the newest
        if len(single) < COMPACT_FROM:
            return
        merged = spans if len(spans) - len(single) >= COMPACT_FROM else single
        self._write(self.read(after=merged[0].first - 1), _Span(merged[0].first, merged[-1].last))
        for span in merged:
            self._path(span).unlink(missing_ok=True)

    def _write(self, table: pa.Table, span: "_Span") -> None:
        path = self._path(span)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            sink = pa.BufferOutputStream()
            pq.write_table(table.select(self._schema.names).cast(self._schema), sink, compression="zstd")
            atomic.write_bytes(path, sink.getvalue())
        except OSError as error:
            raise StoreUnavailableError(
                "disk", f"write {path} ({error.strerror or error})", 0.0, "Free some disk space."
            ) from error

    def _rows(self, file: pq.ParquetFile, path: Path) -> pa.Table:
        try:
            rows = without_ids_as_text(file.read(use_threads=False))
            return conform_table(rows, self._schema, "versions")
        except SchemaMismatchError as error:
            raise SchemaMismatchError(f"{path}: {error}") from error
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from error


def item_log(paths: HomePaths) -> VersionLog:
    """The versions of this home's items."""
    return VersionLog(paths.item_log, ITEM_SCHEMA)


def user_log(paths: HomePaths) -> VersionLog:
    """The versions of this home's users."""
    return VersionLog(paths.user_log, USER_SCHEMA)


class _Span(NamedTuple):
    """The versions that a file covers, both ends included."""

    first: int
    last: int


def _span(path: Path) -> _Span:
    first, _, last = path.stem.partition("-")
    try:
        return _Span(int(first), int(last or first))
    except ValueError as error:
        raise DataError(f"{path} is not a file of this log. Move it out of {path.parent}.") from error


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is not a readable Parquet file: {error}. Move it away; its changes are lost.")
