"""The first rows of a shop's files as an import understands them: raw cells beside canonical fields."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.ingest.imported import ShopFiles
from recsys.ingest.importer import import_shop
from recsys.ingest.mapping.schema import ShopMapping
from recsys.ingest.raw.batch import RawBatch
from recsys.ingest.raw.cells import LIST_MARK
from recsys.ingest.raw.ids import as_ids
from recsys.ingest.reading import FirstRows
from recsys.progress import Progress, silent


@dataclass(frozen=True)
class UnderstoodRow:
    """One row of a file: its cells, and what they mean."""

    file: str
    row: int
    raw: JsonObject
    understood: JsonObject


@dataclass(frozen=True)
class RejectedRow:
    """One row of a file that is not kept, and why."""

    table: str
    file: str
    row: int
    reason: str
    detail: str
    raw: str


@dataclass(frozen=True)
class Sample:
    """What an import would make of the first rows.

    Attributes:
        columns: those that the mapping reads, by table. unused: those of its first file that it does not.
        problem: why the import would fail, or None.
    """

    columns: dict[str, list[str]]
    unused: dict[str, list[str]]
    events: tuple[UnderstoodRow, ...]
    items: tuple[UnderstoodRow, ...]
    users: tuple[UnderstoodRow, ...]
    rejected: tuple[RejectedRow, ...]
    warnings: list[JsonObject]
    problem: str | None


@dataclass
class _Rows:
    tables: list[pa.Table] = field(default_factory=list)

    def append(self, table: pa.Table) -> None:
        self.tables.append(table)

    def rows(self) -> Iterator[JsonObject]:
        for table in self.tables:
            yield from table.to_pylist()


def sample_shop(shop: ShopFiles, rows: int, now: datetime, progress: Progress = silent) -> Sample:
    """Imports the first `rows` rows of each table of events, the catalog and the users, into memory only.

    The catalog and the user file are read as a whole, so that ids which do not meet are seen; `rows` of them
    are shown. What can only be judged by all events is left out: the shift of the time axis, and items that
    no event names.

    Raises:
        ConfigError: the mapping does not fit the files.
        DataError: a file is missing or damaged.
    """
    mapping = shop.mapping
    shop = replace(
        shop,
        mapping=mapping.model_copy(
            update={
                "items": mapping.items.model_copy(update={"without_events": "keep"}),
                "time": mapping.time.model_copy(update={"shift": "none"}),
            }
        ),
    )
    first = FirstRows(rows)
    lake, quarantine = _Rows(), _Rows()
    items = users = None
    warnings: list[JsonObject] = []
    problem = None
    try:
        imported = import_shop(shop, now, lake, quarantine, Path("unused"), progress, first=first)
        items, users, warnings = imported.items, imported.users, imported.report["warnings"]
    except DataError as error:
        if not first.seen.get("events"):  # a file could not be read: there is nothing to show
            raise
        problem = str(error)
    return Sample(
        columns={name: batches[0].table.column_names for name, batches in first.seen.items() if batches},
        unused=first.unused,
        events=tuple(_events(first.seen.get("events", []), list(lake.rows()))),
        items=_listed(first, items, "items", mapping, rows),
        users=_listed(first, users, "users", mapping, rows),
        rejected=tuple(_rejected(quarantine, rows)),
        warnings=warnings,
        problem=problem,
    )


def _events(batches: list[RawBatch], events: list[JsonObject]) -> Iterator[UnderstoodRow]:
    """Events with the rows that they came from, which their sequence numbers tell."""
    starts: list[int] = []
    start = 0
    for batch in batches:
        starts.append(start)
        start += batch.seen
    for event in sorted(events, key=lambda row: row[columns.SEQUENCE]):
        place = event[columns.SEQUENCE]
        number = max(at for at, begin in enumerate(starts) if begin <= place)
        yield _row(batches[number], place - starts[number], event)


def _rejected(quarantine: _Rows, most: int) -> Iterator[RejectedRow]:
    """The first `most` rejected rows of each table."""
    seen: Counter[str] = Counter()
    for row in quarantine.rows():
        seen[row["table"]] += 1
        if seen[row["table"]] <= most:
            place = row["file"] or "", row["row"] or 0
            yield RejectedRow(row["table"], *place, row["reason"], row["detail"] or "", row["raw"])


def _listed(
    first: FirstRows, found: pa.Table | None, table: str, mapping: ShopMapping, most: int
) -> tuple[UnderstoodRow, ...]:
    """Items or users with the first row of each that its file has."""
    source = mapping.items if table == "items" else mapping.users
    batches = first.seen.get(table, [])
    if found is None or source is None or not batches:
        return ()
    batch = batches[0]
    names = as_ids(batch.table[source.id]).texts
    places: dict[str, int] = {}
    for place, name in enumerate(names.to_pylist()):
        if name is not None and len(places) < most:
            places.setdefault(name, place)
    key = columns.ITEM_ID if table == "items" else columns.USER_ID
    known = found.filter(pc.is_in(found[key], pa.array(list(places), pa.string()))).to_pylist()
    shown = [_row(batch, places[row[key]], row) for row in known]
    return tuple(sorted(shown, key=lambda row: row.row))


def _row(batch: RawBatch, place: int, understood: JsonObject) -> UnderstoodRow:
    cells = {name: _shown(batch.table[name][place].as_py()) for name in batch.table.column_names}
    meant = {name: value for name, value in understood.items() if value is not None}
    (file,) = batch.file_names(np.array([place]))
    return UnderstoodRow(file, int(batch.rows[place]), cells, meant)


def _shown(value: Any) -> Any:
    marked = isinstance(value, str) and LIST_MARK in value
    return value.removesuffix(LIST_MARK).split(LIST_MARK) if marked else value
