"""Long tables, one property of an item a row, turned into one row an item."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import Column, DoubleArray, IntArray, combined
from recsys.errors import DataError
from recsys.ingest.mapping.catalog_sources import Long
from recsys.ingest.raw.batch import Malformed, RawBatch, missing_column
from recsys.ingest.raw.cells import as_number, as_text
from recsys.ingest.raw.ids import as_ids
from recsys.ingest.raw.time_cells import FIRST_MICROS, as_instant, is_time_type
from recsys.ingest.raw.unified import unified
from recsys.ingest.tables.cell_notes import TIME_REMEDY, CellNotes

AT = "\0at"  # of a table whose other columns are named by a shop
UNDATED = FIRST_MICROS - 1


def long_columns(identifier: str, long: Long) -> list[str]:
    """The raw columns of a long table."""
    time = long.time.column if long.time else None
    return [identifier, long.name, long.value, *([time] if time else [])]


def pivot_long_table(
    batches: Iterable[RawBatch],
    identifier: str,
    long: Long,
    columns: Sequence[str],
    optional: Collection[str] = (),
) -> tuple[RawBatch, CellNotes, pa.Table | None]:
    """One row an item: `identifier` and the latest value of each property out of `columns`.

    The last part, where the times are instants, has such a row of each item for each instant at which it was
    told something, with a column AT (int64 microseconds, UNDATED of what has no time), by item and instant.

    A row without a value, or without a time that can be read, never replaces one that has it. The row
    number of an item is that of its first property. Malformed rows are kept as such.

    Args:
        optional: properties that no row need have.

    Raises:
        SchemaMismatchError: a property that no row has; the message names the nearest.
        DataError: none of the times can be read.
    """
    notes = CellNotes()
    wanted = pa.array([name for name in columns if name != identifier], pa.string())
    found = _gathered(batches, identifier, long, wanted)
    for name in wanted.to_pylist():
        if found.present and name not in found.present and name not in optional:
            raise missing_column(f"the long table {found.file}", name, sorted(found.present), "property")
    if not sum(map(len, found.tables)):
        empty = pa.table({name: pa.nulls(0, pa.string()) for name in columns})
        return RawBatch(empty, ((found.file, 0),), np.zeros(0, np.int64), found.malformed), notes, None
    table = pa.concat_tables(found.tables).combine_chunks()
    ids = combined(table["id"]).dictionary_encode()
    item = ids.indices.fill_null(len(ids.dictionary)).to_numpy(zero_copy_only=False).astype(np.int64)
    count = len(ids.dictionary) + (1 if ids.null_count else 0)
    first = np.full(count, len(table))
    np.minimum.at(first, item, np.arange(len(table)))
    # As they came: the catalog judges them with all its ids.
    written = combined(pa.chunked_array(unified(found.written))).take(pa.array(first))
    wide = {identifier: written}
    times, are_instants = _times(found.times, long, notes)
    order = np.argsort(times, kind="stable")
    told: dict[str, IntArray] = {}
    names, filled = combined(table["name"]), np.asarray(table["value"].is_valid())
    for name in wanted.to_pylist():
        rows = order[(np.asarray(pc.equal(names, name)) & filled)[order]]
        told[name] = rows
        latest = np.full(count, -1, np.int64)
        latest[item[rows]] = rows  # the last write of an item wins
        values = combined(table["value"]).take(pa.array(latest, mask=latest < 0))
        wide[name] = values
    rows = table["row"].to_numpy()[first]
    batch = RawBatch(pa.table(wide), ((found.file, 0),), rows, found.malformed)
    if not are_instants:
        return batch, notes, None
    instants = np.maximum(np.asarray(times, np.int64), UNDATED)
    return batch, notes, _versions(identifier, written, item, instants, told, combined(table["value"]))


def _versions(
    identifier: str,
    written: pa.Array,
    item: IntArray,
    at: IntArray,
    told: dict[str, IntArray],
    values: pa.Array,
) -> pa.Table:
    """The values of each item at each of its instants.

    Args:
        written: ids by item. item, at: (N,) of each row.
        told: property -> the rows that tell it, in the order of time.
    """
    instants, rank = np.unique(at, return_inverse=True)
    key = item * len(instants) + rank
    points = np.unique(np.concatenate([key[rows] for rows in told.values()]))
    owner = points // len(instants)
    wide = {identifier: written.take(pa.array(owner))}
    for name, rows in told.items():
        rows = rows[np.argsort(key[rows], kind="stable")]  # by item, then time, then the order of the file
        place = np.searchsorted(key[rows], points, side="right") - 1
        found = np.append(rows, -1)[place]
        own = (place >= 0) & (item[found] == owner)
        wide[name] = values.take(pa.array(found, mask=~own))
    return pa.table({**wide, AT: pa.array(instants[points % len(instants)])})


@dataclass(frozen=True)
class _LongRows:
    """The rows of the properties that are asked for, one part a batch.

    Attributes:
        tables: `id`, `name`, `value` and `row`. times: what to order them by. written: the ids as they came.
        present: names of all properties. file: the first one, empty where there is none.
    """

    tables: list[pa.Table]
    times: list[Column]
    written: list[Column]
    present: set[str]
    file: str
    malformed: tuple[Malformed, ...]


def _gathered(batches: Iterable[RawBatch], identifier: str, long: Long, wanted: Column) -> _LongRows:
    present: set[str] = set()
    tables: list[pa.Table] = []
    times: list[Column] = []
    written: list[Column] = []
    malformed: list[Malformed] = []
    files: list[str] = []
    for batch in batches:
        malformed += batch.malformed
        files += [file for file, _ in batch.files]
        table = pa.table(
            {
                "id": as_ids(batch.table[identifier]).texts,
                "name": as_text(batch.table[long.name]),
                "value": as_text(batch.table[long.value]),
                "row": batch.rows,
            }
        )
        present |= set(pc.unique(table["name"]).drop_null().to_pylist())
        chosen = pc.is_in(table["name"], value_set=wanted)
        tables.append(table.filter(chosen))
        time = batch.table[long.time.column] if long.time and long.time.column else table["row"]
        times.append(time.filter(chosen))
        written.append(batch.table[identifier].filter(chosen))
    return _LongRows(tables, times, written, present, files[0] if files else "", tuple(malformed))


def _times(parts: Sequence[Column], long: Long, notes: CellNotes) -> tuple[DoubleArray | IntArray, bool]:
    """(N,) what to order the rows by, all `parts` read alike, and whether those are instants.

    It is the least where there is no time.

    Numbers are instants if the mapping says what they count, else they count anything.
    """
    time, cells = long.time, pa.chunked_array(unified(parts))
    if time is None:
        return np.zeros(len(cells), np.int64), False
    if time.unit == "iso" and time.format is None and not is_time_type(cells.type):
        numbers = as_number(cells)
        if not numbers.bad.any():
            return np.where(numbers.missing, -np.inf, numbers.values), False
    instants = as_instant(cells, time.unit, time.format, time.zone)
    if instants.bad.any() and time.column:
        notes.add_unread_times(time.column, cells, instants.bad)
        if not instants.ok.any():
            example = notes.examples["unread_times", time.column]
            raise DataError(
                f"none of the {int(instants.bad.sum())} times in {time.column!r} of the long table can be "
                f"read, such as {example!r}. {TIME_REMEDY}"
            )
    return np.where(instants.ok, instants.values, UNDATED), True
