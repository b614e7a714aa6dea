"""Which lines of a delimited text are rows, and which continue a quoted cell of the line before.

A quote means something only at the beginning of a cell (RFC 4180, as Arrow reads it). It may span lines, and
a stray one would swallow the rows up to the next quote. So a cell over several lines is believed only if
it closes before a delimiter or a line end, if its row then has the right number of columns, and if the
lines would not be whole rows by themselves.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray, IntArray
from recsys.errors import DataError
from recsys.ingest.readers.limits import ReadLimits
from recsys.ingest.readers.text_stream import LineBlock

CELL_LINES = 1000  # how many lines a quoted cell may span where the mapping does not say
_SAMPLE_ROWS = 200
_LINE_ENDS = (10, 13)


@dataclass(frozen=True)
class Dialect:
    """How the rows of a text are written.

    Attributes:
        delimiter, quote: one ASCII character each; without quotes None.
        columns: how many a row has.
        cell_lines: how many lines a quoted cell may span, believed as it stands; None: judge.
    """

    delimiter: str
    quote: str | None
    columns: int
    cell_lines: int | None = None


@dataclass(frozen=True)
class RowLines:
    """The rows of a block of L lines.

    Attributes:
        first: (N,) the line, from 0, where each row begins.
        end: (N,) the line after its last.
        aside: lines with a quote that opens and does not close.
        used: lines that are decided; the others begin a row that goes on in the next block.
    """

    first: IntArray
    end: IntArray
    aside: tuple[int, ...]
    used: int


@dataclass(frozen=True)
class ScannedRow:
    """A row as the quotes from its first character on say it.

    Attributes:
        end: where it ends in the data, its line end included; -1 if a quote does not close.
        columns: how many it has. sound: each cell that spans lines closes before a delimiter or a line end.
    """

    end: int
    columns: int
    sound: bool


def scan_row(data: bytes, start: int, stop: int, dialect: Dialect) -> ScannedRow:
    """The row that begins at `start`; quotes that open are looked for up to `stop`."""
    quote = (dialect.quote or "").encode()
    cell_end = re.compile(b"[\r\n" + re.escape(dialect.delimiter.encode()) + b"]")
    after_quote = (*_LINE_ENDS, ord(dialect.delimiter))
    place, count, sound = start, 0, True
    while True:
        if quote and data.startswith(quote, place):
            closing = data.find(quote, place + 1, stop)
            while closing >= 0 and data.startswith(quote, closing + 1):
                closing = data.find(quote, closing + 2, stop)
            if closing < 0:
                return ScannedRow(-1, count + 1, sound)
            ended = closing + 1 == len(data) or data[closing + 1] in after_quote
            sound &= ended or not (b"\n" in data[place:closing] or b"\r" in data[place:closing])
            place = closing + 1
        count += 1
        found = cell_end.search(data, place)
        if found is None:
            return ScannedRow(len(data), count, sound)
        place = found.end()
        if found.group() in (b"\n", b"\r"):
            wide = found.group() == b"\r" and data.startswith(b"\n", place)
            return ScannedRow(place + wide, count, sound)


def row_lines(block: LineBlock, dialect: Dialect, file: str, limits: ReadLimits) -> RowLines:
    """The rows of `block`.

    Raises:
        DataError: a cell spans lines that look like rows, too many lines, or too many bytes.
    """
    lines = _Lines(block, dialect, file, limits)
    if len(lines.quotes) and not lines.mark_sound_quotes():
        lines.mark_quotes_by_line()
    return lines.rows()


class _Lines:
    """The lines of a block, and which of them continue a row or are set aside."""

    def __init__(self, block: LineBlock, dialect: Dialect, file: str, limits: ReadLimits) -> None:
        self.block = block
        self.dialect = dialect
        self.file = file
        self.limits = limits
        self.codes = np.frombuffer(block.data, np.uint8)
        self.starts, self.ends = block.starts, block.ends
        self.quotes = self._positions(dialect.quote) if dialect.quote else np.zeros(0, np.int64)
        self.marks = np.zeros(256, bool)  # what ends a cell
        self.marks[[*_LINE_ENDS, ord(dialect.delimiter)]] = True
        self.continued = np.zeros(len(self.ends), bool)
        self.aside: list[int] = []
        self.used = len(self.ends)
        self._delimiters: IntArray | None = None
        self._reference: BoolArray | None = None

    def _positions(self, character: str) -> IntArray:
        return np.flatnonzero(self.codes == ord(character))

    def rows(self) -> RowLines:
        width = self.ends - self.starts
        first, last = self.codes[self.starts], self.codes[self.ends - 1]
        blank = ((width == 1) | ((width == 2) & (first == 13))) & ((last == 10) | (last == 13))
        begins = ~self.continued
        begins[self.used :] = False
        begins[self.aside] = False
        begins &= ~blank
        firsts = np.flatnonzero(begins)
        if not self.continued.any():
            return RowLines(firsts, firsts + 1, tuple(self.aside), self.used)
        boundaries = np.append(np.flatnonzero(~self.continued[: self.used]), self.used)
        ends = boundaries[np.searchsorted(boundaries, firsts, side="right")]
        return RowLines(firsts, ends, tuple(self.aside), self.used)

    def mark_sound_quotes(self) -> bool:
        """Marks the lines inside quoted cells if every quote of the block is where RFC 4180 has it."""
        quotes = self.quotes
        if not self._alternate(quotes):
            return False
        inside = np.searchsorted(quotes, self.ends) % 2 == 1  # at the end of each line
        if inside[-1] and self.block.last:
            return False
        continued = np.concatenate([np.zeros(1, bool), inside[:-1]])
        firsts = np.flatnonzero(~continued)
        sizes = np.diff(np.append(firsts, len(continued)))
        if int(sizes.max()) > (self.dialect.cell_lines or CELL_LINES):
            return False
        bytes_of_rows = np.diff(np.append(self.starts[firsts], len(self.block.data)))
        if int(bytes_of_rows.max()) > self.limits.line_bytes:
            return False
        several = sizes > 1
        if inside[-1]:
            several[-1] = False
        if several.any() and self.dialect.cell_lines is None:
            begins, lasts = firsts[several], (firsts + sizes - 1)[several]
            if (self._whole(begins) & self._whole(lasts)).any():  # a row each? then looked at one by one
                return False
        self.used = int(firsts[-1]) if inside[-1] else self.used
        self.continued = continued
        return True

    def mark_quotes_by_line(self) -> None:
        """Follows the quotes of each line where they are not all in place."""
        done = 0
        for line in self._doubtful():
            if line < done:
                continue
            most = line + (self.dialect.cell_lines or CELL_LINES)
            stop = int(self.ends[min(most, len(self.ends)) - 1])
            row = scan_row(self.block.data, int(self.starts[line]), stop, self.dialect)
            end = int(np.searchsorted(self.ends, row.end)) + 1 if row.end >= 0 else -1
            if end == line + 1:
                continue
            long = len(self.block.data) - int(self.starts[line]) > self.limits.line_bytes
            if end < 0 and most > len(self.ends) and not self.block.last and not long:
                self.used = line  # it may close in the next block
                return
            done = self._judge(line, end, row)

    def _judge(self, line: int, end: int, row: ScannedRow) -> int:
        """What the lines are that a quote in `line` spans; returns the line after the last one decided."""
        if end >= 0 and int(self.ends[end - 1] - self.starts[line]) > self.limits.line_bytes:
            raise self._refused(line, f"spans more than {self.limits.line_bytes} bytes")
        given = self.dialect.cell_lines
        most = given or CELL_LINES
        swallows = self._look_like_rows(
            np.arange(line, end if end >= 0 else min(line + most, len(self.ends)))
        )
        if end >= 0 and row.sound:
            if not swallows or given is not None:
                self.continued[line + 1 : end] = True
                return end
            if row.columns == self.dialect.columns:
                closing = self.block.first + end - 1
                raise self._refused(line, f"closes only in row {closing}, behind what look like rows")
        elif end < 0 and line + most < len(self.ends) and not swallows and most > 1:
            raise self._refused(line, f"does not close within {most} lines")
        self.aside.append(line)
        return line + 1

    def _refused(self, line: int, what: str) -> DataError:
        return DataError(
            f"{self.file}, row {self.block.first + line}: a quote opens here and {what}. Close it or remove "
            'it; or set quote = "" in the mapping if quotes mean nothing in this file, or cell_lines = '
            f"{CELL_LINES} (or more) if a cell may hold such lines."
        )

    def _begin_cells(self, quotes: IntArray) -> BoolArray:
        """(Q,) which quotes are the first character of a cell."""
        return np.asarray(self.marks[self.codes[quotes - 1]] | (quotes == 0))

    def _end_cells(self, quotes: IntArray) -> BoolArray:
        """(Q,) which quotes are the last character of a cell."""
        end = len(self.codes) - 1
        return np.asarray(self.marks[self.codes[np.minimum(quotes + 1, end)]] | (quotes == end))

    def _alternate(self, quotes: IntArray) -> bool:
        """Whether quotes by turns begin and end cells, but for pairs that stand for one quote."""
        inner_opening = 2 * np.flatnonzero(~self._begin_cells(quotes[::2]))
        inner_closing = 2 * np.flatnonzero(~self._end_cells(quotes[1::2])) + 1
        if len(inner_closing) and inner_closing[-1] == len(quotes) - 1:
            return False
        paired = quotes[inner_closing + 1] - quotes[inner_closing] == 1
        return bool(paired.all()) and np.array_equal(inner_closing + 1, inner_opening)

    def _doubtful(self) -> Iterator[int]:
        """Lines whose quotes are not all in place, if one of them begins a cell."""
        quotes = self.quotes
        line = np.searchsorted(self.ends, quotes, side="right")
        first = np.searchsorted(line, line)  # the first quote of the same line
        opening = (np.arange(len(quotes)) - first) % 2 == 0
        begins = self._begin_cells(quotes)
        follows = np.diff(quotes, prepend=-2) == 1
        followed = np.append(follows[1:], False)
        placed = np.where(opening, begins | follows, self._end_cells(quotes) | followed)
        lines, counts = np.unique(line, return_counts=True)
        odd = lines[counts % 2 == 1]
        wrong = np.union1d(odd, line[~placed])
        return iter(np.intersect1d(wrong, line[begins]).tolist())

    def _whole(self, lines: IntArray) -> BoolArray:
        """(n,) which of `lines` have the delimiters of a whole row, quotes or not."""
        if self._delimiters is None:
            self._delimiters = self._positions(self.dialect.delimiter)
        found = np.searchsorted(self._delimiters, np.stack([self.starts[lines], self.ends[lines]]))
        wanted = self.dialect.columns - 1 or -1  # of one column every line would be a row
        return np.asarray(found[1] - found[0] == wanted)

    def _look_like_rows(self, lines: IntArray) -> bool:
        """Whether the first, the last and most of `lines` would be whole rows if quotes meant nothing."""
        whole = self._whole(lines)
        if self._reference is None:
            self._reference = self._digit_columns()
        for place in np.flatnonzero(whole).tolist():
            digits = self._digits(int(lines[place]))
            whole[place] = bool((digits | ~self._reference).all())
        return bool(whole[0] and whole[-1] and whole.mean() >= 0.5)

    def _digit_columns(self) -> BoolArray:
        """(C,) columns that have a digit in every cell that is not empty, judged by rows without quotes."""
        outside = np.searchsorted(self.quotes, self.starts) % 2 == 0
        without = np.searchsorted(self.quotes, self.ends) == np.searchsorted(self.quotes, self.starts)
        plain = np.flatnonzero(outside & without)
        sample = plain[self._whole(plain)][:_SAMPLE_ROWS]
        found = np.full(self.dialect.columns, bool(len(sample)))
        for line in sample.tolist():
            found &= self._digits(line)
        return found

    def _digits(self, line: int) -> BoolArray:
        """(C,) which cells of a whole row have a digit, or nothing in them."""
        return np.array([not cell or any(48 <= code <= 57 for code in cell) for cell in self._cells(line)])

    def _cells(self, line: int) -> list[bytes]:
        text = self.block.data[int(self.starts[line]) : int(self.ends[line])]
        return text.rstrip(b"\r\n").split(self.dialect.delimiter.encode())
