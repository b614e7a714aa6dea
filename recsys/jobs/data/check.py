"""A mapping tried on the first rows of a shop's files; nothing is written."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from recsys.amounts import as_pieces
from recsys.config import ImportSettings
from recsys.documents import JsonObject
from recsys.home import HomePaths
from recsys.ingest.sample import Sample, UnderstoodRow, sample_shop
from recsys.jobs.data.import_shop import shop_files
from recsys.progress import Progress, silent

_MICROS = "_micros"
_THOUSANDTHS = "_thousandths"
_LONGEST = 80
_INTERNAL = ("sequence", "weight", "event_id", "vectors")  # they say nothing about the mapping


@dataclass(frozen=True)
class ImportCheck:
    """How the first rows are understood."""

    mapping: str
    rows: int
    sample: Sample

    @property
    def problem(self) -> str | None:
        """Why an import would fail, or None."""
        return self.sample.problem

    def to_json(self) -> JsonObject:
        """What `recsys data import --check N --json` prints."""
        return {"mapping": self.mapping, "rows": self.rows, **asdict(self.sample)}

    def tables(self) -> Iterator[tuple[str, list[JsonObject]]]:
        """Title and rows of each table that a person should see."""
        sample = self.sample
        columns: list[JsonObject] = []
        for name, read in sample.columns.items():
            unused = ", ".join(sample.unused.get(name, ())) or "-"
            columns.append({"table": name, "read": ", ".join(read), "not read": unused})
        yield "Columns", columns
        for title, rows in (("Events", sample.events), ("Items", sample.items), ("Users", sample.users)):
            if rows or (title == "Events" and "events" in sample.columns):
                yield title, [_shown(row) for row in rows]
        if sample.rejected:
            yield (
                "Rejected",
                [
                    {
                        "row": f"{row.file}:{row.row}",
                        "table": row.table,
                        "reason": row.reason,
                        "detail": row.detail or row.raw,
                    }
                    for row in sample.rejected
                ],
            )


def check_files(
    paths: HomePaths,
    mapping: str,
    folder: Path | None,
    rows: int,
    now: datetime,
    progress: Progress = silent,
    settings: ImportSettings | None = None,
) -> ImportCheck:
    """Reads the first `rows` rows of each table of events, the catalog and the users by a mapping.

    Args:
        folder: None only for the demo shop, whose files are known.

    Raises:
        ConfigError: the mapping is unknown or wrong, or does not fit.
        DataError: no folder was given, or a file is missing or damaged.
    """
    shop, _ = shop_files(paths, mapping, folder, settings)
    return ImportCheck(shop.mapping.name, rows, sample_shop(shop, rows, now, progress))


def _shown(row: UnderstoodRow) -> JsonObject:
    return {
        "row": f"{row.file}:{row.row}",
        "cells": _pairs(row.raw),
        "understood as": _pairs(dict(_plain(row.understood))),
    }


def _plain(understood: JsonObject) -> Iterator[tuple[str, object]]:
    """Fields as a person reads them: money in currency units, counts in pieces."""
    for name, value in understood.items():
        if name in _INTERNAL:
            continue
        if name.endswith(_MICROS):
            yield name.removesuffix(_MICROS), f"{value / 1_000_000:.2f}"
        elif name.endswith(_THOUSANDTHS):
            yield name.removesuffix(_THOUSANDTHS), str(as_pieces(value))
        elif isinstance(value, datetime):
            yield name, value.isoformat()
        else:
            yield name, value


def _pairs(cells: JsonObject) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in cells.items())


def _short(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
