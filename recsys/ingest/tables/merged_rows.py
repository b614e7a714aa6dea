"""Several rows with one id made one row: column by column the last value that is there, or one row whole."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import BoolArray, Column, IntArray, combined
from recsys.ingest.mapping.catalog_sources import Rows
from recsys.ingest.raw.cells import as_text, is_list_type
from recsys.ingest.tables.rejections import RowRejections


def merge_rows(raw: pa.Table, ids: Column, name: str, rule: Rows, rejections: RowRejections) -> pa.Table:
    """The rows of `raw` that are kept, one an id, after refusing the others; `name` is the column of `ids`.

    The rows that are not kept go to the quarantine whole, as `merged` or `duplicate`.
    """
    kept = rejections.kept
    again = repeated_rows(ids, kept, "first" if rule == "first" else "last")
    if not again.any():
        return raw.filter(pa.array(kept))
    if rule == "merge":
        detail = "comes again further down; its cells count where the rows below are blank"
        raw = with_filled_blanks(raw, ids, kept)
        rejections.reject(again, "merged", name, detail)
    else:
        rejections.reject(
            again, "duplicate", name, f"comes again further {'up' if rule == 'first' else 'down'}"
        )
    return raw.filter(pa.array(rejections.kept))


def repeated_rows(ids: Column, rows: BoolArray, kept: Rows) -> BoolArray:
    """(N,) bool: those of `rows` whose id others of them have too, but for the `first` or `last` of each."""
    codes = _codes(ids)
    places = np.flatnonzero(rows)
    places = places[::-1] if kept == "first" else places
    chosen = np.full(int(codes.max(initial=-1)) + 2, -1, np.int64)
    chosen[codes[places]] = places  # the last write of an id wins
    mask = np.zeros(len(codes), bool)
    mask[places] = chosen[codes[places]] != places
    return mask


def with_filled_blanks(raw: pa.Table, ids: Column, rows: BoolArray) -> pa.Table:
    """`raw`, where a blank cell of `rows` has the last value that is there in `rows` of the same id."""
    codes = _codes(ids)
    columns = []
    for column in raw.columns:
        cells = combined(column)
        filled = filled_cells(cells)
        places = np.flatnonzero(rows & filled)
        last = np.full(int(codes.max(initial=-1)) + 2, -1, np.int64)
        last[codes[places]] = places
        source = np.arange(len(codes))
        blank = rows & ~filled & (last[codes] >= 0)
        source[blank] = last[codes[blank]]
        columns.append(cells.take(pa.array(source)) if blank.any() else cells)
    return pa.table(columns, schema=raw.schema)


def _codes(ids: Column) -> IntArray:
    """(N,) int64: the same number for the same id; -1 where there is none."""
    indices = combined(ids).dictionary_encode().indices.fill_null(-1)
    return np.asarray(indices.to_numpy(zero_copy_only=False), np.int64)


def filled_cells(cells: Column) -> BoolArray:
    """(N,) bool: cells with something in them; blanks, NaN and an empty list are nothing."""
    kind = cells.type
    if is_list_type(kind):
        return np.asarray(pc.fill_null(pc.greater(pc.list_value_length(cells), 0), False))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return np.asarray(cells.is_valid())
    return np.asarray(as_text(cells).is_valid())
