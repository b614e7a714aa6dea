"""Whether the unit that a mapping states for a column of times can be right, judged by the whole column."""

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys.errors import DataError
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.ingest.mapping.event_sources import EventSource
from recsys.ingest.raw.cells import ParsedCells, as_number
from recsys.ingest.raw.time_cells import SPREADSHEET_DAYS, UNIT_MICROS, is_time_type, time_counts
from recsys.instants import SECOND, from_micros, to_micros

_YEAR_MICROS = 31_556_952 * SECOND  # on average


class TimeUnit:
    """Counts the instants of one source that a clock cannot have shown.

    What is older than `earliest` counts only where the mapping does not state `earliest`: who states it
    knows how old the data are.
    """

    def __init__(self, source: EventSource, rules: CleaningRules, now_micros: int | None) -> None:
        self._source = source
        self._now = now_micros
        self._earliest = to_micros(rules.earliest)
        self._latest = (now_micros or 0) + round(rules.future_tolerance_seconds * SECOND)
        self._states_earliest = "earliest" in rules.model_fields_set
        self._readable = 0
        self._early = 0
        self._late = 0
        self._example: _Example | None = None

    def add(self, raw: pa.Table, instants: ParsedCells) -> None:
        """Counts the cells of one batch; `instants` are what they were read as."""
        if self._now is None:
            return
        late = instants.ok & (instants.values > self._latest)
        early = instants.ok & (instants.values < self._earliest) & (not self._states_earliest)
        self._readable += int(instants.ok.sum())
        self._late += int(late.sum())
        self._early += int(early.sum())
        wrong = np.flatnonzero(late | early)
        if self._example is None and len(wrong):
            self._example = self._shown(raw, instants, int(wrong[0]))

    def check(self) -> None:
        """Accepts the column if at least half of its instants can be true; the others are quarantined.

        Raises:
            DataError: the message names a cell and the unit that would fit.
        """
        wrong = self._early + self._late
        if self._example is None or 2 * wrong <= self._readable:
            return
        shown, column = self._example, self._source.time.column
        fits = [unit for unit, micros in UNIT_MICROS.items() if self._plausible(shown.count * micros)]
        remedy = "Name another column, `unit` or `format`; if the data are that old, state `earliest`"
        if SPREADSHEET_DAYS[0] <= shown.count <= SPREADSHEET_DAYS[1]:
            remedy = "It seems to be a spreadsheet's count of days: export the column as dates"
        if fits:
            remedy = f'unit = "{fits[0]}" would fit: time = {{ column = "{column}", unit = "{fits[0]}" }}'
        raise DataError(
            f"{', '.join(self._source.files)}: {wrong} of {self._readable} times in {column!r} cannot be "
            f"true ({self._early} before {from_micros(self._earliest):%Y-%m-%d}, {self._late} after now). "
            f"{column} = {shown.cell} as {shown.kind} is the year {shown.year}. {remedy}."
        )

    def _plausible(self, micros: float) -> bool:
        return max(self._earliest, 1) <= micros <= self._latest

    def _shown(self, raw: pa.Table, instants: ParsedCells, row: int) -> "_Example":
        time, at = self._source.time, float(instants.values[row])
        column = raw[time.column].slice(row, 1)
        typed = is_time_type(column.type)
        if not typed and time.unit == "iso":
            return _Example(repr(column[0].as_py()), time.format or "iso", 0.0, at)
        count = float(time_counts(column)[0].as_py()) if typed else float(as_number(column).values[0])
        if time.unit != "iso":
            return _Example(f"{count:.0f}", time.unit, count, count * UNIT_MICROS[time.unit])
        return _Example(f"{count:.0f}", str(column.type), count, at)


@dataclass(frozen=True)
class _Example:
    """A cell that cannot be true, what it was read as, the number it holds (0: none), and its instant."""

    cell: str
    kind: str
    count: float
    micros: float

    @property
    def year(self) -> int:
        """Also beyond the calendar."""
        return math.floor(1970 + self.micros / _YEAR_MICROS)
