"""What every reader yields: raw rows of a file with their row numbers, and the rows that were no rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from recsys.arrays import IntArray
from recsys.errors import SchemaMismatchError, did_you_mean
from recsys.ingest.raw.unified import unified


@dataclass(frozen=True)
class Malformed:
    """A row that cannot be had as columns: it does not split into them, or has no match in a joined file."""

    file: str
    row: int
    text: str
    detail: str
    reason: str = "malformed_row"


@dataclass(frozen=True)
class RawBatch:
    """N raw rows.

    Attributes:
        table: the wanted columns, texts or whatever type the file has.
        files: the files they are from, below the source folder, each with its first row here.
        rows: (N,) int64 row numbers as a spreadsheet or an editor counts them, from 1, header included.
        malformed: rows of the files that are not in `table`.
    """

    table: pa.Table
    files: tuple[tuple[str, int], ...]
    rows: IntArray
    malformed: tuple[Malformed, ...] = field(default=())

    @property
    def seen(self) -> int:
        """How many rows of the files this batch accounts for."""
        return len(self.table) + len(self.malformed)

    def file_names(self, places: IntArray) -> list[str]:
        """The file of each of the rows at `places`."""
        starts = np.array([start for _, start in self.files])
        found = np.searchsorted(starts, places, side="right") - 1
        return [self.files[place][0] for place in found.tolist()]

    def rows_by_file(self) -> list[tuple[str, int]]:
        """How many rows of each file this batch accounts for."""
        starts = [start for _, start in self.files]
        ends = [*starts[1:], len(self.table)][: len(starts)]  # no files, no rows
        pairs = zip(self.files, ends, strict=True)
        found = [(file, end - start) for (file, start), end in pairs]  # of an empty file 0
        return found + [(bad.file, 1) for bad in self.malformed]


def concat_batches(batches: Sequence[RawBatch], columns: Sequence[str]) -> RawBatch:
    """All rows of `batches` in one; a column whose types differ gets one that keeps every value."""
    starts = np.cumsum([0, *(len(batch.table) for batch in batches)]).tolist()
    table = {}
    for name in columns:
        parts = unified([batch.table[name] for batch in batches])
        table[name] = pa.chunked_array(parts) if parts else pa.nulls(0, pa.string())
    return RawBatch(
        pa.table(table),
        tuple((batch.files[0][0], start) for batch, start in zip(batches, starts, strict=False)),
        np.concatenate([np.zeros(0, np.int64), *(batch.rows for batch in batches)]),
        tuple(bad for batch in batches for bad in batch.malformed),
    )


def missing_column(
    file: str, name: str, present: Iterable[str], kind: str = "column", more: str = ""
) -> SchemaMismatchError:
    """The error for a column that the mapping names and the file lacks.

    Args:
        kind: what it is called where it is not a column. more: another remedy, `, or check ...`.
    """
    names = list(present)
    hint = did_you_mean(name, names)
    shown = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
    return SchemaMismatchError(
        f"{file} has no {kind} {name!r}.{hint} It has: {shown}. "
        f"Name another {kind} in the mapping, or list it as `optional`{more}."
    )
