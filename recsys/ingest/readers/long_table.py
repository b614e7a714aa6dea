"""Long tables, one property of an item a row, turned into one row an item."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import combined
from recsys.ingest.mapping.catalog_sources import Long
from recsys.ingest.raw.batch import Malformed, RawBatch
from recsys.ingest.raw.cells import as_number, as_text


def long_columns(identifier: str, long: Long) -> list[str]:
    """The raw columns of a long table."""
    return [identifier, long.name, long.value, *([long.time] if long.time else [])]


def pivot_long_table(
    batches: Iterable[RawBatch], identifier: str, long: Long, columns: Sequence[str]
) -> RawBatch:
    """One row an item: `identifier` and the latest value of each property out of `columns`.

    The row number of an item is that of its first property. Malformed rows are kept as such.
    """
    wanted = pa.array([name for name in columns if name != identifier], pa.string())
    tables: list[pa.Table] = []
    malformed: list[Malformed] = []
    files: list[str] = []
    for batch in batches:
        malformed += batch.malformed
        files += [file for file, _ in batch.files]
        table = pa.table(
            {
                "id": as_text(batch.table[identifier]),
                "name": as_text(batch.table[long.name]),
                "value": as_text(batch.table[long.value]),
                "time": _times(batch.table, long),
                "row": batch.rows,
            }
        )
        tables.append(table.filter(pc.is_in(table["name"], value_set=wanted)))
    table = pa.concat_tables(tables).combine_chunks() if tables else None
    if table is None or not len(table):
        empty = pa.table({name: pa.nulls(0, pa.string()) for name in columns})
        return RawBatch(empty, (("", 0),), np.zeros(0, np.int64), tuple(malformed))
    ids = combined(table["id"]).dictionary_encode()
    item = ids.indices.fill_null(len(ids.dictionary)).to_numpy(zero_copy_only=False).astype(np.int64)
    count = len(ids.dictionary) + (1 if ids.null_count else 0)
    wide = {identifier: pa.concat_arrays([ids.dictionary, pa.nulls(1, pa.string())]).slice(0, count)}
    order = np.argsort(table["time"].to_numpy(), kind="stable")
    names = combined(table["name"])
    for name in wanted.to_pylist():
        rows = order[np.asarray(pc.equal(names, name))[order]]
        latest = np.full(count, -1, np.int64)
        latest[item[rows]] = rows  # the last write of an item wins
        values = combined(table["value"]).take(pa.array(latest, mask=latest < 0))
        wide[name] = values
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, item, table["row"].to_numpy())
    return RawBatch(pa.table(wide), ((files[0], 0),), first, tuple(malformed))


def _times(table: pa.Table, long: Long) -> pa.Array:
    if long.time is None:
        return pa.array(np.zeros(len(table)))
    return pa.array(as_number(table[long.time]).values)
