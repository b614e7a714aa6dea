"""What every reader yields: raw rows of a file with their row numbers, and the rows that were no rows."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recsys.errors import SchemaMismatchError


@dataclass(frozen=True)
class Malformed:
    """A row that does not split into the columns of its file."""

    row: int
    text: str
    detail: str


@dataclass(frozen=True)
class RawBatch:
    """N raw rows of one file.

    Attributes:
        file: its path below the source folder.
        table: the wanted columns, texts or whatever type the file has.
        rows: (N,) int64 row numbers as a spreadsheet or an editor counts them, from 1, header included.
        malformed: rows that are not in `table`.
    """

    file: str
    table: pa.Table
    rows: npt.NDArray[np.int64]
    malformed: tuple[Malformed, ...] = field(default=())

    @property
    def seen(self) -> int:
        """How many rows of the file this batch accounts for."""
        return len(self.table) + len(self.malformed)


def missing_column(file: str, name: str, present: Iterable[str]) -> SchemaMismatchError:
    """The error for a column that the mapping names and the file lacks."""
    names = list(present)
    close = difflib.get_close_matches(name, names, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    shown = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
    return SchemaMismatchError(
        f"{file} has no column {name!r}.{hint} It has: {shown}. "
        "Name another column in the mapping, or check `delimiter`, `header` and `names`."
    )
