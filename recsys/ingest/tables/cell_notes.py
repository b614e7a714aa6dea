"""What was made of cells on the way to a canonical table: counted by column, shown, and warned of."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, Column
from recsys.documents import JsonObject
from recsys.ingest.raw.cells import ParsedCells
from recsys.ingest.raw.ids import IdCells
from recsys.ingest.warnings import ImportWarnings

TITLE_FROM_ID = "title_from_id"
TEXT_FROM_TITLE = "text_from_title"
NO_TEXT = "no_text"
TIME_REMEDY = "Name a `unit` for counts, or a strptime `format` for texts, in `time` of `long`."


_CELL_REMEDIES = {  # of cells that are no numbers
    columns.FIRST_AT: "`unit`, `format` and `zone` of `first_at` in the mapping say how times are written.",
    columns.PRODUCT_ID: "An id is a text without control characters, or a whole number.",
}
_COUNTS = (
    "blanked",
    "cast_ids",
    "rounded_ids",
    "decimal_commas",
    "empty_elements",
    "zero_positions",
    "unread_times",
    "fallbacks",
)


@dataclass(frozen=True)
class CellNotes:
    """Counts of cells, each by column.

    Attributes:
        blanked: cells that could not be read and were left empty.
        cast_ids: ids that were whole numbers written with decimals.
        rounded_ids: ids that a spreadsheet shortened to a power of ten.
        decimal_commas: numbers whose comma was taken for the decimal mark although nothing declares it.
        empty_elements: elements of lists with nothing in them, which were left out.
        zero_positions: positions of 0, which count from 1 and were left empty.
        unread_times: times of a long table that could not be read.
        fallbacks: items that something else stands in for, by what: `title_from_id`, ...
        two_ways: numbers such as `1.299`, which were read with a decimal point. It is no matter unless other
            cells of the column have decimal commas.
        vectors: the names in `blanked` that are of ready vectors.
        examples: one of the cells of a count, by the count's name and the column.
    """

    blanked: Counter[str] = field(default_factory=Counter)
    cast_ids: Counter[str] = field(default_factory=Counter)
    rounded_ids: Counter[str] = field(default_factory=Counter)
    decimal_commas: Counter[str] = field(default_factory=Counter)
    empty_elements: Counter[str] = field(default_factory=Counter)
    zero_positions: Counter[str] = field(default_factory=Counter)
    unread_times: Counter[str] = field(default_factory=Counter)
    fallbacks: Counter[str] = field(default_factory=Counter)
    two_ways: Counter[str] = field(default_factory=Counter)
    vectors: set[str] = field(default_factory=set)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)

    def update(self, other: "CellNotes") -> None:
        """Adds the counts of `other`."""
        for name in _COUNTS:
            getattr(self, name).update(getattr(other, name))
        self.two_ways.update(other.two_ways)
        self.vectors.update(other.vectors)
        self.examples.update({**other.examples, **self.examples})

    def add_ids(self, column: str, cells: IdCells) -> None:
        """Counts the ids of `column` that were cast."""
        if cells.example is not None:
            self.cast_ids[column] += cells.cast
            self.examples.setdefault(("cast_ids", column), cells.example)
        if cells.rounded_example is not None:
            self.rounded_ids[column] += cells.rounded
            self.examples.setdefault(("rounded_ids", column), cells.rounded_example)

    def add_numbers(self, column: str, cells: ParsedCells, raw: Column) -> None:
        """Counts the decimal commas of `column` that nothing declares; `raw` is how its cells came."""
        if cells.by_comma is not None and cells.by_comma.any():
            rows = cells.by_comma & cells.ok
            self.decimal_commas[column] += int(rows.sum())
            self._keep_example("decimal_commas", column, raw, rows)
        if cells.two_ways is not None and cells.two_ways.any():
            self.two_ways[column] += int(cells.two_ways.sum())
            self._keep_example("two_ways", column, raw, cells.two_ways)

    def add_blanked(self, name: str, cells: Column, rows: BoolArray) -> None:
        """Counts cells of `name` that cannot be read as numbers, and keeps one of them to show."""
        self.blanked[name] += int(rows.sum())
        self._keep_example("blanked", name, cells, rows)

    def add_blanked_vectors(self, name: str, count: int) -> None:
        """Counts cells of the ready vectors `name` that were left empty."""
        self.blanked[name] += count
        self.vectors.add(name)

    def add_unread_times(self, column: str, cells: Column, rows: BoolArray) -> None:
        """Counts the `rows` of a long table whose time cannot be read."""
        self.unread_times[column] += int(rows.sum())
        self._keep_example("unread_times", column, cells, rows)

    def report(self) -> JsonObject:
        """The counts that are not 0, as the import's report has them; `blanked` and `fallbacks` always."""
        shown = {name: {key: n for key, n in getattr(self, name).items() if n} for name in _COUNTS}
        return {name: found for name, found in shown.items() if found or name in ("blanked", "fallbacks")}

    def warn(self, table: str, warnings: ImportWarnings) -> None:
        """Adds what a person should look at in `table`, one warning a column."""

        def example(count: str, name: str) -> str | None:
            return self.examples.get((count, name))

        for name, count in self.cast_ids.items():
            warnings.add(
                "float_ids",
                f"{table}: {count} ids in column {name!r} are whole numbers written with decimals, such as "
                f"{example('cast_ids', name)}, and were read without them. Write them as texts or whole "
                "numbers in the file.",
            )
        for name, count in self.rounded_ids.items():
            warnings.add(
                "rounded_ids",
                f"{table}: {count} ids in column {name!r} are numbers that a spreadsheet shortened, such as "
                f"{example('rounded_ids', name)}: different ids may have become one. Export the file again "
                "with that column as text.",
            )
        for name, count in self.decimal_commas.items():
            warnings.add(
                "decimal_commas",
                f"{table}: {count} numbers in column {name!r} were read with a decimal comma, such as "
                f"{example('decimal_commas', name)!r}. "
                f'Write {{ column = "{name}", decimal = "," }} in the mapping, so that 1.299 is 1299 there.',
            )
            if self.two_ways[name]:
                warnings.add(
                    "decimal_commas",
                    f"{table}: {self.two_ways[name]} other numbers in column {name!r}, such as "
                    f"{example('two_ways', name)!r}, were read with a decimal point, far from any comma. "
                    "`decimal` in the mapping says which is right for all.",
                )
        for name, count in self.zero_positions.items():
            warnings.add(
                "positions_from_0",
                f"{table}: {count} positions in {name!r} are 0 and were left empty: they count from 1. "
                f'If yours count from 0, write position = {{ column = "{name}", from = 0 }} in the mapping.',
            )
        for name, count in (+self.unread_times).items():
            warnings.add(
                "unreadable_cells",
                f"{table}: {count} times in column {name!r} cannot be read, such as "
                f"{example('unread_times', name)!r}; their rows count as the oldest. {TIME_REMEDY}",
            )
        for name, count in (+self.blanked).items():
            remedy = _CELL_REMEDIES.get(
                name, "`decimal` and `strip` in the mapping say how its numbers are written."
            )
            why = f"as {example('blanked', name)!r}. {remedy}"
            if name in self.vectors:
                why = "for a vector has finite numbers, not all 0, as many as most others of its column."
            message = f"{table}: {count} cells of {name!r} cannot be read and were left empty, {why}"
            warnings.add("unreadable_cells", message)

    def _keep_example(self, count: str, column: str, cells: Column, rows: BoolArray) -> None:
        if rows.any():
            self.examples.setdefault((count, column), str(cells[int(np.argmax(rows))]))
