"""A shop's files -> canonical events, items and users, with an account of every row.

Items and users come first, then events batch by batch; the events are cleaned user by user. Nothing here
knows where the results go: `lake` and `quarantine` are handed in.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import Column
from recsys.dataset.info import DatasetInfo
from recsys.dataset.schemas import EVENT_SCHEMA, INSTANT
from recsys.documents import JsonObject
from recsys.errors import DataError, SchemaMismatchError
from recsys.ingest.background import Background, RowSink, map_in_order, prefetch
from recsys.ingest.cleaning.clean import clean
from recsys.ingest.cleaning.event_ids import with_event_ids
from recsys.ingest.cleaning.filters import plausible_instants
from recsys.ingest.event_summary import EventSummary
from recsys.ingest.mapping.catalog_sources import ItemSource
from recsys.ingest.mapping.event_sources import EventSource
from recsys.ingest.mapping.schema import ShopMapping
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import RawBatch, concat_batches
from recsys.ingest.raw.ids import as_ids
from recsys.ingest.readers.files import read_batches
from recsys.ingest.readers.long_table import long_columns, pivot_long_table
from recsys.ingest.row_counts import RowCounts
from recsys.ingest.spill import MEMORY_ROWS, EventsByUser
from recsys.ingest.tables.catalog import (
    canonical_items,
    canonical_users,
    item_columns,
    items_without_rows,
    lent_columns,
    reject_key_collisions,
    user_columns,
    with_paid_prices,
    with_unlisted_users,
)
from recsys.ingest.tables.cell_notes import NO_TEXT, TITLE_FROM_ID, CellNotes
from recsys.ingest.tables.events import StagedEvents, canonical_events, event_columns
from recsys.ingest.tables.rejections import (
    FILE,
    ROW,
    RowRejections,
    quarantined_events,
    untouched_items,
)
from recsys.ingest.tables.time_units import TimeUnit
from recsys.ingest.tables.validate import validate_events, validate_items, validate_users
from recsys.ingest.tables.vector_files import joined_vectors
from recsys.instants import DAY, SECOND, from_micros, to_micros
from recsys.progress import Progress, silent

WEEK_MICROS = 7 * DAY


@dataclass(frozen=True)
class ImportedShop:
    """What an import found, besides the events that went to the lake in `parts` appends."""

    info: DatasetInfo
    items: pa.Table
    users: pa.Table
    report: JsonObject
    parts: int


@dataclass(frozen=True)
class ShopFiles:
    """A shop's files and how to understand them."""

    mapping: ShopMapping
    mapping_sha256: str
    folder: Path


def import_shop(
    shop: ShopFiles,
    now: datetime,
    lake: RowSink,
    quarantine: RowSink,
    scratch: Path,
    progress: Progress = silent,
    memory_rows: int = MEMORY_ROWS,
) -> ImportedShop:
    """Reads, cleans and hands over a whole shop.

    Args:
        now: aware; later events are not believed.
        lake: takes canonical events, cleaned, in parts.
        quarantine: takes rows of `QUARANTINE_SCHEMA`.
        scratch: a folder for rows that do not fit in memory; created when needed.
        memory_rows: events that do.

    Raises:
        ConfigError: the mapping does not fit the files.
        DataError: a file is missing or damaged, or no event is left.
    """
    run = _Run(shop, to_micros(now), quarantine, progress)
    items = run.items()
    users = run.users()
    staged = EventsByUser(scratch, memory_rows)
    with Background(lake) as writer:
        try:
            shift = run.stage(staged, items)
            events = run.clean(staged, shift, writer)
        finally:
            staged.close()
        if not run.events.kept:
            raise DataError(_nothing_left(run.events))
        known_at = pa.scalar(events.start - SECOND, pa.int64()).cast(INSTANT)  # before the first event
        items = _dated(run.finished_items(items, events), known_at)
        users = _dated(with_unlisted_users(users, events.users), known_at)
        reject_key_collisions(items[columns.ITEM_ID].to_pylist())
        items, users = validate_items(items), validate_users(users)
        writer.wait()
    return ImportedShop(run.info(events, items, users, now), items, users, run.report(shift), events.parts)


class _Run:
    """One import: the accounts that its steps write to."""

    def __init__(self, shop: ShopFiles, now: int, quarantine: RowSink, progress: Progress) -> None:
        self.shop = shop
        self.mapping = shop.mapping
        self.now = now if shop.mapping.clock == "time" else None
        self.quarantine = quarantine
        self.progress = progress
        self.events = RowCounts()
        self.item_rows = RowCounts()
        self.user_rows = RowCounts()
        self.vector_rows = RowCounts()
        self.files: dict[str, int] = {}
        self.sequence = 0  # events read so far

    def items(self) -> pa.Table:
        """The catalog's rows, before the events have their say."""
        source = self.mapping.items
        if not source.files:
            return items_without_rows(())
        if source.long is not None:
            raw = self._batches(source, long_columns(source.id, source.long), "items", {})
            batch = pivot_long_table(raw, source.id, source.long, item_columns(source))
        else:
            batch = self._read_catalog(source)
        joined = self._vectors(source, as_ids(batch.table[source.id]).texts)
        items, rejections, notes = canonical_items(batch.table, source, joined)
        self._count_rows(self.item_rows, "items", batch, rejections, notes, len(items))
        return items

    def _read_catalog(self, source: ItemSource) -> RawBatch:
        """The rows of the item files; columns that attributes lend their names to may be missing."""
        wanted, lent = item_columns(source), lent_columns(source)
        try:
            return self._read(source, wanted, "items")
        except SchemaMismatchError:
            if not lent:
                raise
            return self._read(source, [name for name in wanted if name not in lent], "items")

    def _vectors(self, source: ItemSource, item_ids: Column) -> dict[str, Column]:
        """Ready vectors that files of their own hold, a cell for each of `item_ids`."""
        cells = {}
        for name, vector in source.vectors.items():
            if vector.files:
                batches = list(self._batches(vector, [vector.id, vector.column], f"{name} vectors", {}))
                found = joined_vectors(batches, vector, item_ids)
                fate = found.rejections, found.notes, found.kept
                self._count_rows(self.vector_rows, "vectors", found.rows, *fate)
                cells[name] = found.cells
        return cells

    def users(self) -> pa.Table | None:
        """The user file's rows, if there is one."""
        source = self.mapping.users
        if source is None:
            return None
        batch = self._read(source, user_columns(source), "users")
        users, rejections, notes = canonical_users(batch.table, source)
        self._count_rows(self.user_rows, "users", batch, rejections, notes, len(users))
        return users

    def stage(self, staged: EventsByUser, items: pa.Table) -> int:
        """Reads all events into `staged`; returns by how many microseconds to move them."""
        rejects = self.mapping.items.unknown == "quarantine"
        known = items[columns.ITEM_ID].combine_chunks() if rejects else None
        latest = np.iinfo(np.int64).min
        for source in self.mapping.events:
            unit = TimeUnit(source, self.mapping.cleaning, self.now)
            for batch, found in map_in_order(self._canonical(source, known), self._numbered(source)):
                self._count_rows(self.events, "events", batch, found.rejections, found.notes, 0)
                unit.add(batch.table, found.instants)
                kept = np.flatnonzero(found.rejections.kept)
                file = np.full(len(kept), self.files[batch.files[0][0]], np.int32)
                rows = found.events.append_column(FILE, pa.array(file))
                staged.append(rows.append_column(ROW, pa.array(batch.rows[kept])))
                at = found.events[columns.AT].cast(pa.int64()).to_numpy()
                at = at[plausible_instants(at, self.mapping.cleaning, self.now)]
                latest = max(latest, int(at.max(initial=latest)))
            unit.check()
        if self.mapping.time.shift == "none" or self.now is None or latest > self.now or not self.sequence:
            return 0
        return (self.now - latest) // WEEK_MICROS * WEEK_MICROS

    def clean(self, staged: EventsByUser, shift: int, lake: RowSink) -> EventSummary:
        """Cleans what was staged and hands it to `lake`."""
        price = self.mapping.items.price
        found = EventSummary(priced=price is not None and price.source == "events")
        names = list(self.files)
        with self.progress("cleaning events", self.events.rows) as advance:
            for part in staged.parts():
                cleaned = clean(part, self.mapping.cleaning, self.now)
                reasons = cleaned.rejected["reason"].value_counts().to_pylist()
                self.events.count_rejected({row["values"]: row["counts"] for row in reasons})
                self.events.kept += len(cleaned.kept)
                if len(cleaned.rejected):
                    self.quarantine.append(quarantined_events(cleaned.rejected, names))
                if len(cleaned.kept):
                    events = _shifted(cleaned.kept.select(EVENT_SCHEMA.names), shift)
                    lake.append(events)  # goes on in the background; what fails below discards it
                    found.add(validate_events(events))
                advance(len(part))
        return found

    def finished_items(self, items: pa.Table, events: EventSummary) -> pa.Table:
        """The catalog with what only events know: unlisted items, unit prices, who was never touched."""
        source = self.mapping.items
        listed = set(items[columns.ITEM_ID].to_pylist())
        unlisted = items_without_rows(events.items - listed)
        self.item_rows.notes.fallbacks.update({TITLE_FROM_ID: len(unlisted), NO_TEXT: len(unlisted)})
        items = pa.concat_tables([items, unlisted])
        if source.without_events == "quarantine":
            seen = pc.is_in(items[columns.ITEM_ID], value_set=pa.array(sorted(events.items), pa.string()))
            gone = items.filter(pc.invert(seen))
            self.item_rows.kept -= len(gone)
            self.item_rows.count_rejected({"no_events": len(gone)} if len(gone) else {})
            self.quarantine.append(untouched_items(gone))
            items = items.filter(seen)
        if events.prices:
            items = with_paid_prices(items, events.prices.medians())
        return items.sort_by(columns.ITEM_ID)

    def info(self, events: EventSummary, items: pa.Table, users: pa.Table, now: datetime) -> DatasetInfo:
        """What dataset.json will say."""
        return DatasetInfo(
            name=self.mapping.name,
            clock=self.mapping.clock,
            repeats=self.mapping.repeats,
            label_kinds=self.mapping.label_kinds,
            currency=self.mapping.currency,
            events=self.events.kept,
            users=len(users),
            items=len(items),
            start=from_micros(events.start),
            end=from_micros(events.end),
            imported_at=now,
            mapping_sha256=self.shop.mapping_sha256,
        )

    def report(self, shift: int) -> JsonObject:
        """What import_report.json will say: where every row went, checked."""
        tables = {"events": self.events, "items": self.item_rows, "users": self.user_rows}
        if any(vector.files for vector in self.mapping.items.vectors.values()):
            tables["vectors"] = self.vector_rows
        return {
            "mapping": self.mapping.name,
            "shift_days": shift // DAY,
            **{name: counts.report(name) for name, counts in tables.items()},
            "warnings": [line for name, counts in tables.items() for line in counts.notes.warnings(name)],
        }

    def _numbered(self, source: EventSource) -> Iterator[tuple[RawBatch, int]]:
        """Raw events with the number at which each batch arrives."""
        for batch in self._batches(source, event_columns(source), "events", self.files):
            yield batch, self.sequence
            self.sequence += batch.seen

    def _canonical(
        self, source: EventSource, known: pa.Array | None
    ) -> Callable[[tuple[RawBatch, int]], tuple[RawBatch, StagedEvents]]:
        """What a thread does with a batch; it touches nothing of this run."""
        weights, rules = self.mapping.kind_weights, self.mapping.cleaning

        def work(numbered: tuple[RawBatch, int]) -> tuple[RawBatch, StagedEvents]:
            batch, sequence = numbered
            found = canonical_events(batch.table, source, weights, sequence, known)
            if rules.repeated_lines == "sum":  # the cleaning must see which ids were given
                return batch, found
            return batch, replace(found, events=with_event_ids(found.events, rules))

        return work

    def _batches(
        self, source: Source, wanted: list[str], name: str, files: dict[str, int]
    ) -> Iterator[RawBatch]:
        """Raw batches, read ahead, their files numbered in `files`, with a progress bar."""
        with self.progress(f"reading {name}", None) as advance:
            for batch in prefetch(read_batches(source, self.shop.folder, wanted)):
                files.setdefault(batch.files[0][0], len(files))
                yield batch
                advance(batch.seen)

    def _read(self, source: Source, wanted: list[str], name: str) -> RawBatch:
        return concat_batches(list(self._batches(source, wanted, name, {})), wanted)

    def _count_rows(
        self,
        row_counts: RowCounts,
        name: str,
        batch: RawBatch,
        rejections: RowRejections,
        notes: CellNotes,
        kept: int,
    ) -> None:
        for file, rows in batch.rows_by_file():
            row_counts.count_rows(file, rows)
        row_counts.kept += kept
        row_counts.notes.update(notes)
        row_counts.count_rejected(rejections.counts())
        row_counts.count_rejected({"malformed_row": len(batch.malformed)} if batch.malformed else {})
        if batch.malformed or not rejections.kept.all():
            self.quarantine.append(rejections.quarantine(name, batch))


def _shifted(events: pa.Table, shift: int) -> pa.Table:
    if not shift:
        return events
    at = pc.add(events[columns.AT].cast(pa.int64()), shift).cast(INSTANT)
    return events.set_column(events.column_names.index(columns.AT), columns.AT, at)


def _dated(table: pa.Table, at: pa.Scalar) -> pa.Table:
    return table.append_column(columns.AT, pa.repeat(at, len(table)))


def _nothing_left(row_counts: RowCounts) -> str:
    worst = ", ".join(f"{reason} {count}" for reason, count in row_counts.reasons.most_common(3))
    return (
        f"none of {row_counts.rows} rows is an event ({worst or 'the files are empty'}). "
        "Check the columns of the mapping against the files."
    )
