"""Which rows are refused and why, and the quarantine that keeps them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from recsys.dataset.cells import LIST_MARK, Mask
from recsys.dataset.raw import RawBatch

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("table", pa.string()),  # events, items or users
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


class Verdicts:
    """The fate of N rows; the first reason of a row stays."""

    def __init__(self, count: int) -> None:
        self._codes = np.zeros(count, np.int16)
        self._reasons = [_Reason("", None, "")]

    @property
    def kept(self) -> Mask:
        """(N,) bool: not refused so far."""
        return np.asarray(self._codes == 0)

    def refuse(self, rows: Mask, reason: str, column: str | None = None, detail: str = "") -> None:
        """Refuses `rows` for `reason`; `column` is whose value is at fault."""
        if rows.any():
            self._reasons.append(_Reason(reason, column, detail))
            self._codes[rows & (self._codes == 0)] = len(self._reasons) - 1

    def counts(self) -> dict[str, int]:
        """Rows refused by reason."""
        found: dict[str, int] = {}
        for code, count in enumerate(np.bincount(self._codes, minlength=len(self._reasons)).tolist()):
            if code and count:
                name = self._reasons[code].name
                found[name] = found.get(name, 0) + count
        return found

    def quarantine(self, table: str, batch: RawBatch) -> pa.Table:
        """The refused rows of `batch` and its malformed ones, as `QUARANTINE_SCHEMA` has it."""
        refused = np.flatnonzero(self._codes)
        rows = batch.table.take(refused).to_pylist()
        reasons = [self._reasons[code] for code in self._codes[refused].tolist()]
        numbers = batch.rows[refused].tolist()
        found = [
            _row(table, batch.file, number, reason.name, _detail(reason, row), _shown(row))
            for number, reason, row in zip(numbers, reasons, rows, strict=True)
        ]
        found += [
            _row(table, batch.file, bad.row, "malformed_row", bad.detail, _shown({"text": bad.text}))
            for bad in batch.malformed
        ]
        return pa.Table.from_pylist(found, schema=QUARANTINE_SCHEMA)


def _row(table: str, file: str, row: int, reason: str, detail: str, raw: str) -> dict[str, Any]:
    return {"table": table, "file": file, "row": row, "reason": reason, "detail": detail, "raw": raw}


def _detail(reason: _Reason, row: dict[str, Any]) -> str:
    if reason.column is None:
        return reason.detail
    return f"{reason.column} = {_plain(row.get(reason.column))!r} {reason.detail}".rstrip()


def _shown(row: dict[str, Any]) -> str:
    plain = {name: _plain(value) for name, value in row.items()}
    return orjson.dumps(plain, default=str).decode("utf-8", "replace")


def _plain(value: Any) -> Any:
    return value.split(LIST_MARK) if isinstance(value, str) and LIST_MARK in value else value
