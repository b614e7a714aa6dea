"""Versions of items that the files themselves date: a long table with the time of each property."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import IntArray, combined
from recsys.dataset.row_versions import differs, last_of, places_of, sorted_versions, with_dates
from recsys.dataset.schemas import INSTANT, ITEM_SCHEMA, conform_table
from recsys.ingest.mapping.catalog_sources import ItemSource
from recsys.ingest.raw.ids import as_ids
from recsys.ingest.readers.long_table import AT, UNDATED
from recsys.ingest.tables.catalog import canonical_items, items_without_rows
from recsys.ingest.tables.finishing import shifted


def item_history(versions: pa.Table, source: ItemSource, items: pa.Table, shift: int) -> pa.Table:
    """The dated rows of `ITEM_SCHEMA` of raw `versions` that say something new, by item and date.

    Args:
        versions: see `pivot_long_table`.
        items: the newest rows, all of one date, which is that of what has no time. Ready vectors from files
            of their own are those of every version.
        shift: microseconds by which the shop's log is moved.
    """
    ids, known_at = combined(as_ids(versions[source.id]).texts), items[columns.AT].cast(pa.int64())[0].as_py()
    parts = [ITEM_SCHEMA.empty_table()]
    for rows in _turns(np.asarray(combined(ids.dictionary_encode()).indices.fill_null(-1))):
        table = canonical_items(versions.take(pa.array(rows)), source)[0]  # each item once
        table = shifted(table, shift, columns.FIRST_AT)
        place = places_of(table[columns.ITEM_ID], pa.chunked_array([ids.take(pa.array(rows))]))
        at = versions[AT].to_numpy()[rows][place]
        instants = pa.array(np.where(at == UNDATED, known_at, at + shift)).cast(INSTANT)
        parts.append(conform_table(table.append_column(columns.AT, instants), ITEM_SCHEMA, "items"))
    table = pa.concat_tables(parts)
    table = table.filter(pc.is_in(table[columns.ITEM_ID], value_set=combined(items[columns.ITEM_ID])))
    if any(vector.files for vector in source.vectors.values()):
        place = places_of(table[columns.ITEM_ID], items[columns.ITEM_ID])
        vectors = combined(items[columns.VECTORS]).take(pa.array(place))
        column = table.column_names.index(columns.VECTORS)
        table = table.set_column(column, table.schema.field(columns.VECTORS), vectors)
    table = last_of(sorted_versions(table, columns.ITEM_ID), [columns.ITEM_ID, columns.AT])
    return table.filter(pa.array(differs(table)))


def dated_by_files(
    items: pa.Table, history: pa.Table | None, known_at: pa.Scalar
) -> tuple[pa.Table, pa.Table]:
    """`items` with the dates of `history`, and the earlier versions.

    An item that is dated later than `known_at` is known from then on by its id alone.

    Args:
        items: the newest rows, dated `known_at`.
        history: see `item_history`; None where the files date nothing.
    """
    none = ITEM_SCHEMA.empty_table()
    if history is None or not len(history):
        return items, none
    newest = last_of(history, [columns.ITEM_ID])
    at = items[columns.AT].cast(pa.int64()).to_numpy().copy()
    place = places_of(items[columns.ITEM_ID], newest[columns.ITEM_ID])
    at[place >= 0] = newest[columns.AT].cast(pa.int64()).to_numpy()[place[place >= 0]]
    first = np.append(True, np.asarray(pc.not_equal(*_neighbours(history[columns.ITEM_ID]))))
    late = history.filter(pc.and_(pa.array(first), pc.greater(history[columns.AT], known_at)))
    bare = items_without_rows(late[columns.ITEM_ID].to_pylist())
    bare = bare.append_column(columns.AT, pa.repeat(known_at, len(bare)))
    last = np.append(~np.asarray(pc.equal(*_neighbours(history[columns.ITEM_ID]))), True)
    earlier = pa.concat_tables([history.filter(pa.array(~last)), conform_table(bare, ITEM_SCHEMA, "items")])
    return with_dates(items, at), sorted_versions(earlier, columns.ITEM_ID)


def _turns(item: IntArray) -> list[IntArray]:
    """Rows, sorted by item, in groups of which each has an item once: all first ones, all second ones."""
    order = np.argsort(item, kind="stable")
    codes = item[order]
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])[: len(codes)])
    turn = np.arange(len(codes)) - np.repeat(starts, np.diff(np.append(starts, len(codes))))
    by_turn = order[np.argsort(turn, kind="stable")]
    return np.split(by_turn, np.cumsum(np.bincount(turn))[:-1]) if len(codes) else []


def _neighbours(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    return column.slice(1), column.slice(0, len(column) - 1)
