"""The report of an import as rows of a table: what came of the rows of each file."""

from collections.abc import Mapping
from dataclasses import dataclass

from recsys.documents import JsonObject

TABLES = ("events", "items", "users", "vectors", "joined")


@dataclass(frozen=True)
class TableRows:
    """How many rows of one table were read, and what came of them."""

    table: str
    rows: int
    kept: int
    duplicates: int
    cancelled: int
    quarantined: int


@dataclass(frozen=True)
class RejectedRows:
    """Rows of one table that were not kept for one reason, and the first of them."""

    table: str
    reason: str
    rows: int
    example: str


@dataclass(frozen=True)
class ChangedCells:
    """How many cells of one column, or items, are not what the files say, and in which way."""

    table: str
    change: str
    column: str
    cells: int


_OF_ROWS = ("reasons", "examples", "files")  # by name too, but not of cells


def table_rows(report: JsonObject) -> tuple[TableRows, ...]:
    """One row for each table that the import had."""
    names = ("rows", "kept", "duplicates", "cancelled", "quarantined")
    return tuple(
        TableRows(table, *(report[table][name] for name in names)) for table in TABLES if table in report
    )


def rejected_rows(report: JsonObject) -> tuple[RejectedRows, ...]:
    """One row for each table and reason."""
    return tuple(
        RejectedRows(table, reason, rows, report[table].get("examples", {}).get(reason, ""))
        for table in TABLES
        if table in report
        for reason, rows in report[table]["reasons"].items()
    )


def changed_cells(report: JsonObject) -> tuple[ChangedCells, ...]:
    """One row for each table, change and column: cells left empty, ids that stand in for titles, ..."""
    return tuple(
        ChangedCells(table, change, column, cells)
        for table in TABLES
        if table in report
        for change, counts in report[table].items()
        if isinstance(counts, Mapping) and change not in _OF_ROWS
        for column, cells in counts.items()
    )
