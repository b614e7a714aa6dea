"""A shop's files -> canonical events, items and users, with an account of every row.

Items and users come first, then events batch by batch; the events are cleaned user by user. Nothing here
knows where the results go: `lake` and `quarantine` are handed in.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import Column
from recsys.dataset.info import DatasetInfo
from recsys.dataset.schemas import EVENT_SCHEMA, INSTANT, conform_table
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.ingest.background import Background, RowSink, map_in_order
from recsys.ingest.catalog_history import dated_by_files, item_history
from recsys.ingest.cleaning.clean import clean
from recsys.ingest.cleaning.event_ids import with_event_ids
from recsys.ingest.cleaning.filters import plausible_instants
from recsys.ingest.event_summary import EventSummary, warn_of_old_data
from recsys.ingest.examples import ExampleQuarantine, nothing_left
from recsys.ingest.id_overlap import ITEMS, USERS, VECTORS, compare_ids, ids_beyond, joined_keys
from recsys.ingest.imported import ImportedShop, ShopFiles
from recsys.ingest.mapping.catalog_sources import ItemSource
from recsys.ingest.mapping.event_sources import EventSource
from recsys.ingest.raw.batch import RawBatch
from recsys.ingest.raw.ids import as_ids
from recsys.ingest.readers.joins import JoinedFile
from recsys.ingest.readers.long_table import long_columns, pivot_long_table
from recsys.ingest.reading import FirstRows, ShopReader
from recsys.ingest.row_counts import RowCounts, RowFate
from recsys.ingest.spill import MEMORY_ROWS, EventsByUser
from recsys.ingest.tables.catalog import (
    canonical_items,
    canonical_users,
    item_columns,
    items_without_rows,
    lent_columns,
    reject_key_collisions,
    user_columns,
)
from recsys.ingest.tables.cell_notes import NO_TEXT, TITLE_FROM_ID
from recsys.ingest.tables.events import StagedEvents, canonical_events, event_columns
from recsys.ingest.tables.finishing import dated, finished_items, finished_users, shifted
from recsys.ingest.tables.id_tables import EventIds
from recsys.ingest.tables.rejections import FILE, ROW, quarantined_events
from recsys.ingest.tables.time_units import TimeUnit
from recsys.ingest.tables.validate import validate_events, validate_items, validate_users
from recsys.ingest.tables.vector_files import joined_vectors
from recsys.ingest.warnings import ImportWarnings
from recsys.instants import DAY, SECOND, from_micros, to_micros
from recsys.progress import Progress, silent

WEEK_MICROS = 7 * DAY


def import_shop(
    shop: ShopFiles,
    now: datetime,
    lake: RowSink,
    quarantine: RowSink,
    scratch: Path,
    progress: Progress = silent,
    memory_rows: int = MEMORY_ROWS,
    first: FirstRows | None = None,
) -> ImportedShop:
    """Reads, cleans and hands over a whole shop.

    Args:
        now: aware; later events are not believed.
        lake: takes canonical events, cleaned, in parts.
        quarantine: takes rows of `QUARANTINE_SCHEMA`.
        scratch: a folder for rows that do not fit in memory; created when needed.
        memory_rows: events that do.
        first: read only these rows of the events, and remember what was read.

    Raises:
        ConfigError: the mapping does not fit the files.
        DataError: a file is missing or damaged, or the mapping has events and none is left.
    """
    run = _Run(shop, to_micros(now), quarantine, progress, first)
    try:
        return _imported(run, now, lake, EventsByUser(scratch, memory_rows), first)
    finally:
        run.warnings.log()  # of an import that failed too: they may say why


def _imported(
    run: "_Run", now: datetime, lake: RowSink, staged: EventsByUser, first: FirstRows | None
) -> ImportedShop:
    items = run.items()
    users = run.users()
    with Background(lake) as writer:
        try:
            shift = run.stage(staged, items)
            events = run.clean(staged, shift, writer)
        finally:
            staged.close()
        for name, rows in run.tables().items():
            rows.notes.warn(name, run.warnings)
        run.compare_ids(items, users, events)
        if not run.events.kept and run.mapping.events:
            examples = run.quarantine.of("events")
            raise DataError(nothing_left(run.events.rows, run.events.reasons, examples))
        if first is None and run.now is not None and run.events.kept:  # a log begins with its oldest events
            warn_of_old_data(events.end, run.now, run.warnings)
        span = events.span if run.events.kept else (to_micros(now), to_micros(now))
        known_at = pa.scalar(span[0] - SECOND, pa.int64()).cast(INSTANT)  # before the first event
        unlisted = frozenset(events.items.difference(items[columns.ITEM_ID].to_pylist()))
        items = dated(run.finished_items(shifted(items, shift, columns.FIRST_AT), events), known_at)
        items, earlier = dated_by_files(items, run.item_history(items, shift), known_at)
        users = dated(finished_users(users, events), known_at)
        reject_key_collisions(items[columns.ITEM_ID].to_pylist())
        items, users = validate_items(items), validate_users(users)
        writer.wait()
    info = DatasetInfo(
        name=run.mapping.name,
        clock=run.mapping.clock,
        repeats=run.mapping.repeats,
        label_kinds=run.mapping.label_kinds,
        currency=run.mapping.currency,
        events=run.events.kept,
        users=len(users),
        items=len(items),
        start=from_micros(events.start) if run.events.kept else now,
        end=from_micros(events.end) if run.events.kept else now,
        imported_at=now,
        mapping_sha256=run.shop.mapping_sha256,
    )
    found = (events.parts, pa.concat_tables(events.returned), unlisted, events.price_versions, earlier)
    return ImportedShop(info, items, users, run.report(shift), *found)


class _Run:
    """One import: the accounts that its steps write to."""

    def __init__(
        self, shop: ShopFiles, now: int, quarantine: RowSink, progress: Progress, first: FirstRows | None
    ) -> None:
        self.shop = shop
        self.mapping = shop.mapping
        self.reader = ShopReader(shop.folder, self._count_joined, shop.limits, progress, first)
        self.now = now if shop.mapping.clock == "time" else None
        self.quarantine = ExampleQuarantine(quarantine)
        self.progress = progress
        self.events = RowCounts()
        self.item_rows = RowCounts()
        self.user_rows = RowCounts()
        self.vector_rows = RowCounts()
        self.joined_rows = RowCounts()
        self.joins: list[JoinedFile] = []
        self.sequence = 0  # events read so far
        self.versions: pa.Table | None = None  # raw items by the instants that a long table tells
        self.unlisted: set[str] = set()  # ids of events that were rejected as not in the catalog
        self.warnings = ImportWarnings()
        self.event_ids = EventIds(self.mapping.events)

    def items(self) -> pa.Table:
        """The catalog's rows, without the items and prices that only events know."""
        source = self.mapping.items
        if not source.files:
            return items_without_rows(())
        wanted = item_columns(source)
        if source.long is not None:
            raw = self.reader.batches(source, long_columns(source.id, source.long), "items")
            optional = (*source.optional, *lent_columns(source))
            batch, notes, self.versions = pivot_long_table(raw, source.id, source.long, wanted, optional)
            self.item_rows.notes.update(notes)
        else:  # attributes may lend their names to columns that the files lack
            optional = (*source.optional, *lent_columns(source))
            files = source.model_copy(update={"optional": optional})
            batch, repeated = self.reader.table(files, wanted, "items")
            self.item_rows.count_repeated(repeated)
        joined = self._vectors(source, as_ids(batch.table[source.id]).texts)
        items, rejections, notes = canonical_items(batch.table, source, joined)
        self._count_rows(self.item_rows, "items", batch, RowFate(rejections, len(items), notes))
        return items

    def _vectors(self, source: ItemSource, item_ids: Column) -> dict[str, Column]:
        """Ready vectors that files of their own hold, a cell for each of `item_ids`."""
        cells = {}
        for name, vector in source.vectors.items():
            if vector.files:
                batches = self.reader.batches(vector, [vector.id, vector.column], f"{name} vectors")
                found = joined_vectors(list(batches), vector, item_ids)
                fate = RowFate(found.rejections, found.kept, found.notes)
                self._count_rows(self.vector_rows, "vectors", found.rows, fate)
                compare_ids(as_ids(found.rows.table[vector.id]).texts, item_ids, VECTORS, self.warnings)
                cells[name] = found.cells
        return cells

    def users(self) -> pa.Table | None:
        """The user file's rows, if there is one."""
        source = self.mapping.users
        if source is None:
            return None
        batch, repeated = self.reader.table(source, user_columns(source), "users")
        self.user_rows.count_repeated(repeated)
        users, rejections, notes = canonical_users(batch.table, source)
        self._count_rows(self.user_rows, "users", batch, RowFate(rejections, len(users), notes))
        return users

    def stage(self, staged: EventsByUser, items: pa.Table) -> int:
        """Reads all events into `staged`; returns by how many microseconds to move them."""
        rejects = self.mapping.items.unknown == "quarantine"
        known = items[columns.ITEM_ID].combine_chunks() if rejects else None
        latest = np.iinfo(np.int64).min
        for place, source in enumerate(self.mapping.events):
            unit = TimeUnit(source, self.mapping.cleaning, self.now)
            for batch, found in map_in_order(self._canonical(place, known), self._numbered(source)):
                self._count_rows(self.events, "events", batch, RowFate(found.rejections, 0, found.notes))
                unit.add(batch.table, found.instants)
                if known is not None and "unknown_item" in found.rejections.counts():
                    self.unlisted |= ids_beyond(known, as_ids(batch.table[source.item]).texts)
                kept = np.flatnonzero(found.rejections.kept)
                file = np.full(len(kept), self.reader.files[batch.files[0][0]], np.int32)
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
        with self.progress("cleaning events", self.events.rows) as advance:
            for part in staged.parts():
                cleaned = clean(part, self.mapping.cleaning, self.now)
                reasons = cleaned.rejected["reason"].value_counts().to_pylist()
                self.events.count_rejected({row["values"]: row["counts"] for row in reasons})
                self.events.kept += len(cleaned.kept)
                self.event_ids.count_reused(cleaned.reused_ids)
                if len(cleaned.rejected):
                    rejected = self.event_ids.stored(cleaned.rejected)
                    self.quarantine.append(quarantined_events(rejected, list(self.reader.files)))
                events, returned = (
                    shifted(self.event_ids.stored(table).select(EVENT_SCHEMA.names), shift)
                    for table in (cleaned.kept, cleaned.returned)
                )
                if len(events):
                    lake.append(events)  # goes on in the background; what fails below discards it
                found.add(validate_events(events), conform_table(returned, EVENT_SCHEMA, "events"))
                advance(len(part))
        self.event_ids.warn(self.warnings)
        return found

    def compare_ids(self, items: pa.Table, users: pa.Table | None, events: EventSummary) -> None:
        """Warns where the catalog or the user file speaks of others than the events do."""
        named = pa.array(events.items | self.unlisted if self.mapping.items.files else (), pa.string())
        compare_ids(items[columns.ITEM_ID], named, ITEMS, self.warnings)
        if users is not None:
            named = pa.array(events.users, pa.string())
            compare_ids(users[columns.USER_ID], named, USERS, self.warnings)
        for file in self.joins:
            for asked in file.asked:
                compare_ids(file.keys.texts, asked, joined_keys(file.name, file.join.on), self.warnings)

    def finished_items(self, items: pa.Table, events: EventSummary) -> pa.Table:
        """The catalog with what only events know."""
        listed = len(items)
        items, untouched = finished_items(items, self.mapping.items, events)
        unlisted = len(items) + len(untouched) - listed
        self.item_rows.notes.fallbacks.update({TITLE_FROM_ID: unlisted, NO_TEXT: unlisted})
        if len(untouched):
            self.item_rows.kept -= len(untouched)
            self.item_rows.count_rejected({"no_events": len(untouched)})
            self.quarantine.append(untouched)
        return items

    def item_history(self, items: pa.Table, shift: int) -> pa.Table | None:
        """Every version of the items that a long table dates; None where it dates none."""
        if self.versions is None or self.now is None:
            return None
        return item_history(self.versions, self.mapping.items, items, shift)

    def report(self, shift: int) -> JsonObject:
        """What report.json will say: where every row went, checked."""
        for name, rows in self.tables().items():
            rows.warn_of_empty_files(name, self.warnings)
        return {
            "mapping": self.mapping.name,
            "shift_days": shift // DAY,
            **{name: rows.report(name, self.quarantine.of(name)) for name, rows in self.tables().items()},
            "warnings": self.warnings.to_json(),
        }

    def tables(self) -> dict[str, RowCounts]:
        """What was counted so far, by table."""
        tables = {"events": self.events, "items": self.item_rows, "users": self.user_rows}
        others = {"vectors": self.vector_rows, "joined": self.joined_rows}
        return tables | {name: rows for name, rows in others.items() if rows.files}

    def _numbered(self, source: EventSource) -> Iterator[tuple[RawBatch, int]]:
        """Raw events with the number at which each batch arrives."""
        for batch in self.reader.batches(source, event_columns(source), "events"):
            yield batch, self.sequence
            self.sequence += batch.seen

    def _canonical(
        self, place: int, known: pa.Array | None
    ) -> Callable[[tuple[RawBatch, int]], tuple[RawBatch, StagedEvents]]:
        """What a thread does with a batch; it touches nothing of this run."""
        weights, rules, source = self.mapping.kind_weights, self.mapping.cleaning, self.mapping.events[place]

        def work(numbered: tuple[RawBatch, int]) -> tuple[RawBatch, StagedEvents]:
            batch, sequence = numbered
            found = canonical_events(batch.table, source, weights, sequence, known)
            events = self.event_ids.marked(found.events, place)
            if rules.repeated_lines != "sum":  # else the cleaning must see which ids were given
                events = with_event_ids(events, rules)
            return batch, replace(found, events=events)

        return work

    def _count_joined(self, file: JoinedFile) -> None:
        self.joins.append(file)
        self.joined_rows.count_repeated(file.repeated)
        fate = RowFate(file.rejections, int(file.rejections.kept.sum()), file.notes)
        self._count_rows(self.joined_rows, "joined", file.rows, fate)

    def _count_rows(self, rows: RowCounts, name: str, batch: RawBatch, fate: RowFate) -> None:
        rows.count_batch(batch, fate)
        if batch.malformed or not fate.rejections.kept.all():
            self.quarantine.append(fate.rejections.quarantine(name, batch))
