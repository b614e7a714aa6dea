"""The report of an import as rows of tables."""

from recsys.jobs.data.report import ChangedCells, changed_cells


def test_cells_that_are_not_as_the_files_say_are_shown_by_table_and_column() -> None:
    report = {
        "events": {"rows": 9, "reasons": {"bot": 1}, "cast_ids": {"user": 2}, "files": {"e.csv": 9}},
        "items": {"blanked": {"price_micros": 1}, "fallbacks": {"title_from_id": 3}},
        "users": {},  # of an older version
    }
    assert changed_cells(report) == (
        ChangedCells("events", "cast_ids", "user", 2),
        ChangedCells("items", "blanked", "price_micros", 1),
        ChangedCells("items", "fallbacks", "title_from_id", 3),
    )
