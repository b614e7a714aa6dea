"""Raw rows of an event file -> canonical events, by the rules of a mapping; pure, one batch at a time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, Column, FloatArray, IntArray
from recsys.dataset.schemas import EVENT_SCHEMA, INSTANT
from recsys.errors import DataError
from recsys.ingest.cleaning.filters import ABSURD_TIME, FUTURE_TIME
from recsys.ingest.mapping.event_sources import EventSource
from recsys.ingest.raw.cells import LIST_MARK, ParsedCells, as_number, as_text
from recsys.ingest.raw.ids import as_ids
from recsys.ingest.raw.time_cells import FIRST_MICROS, LAST_MICROS, SPREADSHEET_DAYS, as_instant
from recsys.ingest.tables.amounts import amounts_of
from recsys.ingest.tables.answer_cells import answer_cells, answer_columns, place_cells
from recsys.ingest.tables.cell_notes import CellNotes
from recsys.ingest.tables.conditions import apply_reject_rules, kinds_of
from recsys.ingest.tables.rejections import RowRejections, reject_ids
from recsys.instants import SECOND

ORDER_START_MICROS = 946_684_800 * SECOND  # 2000-01-01: where the instants of data without a clock begin


@dataclass(frozen=True)
class StagedEvents:
    """Canonical events of one batch, before cleaning; `event_id` is null where the source has none.

    Attributes:
        events: the rows that are not rejected, columns of `EVENT_SCHEMA`.
        rejections: the fate of every raw row.
        instants: of every raw row.
        notes: what was made of cells.
    """

    events: pa.Table
    rejections: RowRejections
    instants: ParsedCells
    notes: CellNotes


def event_columns(source: EventSource) -> list[str]:
    """The raw columns that `source` reads."""
    kind = source.kind
    given = [
        source.user,
        source.item,
        source.event_id,
        source.session,
        source.query,
        source.request,
        source.position.column if source.position else None,
        *answer_columns(source),
        source.weight,
        source.time.column,
        kind.column,
        source.value.column if source.value else None,
        source.quantity.column if source.quantity else None,
        *(case.column for case in kind.cases),
        *(condition.column for rule in source.reject for condition in rule.when),
    ]
    return list(dict.fromkeys(name for name in given if name is not None))


def canonical_events(
    raw: pa.Table,
    source: EventSource,
    weights: dict[str, float],
    first_sequence: int,
    known_items: pa.Array | None = None,
) -> StagedEvents:
    """Canonical events of `raw`; row i arrives as number `first_sequence` + i.

    Args:
        raw: the columns of `event_columns(source)`.
        weights: kind -> weight, for every kind.
        known_items: the catalog's ids, where events of other items are to be rejected.

    Raises:
        ConfigError: the mapping's time zone is unknown.
        DataError: an event says when it came but the order of the file is beyond 200 years of seconds.
    """
    rejections = RowRejections(len(raw))
    apply_reject_rules(source.reject, raw, rejections)
    kinds = kinds_of(source.kind, raw, rejections)
    notes = CellNotes()
    users = _ids(raw, source.user, rejections, notes)
    rejections.reject(_null(users), "missing_user", source.user, "names no user")
    items = _ids(raw, source.item, rejections, notes)
    if source.item is not None:
        needs_item = pc.not_equal(kinds, pa.scalar(columns.SEARCH)).fill_null(False)
        rejections.reject(_null(items) & np.asarray(needs_item), "missing_item", source.item, "names no item")
    if known_items is not None:
        unlisted = np.asarray(items.is_valid()) & ~np.asarray(pc.is_in(items, value_set=known_items))
        rejections.reject(unlisted, "unknown_item", source.item, "is not in the catalog")
    sequence = np.arange(first_sequence, first_sequence + len(raw))
    instants = _instants(raw, source, sequence, rejections)
    quantity, value = amounts_of(raw, source, kinds, rejections, notes)
    position = place_cells(raw, source.position, rejections, notes)
    weight = _weights(raw, source, kinds, weights, rejections)
    present = {
        columns.EVENT_ID: _ids(raw, source.event_id, rejections, notes),
        columns.KIND: kinds,
        columns.USER_ID: users,
        columns.ITEM_ID: items,
        columns.AT: pa.array(instants.values).cast(INSTANT),
        columns.SEQUENCE: pa.array(sequence),
        columns.SESSION_ID: _ids(raw, source.session, rejections, notes),
        columns.QUERY: _text(raw, source.query),
        columns.REQUEST_ID: _ids(raw, source.request, rejections, notes),
        columns.POSITION: position,
        columns.QUANTITY: quantity,
        columns.VALUE_MICROS: value,
        columns.WEIGHT: pa.array(weight),
        columns.QUERY_ID: _ids(raw, source.query_id, rejections, notes),
        columns.SURFACE: _ids(raw, source.surface, rejections, notes),
        **answer_cells(raw, source, rejections, notes),
    }
    return StagedEvents(_kept(present, rejections.kept), rejections, instants, notes)


def _kept(present: dict[str, Column], kept: BoolArray) -> pa.Table:
    """The kept rows in the canonical types, everything nullable: ids are made by the cleaning."""
    count = int(kept.sum())
    chosen = None if count == len(kept) else pa.array(kept)
    arrays = {}
    for field in EVENT_SCHEMA:
        column = present[field.name]
        if column.null_count == len(column):  # a column that the shop lacks costs nothing
            arrays[field.name] = pa.nulls(count, field.type)
        else:
            arrays[field.name] = (column if chosen is None else column.filter(chosen)).cast(field.type)
    return pa.table(arrays)


def _null(array: Column) -> BoolArray:
    return np.asarray(array.is_null())


def _text(raw: pa.Table, name: str | None) -> Column:
    if name is None:
        return pa.nulls(len(raw), pa.string())
    return pc.replace_substring(as_text(raw[name]), LIST_MARK, ", ")


def _ids(raw: pa.Table, name: str | None, rejections: RowRejections, notes: CellNotes) -> Column:
    if name is None:
        return pa.nulls(len(raw), pa.string())
    cells = as_ids(raw[name])
    reject_ids(cells, rejections, name)
    notes.add_ids(name, cells)
    return cells.texts


def _instants(
    raw: pa.Table, source: EventSource, sequence: IntArray, rejections: RowRejections
) -> ParsedCells:
    time = source.time
    if time.unit == "order":
        steps = (
            _number(raw, time.column, rejections) if time.column else ParsedCells(sequence, *_none(len(raw)))
        )
        farthest = float(np.abs(steps.values).max(initial=0))
        if farthest > 200 * 365 * 86_400:
            raise DataError(
                f"position {farthest:.16g} is too large to count as seconds. Is "
                f'{time.column!r} a Unix time? Then write unit = "s" or unit = "ms".'
            )
        values = ORDER_START_MICROS + np.rint(steps.values * SECOND).astype(np.int64)
        parsed = ParsedCells(values, steps.missing, steps.bad)
    else:
        parsed = as_instant(raw[time.column], time.unit, time.format, time.zone)
    rejections.reject(parsed.missing, "missing_time", time.column, "names no instant")
    if parsed.bad.any() and time.unit == "iso" and time.format is None:
        counts = as_number(raw[time.column])
        numbers = parsed.bad & counts.ok
        first, last = SPREADSHEET_DAYS
        days = numbers & (counts.values >= first) & (counts.values <= last)
        rejections.reject(
            days, "bad_time", time.column, "seems to be a spreadsheet's count of days; export it as a date"
        )
        detail = "is a number: `unit` in the mapping says what it counts, s, ms, us or ns since 1970"
        rejections.reject(numbers, "bad_time", time.column, detail)
    rejections.reject(parsed.bad, "bad_time", time.column, f"is not an instant ({time.format or time.unit})")
    if time.unit != "order":
        late, early = parsed.values > LAST_MICROS, parsed.values < FIRST_MICROS
        rejections.reject(late, FUTURE_TIME, time.column, f"({time.unit}) lies beyond the year 9999")
        rejections.reject(early, ABSURD_TIME, time.column, f"({time.unit}) lies before the year 1")
    return parsed


def _none(count: int) -> tuple[Any, Any]:
    return np.zeros(count, bool), np.zeros(count, bool)


def _number(raw: pa.Table, name: str, rejections: RowRejections) -> ParsedCells:
    parsed = as_number(raw[name])
    rejections.reject(parsed.bad, "bad_number", name, "is not a number")
    return parsed


def _weights(
    raw: pa.Table, source: EventSource, kinds: Column, weights: dict[str, float], rejections: RowRejections
) -> FloatArray:
    """The weight of each row; where its cell is empty, that of its kind."""
    names = list(weights)
    places: Column = pc.index_in(kinds, value_set=pa.array(names, pa.string()))
    table = np.array([*(weights[name] for name in names), 0.0], np.float32)
    by_kind = np.asarray(table[places.fill_null(len(names)).to_numpy(zero_copy_only=False)], np.float32)
    if source.weight is None:
        return by_kind
    parsed = _number(raw, source.weight, rejections)
    rejections.reject(parsed.values < 0, "bad_number", source.weight, "is a negative weight")
    return np.where(parsed.missing, by_kind, parsed.values).astype(np.float32)
