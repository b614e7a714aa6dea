"""Ready vectors that lie in files of their own: joined to the catalog's rows by item id."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import Column
from recsys.ingest.mapping.catalog_sources import VectorSource
from recsys.ingest.raw.batch import RawBatch, concat_batches
from recsys.ingest.raw.ids import as_ids
from recsys.ingest.tables.cell_notes import CellNotes
from recsys.ingest.tables.merged_rows import repeated_rows
from recsys.ingest.tables.rejections import RowRejections, reject_ids


@dataclass(frozen=True)
class JoinedVectors:
    """What a file of vectors gave.

    Attributes:
        cells: the vector's cell for each row of the catalog, null where the file has none.
        rows: what was read, without the vectors themselves. rejections: the fate of each of its rows.
        notes: what was made of its cells.
    """

    cells: Column
    rows: RawBatch
    rejections: RowRejections
    notes: CellNotes

    @property
    def kept(self) -> int:
        """How many rows had a vector for a known item."""
        return int(self.rejections.kept.sum())


def joined_vectors(batches: Sequence[RawBatch], source: VectorSource, item_ids: Column) -> JoinedVectors:
    """The vectors of `batches` at the rows whose ids are `item_ids`; of rows with one id the last counts.

    A row without a vector is not the last where another row of its id has one.
    """
    batch = concat_batches(batches, [source.id, source.column])
    cells = as_ids(batch.table[source.id])
    ids = cells.texts
    rejections, notes = RowRejections(len(ids)), CellNotes()
    notes.add_ids(source.id, cells)
    reject_ids(cells, rejections, source.id, "missing_item", "names no item")
    repeated = repeated_rows(ids, rejections.kept, "last")
    if repeated.any():
        filled = np.asarray(batch.table[source.column].is_valid()) & rejections.kept
        having = pc.is_in(ids, value_set=ids.filter(pa.array(filled)))
        empty = rejections.kept & ~filled & np.asarray(having)
        rejections.reject(empty, "duplicate", source.id, "has no vector; another row of its item has one")
        repeated = repeated_rows(ids, rejections.kept, "last")
    rejections.reject(repeated, "duplicate", source.id, "comes again further down")
    known = pc.is_in(ids, value_set=pc.drop_null(item_ids))
    rejections.reject(~np.asarray(known), "unknown_item", source.id, "is not an item of the catalog")
    kept = pa.array(rejections.kept)
    place = pc.index_in(item_ids, value_set=ids.filter(kept))  # null where the file has no such item
    vectors = batch.table[source.column].filter(kept).take(place)
    rows = RawBatch(batch.table.select([source.id]), batch.files, batch.rows, batch.malformed)
    return JoinedVectors(vectors, rows, rejections, notes)
