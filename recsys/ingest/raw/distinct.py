"""Rows of a catalog that say the same as others, as where it is read from the lines of orders."""

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import IntArray
from recsys.ingest.raw.batch import RawBatch

_ROW = "__row"


def distinct_rows(
    batch: RawBatch, key: str, kept: Literal["first", "last"]
) -> tuple[RawBatch, dict[str, int]]:
    """`batch` with the `kept` one of rows that are alike in all columns, and how many others each file had.

    Where no two rows share a `key`, nothing else is looked at. Columns of lists are not compared: a table
    that has one is left as it is.
    """
    table = batch.table
    count = len(table)
    if count < 2 or any(pa.types.is_nested(kind) for kind in table.schema.types):
        return batch, {}
    if pc.count_distinct(table[key], mode="all").as_py() == count:
        return batch, {}
    numbered = table.append_column(_ROW, pa.array(np.arange(count)))
    function = "min" if kept == "first" else "max"
    groups = numbered.group_by(table.column_names).aggregate([(_ROW, function)])
    places: IntArray = np.sort(groups[f"{_ROW}_{function}"].to_numpy())
    if len(places) == count:
        return batch, {}
    files = tuple((file, int(np.searchsorted(places, start))) for file, start in batch.files)
    chosen = RawBatch(table.take(pa.array(places)), files, batch.rows[places], batch.malformed)
    gone = np.setdiff1d(np.arange(count), places)
    names, counts = np.unique(np.array(batch.file_names(gone)), return_counts=True)
    return chosen, dict(zip(names.tolist(), counts.tolist(), strict=True))
