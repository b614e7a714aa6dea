"""Cells that only the first row of a group has, carried down to the group's other rows."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import combined, true_rows
from recsys.ingest.mapping.row_sources import FillDown
from recsys.ingest.raw.batch import RawBatch
from recsys.ingest.raw.cells import as_text
from recsys.ingest.raw.unified import unified
from recsys.ingest.tables.merged_rows import filled_cells


def filled_down(batches: Iterator[RawBatch], rule: FillDown) -> Iterator[RawBatch]:
    """`batches` with blank cells of `rule.columns` filled from the rows above that have the same key.

    A group may begin in one batch and go on in the next.
    """
    above: pa.Table | None = None  # the last row so far, already filled
    for batch in batches:
        table = batch.table
        if not len(table):
            yield batch
            continue
        if above is not None:
            table = pa.table(
                {name: pa.chunked_array(unified([above[name], table[name]])) for name in table.column_names}
            )
        filled = _filled(table, rule)
        above = filled.slice(len(filled) - 1)
        filled = filled.slice(len(filled) - len(batch.table))
        yield RawBatch(filled, batch.files, batch.rows, batch.malformed)


def _filled(table: pa.Table, rule: FillDown) -> pa.Table:
    keys = as_text(table[rule.by])
    count = len(keys)
    places = np.arange(count)
    if rule.by in rule.columns:
        above = np.maximum.accumulate(np.where(np.asarray(keys.is_valid()), places, -1))
        keys = keys.take(pa.array(above, mask=above < 0))
    begins = np.ones(count, bool)
    same = pc.equal(keys.slice(1), keys.slice(0, count - 1))
    begins[1:] = ~true_rows(same)  # rows without a key stand alone
    first = np.maximum.accumulate(np.where(begins, places, 0))
    for name in rule.columns:
        if name in table.column_names:
            column = combined(table[name])
            last = np.maximum.accumulate(np.where(filled_cells(column), places, -1))
            cells = column.take(pa.array(last, mask=last < first))
            table = table.set_column(table.column_names.index(name), name, cells)
    return table
