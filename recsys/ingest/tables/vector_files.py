"""Ready vectors that lie in files of their own: joined to the catalog's rows by item id."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import Column
from recsys.ingest.mapping.catalog_sources import VectorSource
from recsys.ingest.raw.batch import RawBatch, concat_batches
from recsys.ingest.raw.cells import as_text
from recsys.ingest.tables.rejections import RowRejections, overwritten_rows


@dataclass(frozen=True)
class JoinedVectors:
    """What a file of vectors gave.

    Attributes:
        cells: the vector's cell for each row of the catalog, null where the file has none.
        rows: what was read, without the vectors themselves. rejections: the fate of each of its rows.
    """

    cells: Column
    rows: RawBatch
    rejections: RowRejections

    @property
    def kept(self) -> int:
        """How many rows had a vector for a known item."""
        return int(self.rejections.kept.sum())


def joined_vectors(batches: Sequence[RawBatch], source: VectorSource, item_ids: Column) -> JoinedVectors:
    """The vectors of `batches` at the rows whose ids are `item_ids`; of rows with one id the last counts."""
    batch = concat_batches(batches, [source.id, source.column])
    ids = as_text(batch.table[source.id])
    rejections = RowRejections(len(ids))
    rejections.reject(np.asarray(ids.is_null()), "missing_item", source.id, "names no item")
    rejections.reject(
        overwritten_rows(ids, rejections.kept), "duplicate", source.id, "comes again further down"
    )
    known = pc.is_in(ids, value_set=pc.drop_null(item_ids))
    rejections.reject(~np.asarray(known), "unknown_item", source.id, "is not an item of the catalog")
    kept = pa.array(rejections.kept)
    place = pc.index_in(item_ids, value_set=ids.filter(kept))  # null where the file has no such item
    cells = batch.table[source.column].filter(kept).take(place)
    rows = RawBatch(batch.table.select([source.id]), batch.files, batch.rows, batch.malformed)
    return JoinedVectors(cells, rows, rejections)
