"""Which rows are rejected and why, and the quarantine that keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from recsys.arrays import BoolArray
from recsys.documents import JsonObject
from recsys.ingest.raw.batch import RawBatch
from recsys.ingest.raw.cells import LIST_MARK
from recsys.ingest.raw.ids import IdCells
from recsys.ingest.raw.time_cells import is_time_type

FILE = "_file"  # columns that ride along with staged events: which file and row they came from
ROW = "_row"
QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("table", pa.string()),  # events, items, users or vectors
        pa.field("file", pa.string()),
        pa.field("row", pa.int64()),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("raw", pa.string()),  # the row as a JSON object
    ]
)


@dataclass(frozen=True)
class _Reason:
    name: str
    column: str | None
    detail: str


class RowRejections:
    """The fate of N rows; the first reason of a row stays."""

    def __init__(self, count: int) -> None:
        self._codes = np.zeros(count, np.int16)
        self._reasons = [_Reason("", None, "")]

    @property
    def kept(self) -> BoolArray:
        """(N,) bool: not rejected so far."""
        return np.asarray(self._codes == 0)

    def reject(self, rows: BoolArray, reason: str, column: str | None = None, detail: str = "") -> None:
        """Refuses `rows` for `reason`; `column` is whose value is at fault."""
        if rows.any():
            self._reasons.append(_Reason(reason, column, detail))
            self._codes[rows & (self._codes == 0)] = len(self._reasons) - 1

    def counts(self) -> dict[str, int]:
        """Rows rejected by reason."""
        found: dict[str, int] = {}
        for code, count in enumerate(np.bincount(self._codes, minlength=len(self._reasons)).tolist()):
            if code and count:
                name = self._reasons[code].name
                found[name] = found.get(name, 0) + count
        return found

    def quarantine(self, table: str, batch: RawBatch) -> pa.Table:
        """The rejected rows of `batch` and its malformed ones, as `QUARANTINE_SCHEMA` has it."""
        rejected = np.flatnonzero(self._codes)
        rows = _plain_rows(batch.table.take(rejected))
        reasons = [self._reasons[code] for code in self._codes[rejected].tolist()]
        places = zip(batch.file_names(rejected), batch.rows[rejected].tolist(), strict=True)
        found = [
            _row(table, *place, reason.name, _detail(reason, row), _shown(row))
            for place, reason, row in zip(places, reasons, rows, strict=True)
        ]
        found += [
            _row(table, bad.file, bad.row, bad.reason, bad.detail, _shown({"text": bad.text}))
            for bad in batch.malformed
        ]
        return pa.Table.from_pylist(found, schema=QUARANTINE_SCHEMA)


def reject_ids(
    cells: IdCells, rejections: RowRejections, column: str, missing: str | None = None, detail: str = ""
) -> None:
    """Rejects the rows whose cell in `column` cannot be an id, and under `missing` those that have none."""
    if missing is not None:
        rejections.reject(cells.missing, missing, column, detail)
    for why, rows in cells.faults:
        rejections.reject(rows, "bad_id", column, why)


def quarantined_events(rejected: pa.Table, file_names: Sequence[str]) -> pa.Table:
    """Events that the cleaning rejected, as `QUARANTINE_SCHEMA` has it: the canonical row stands for the raw.

    Args:
        rejected: canonical events with `reason`, FILE and ROW.
    """
    found = []
    for row in rejected.to_pylist():
        place = file_names[row.pop(FILE)], row.pop(ROW)
        reason = row.pop("reason")
        shown = {name: value for name, value in row.items() if value is not None}
        found.append(_row("events", *place, reason, "", _shown(shown)))
    return pa.Table.from_pylist(found, schema=QUARANTINE_SCHEMA)


def _plain_rows(table: pa.Table) -> list[JsonObject]:
    """The rows of `table` with times as texts: Python's own do not reach beyond the year 9999."""
    for place, name in enumerate(table.column_names):
        if is_time_type(table[name].type):
            table = table.set_column(place, name, table[name].cast(pa.string()))
    rows: list[JsonObject] = table.to_pylist()
    return rows


def _row(table: str, file: str, row: int, reason: str, detail: str, raw: str) -> dict[str, str | int]:
    return {"table": table, "file": file, "row": row, "reason": reason, "detail": detail, "raw": raw}


def _detail(reason: _Reason, row: JsonObject) -> str:
    if reason.column is None:
        return reason.detail
    return f"{reason.column} = {_plain(row.get(reason.column))!r} {reason.detail}".rstrip()


def _shown(row: JsonObject) -> str:
    plain = {name: _plain(value) for name, value in row.items()}
    return orjson.dumps(plain, default=str).decode("utf-8", "replace")


def _plain(value: Any) -> Any:
    if isinstance(value, str) and LIST_MARK in value:
        return value.removesuffix(LIST_MARK).split(LIST_MARK)
    return value
