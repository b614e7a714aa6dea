"""Files joined to the rows of another by a key, such as orders to their lines: held in memory as Arrow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import Column, IntArray
from recsys.errors import DataError
from recsys.ingest.cleaning.hashing import hash_texts
from recsys.ingest.mapping.row_sources import Join
from recsys.ingest.raw.batch import Malformed, RawBatch, concat_batches
from recsys.ingest.raw.distinct import distinct_rows
from recsys.ingest.raw.ids import as_ids
from recsys.ingest.readers.files import read_batches
from recsys.ingest.readers.limits import DEFAULT_LIMITS, ReadLimits
from recsys.ingest.tables.cell_notes import CellNotes
from recsys.ingest.tables.merged_rows import repeated_rows
from recsys.ingest.tables.rejections import RowRejections, reject_ids


class Keys:
    """Distinct texts and at which place each of them is."""

    def __init__(self, keys: Column) -> None:
        self.texts = keys
        hashes = hash_texts(keys)
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    def places(self, texts: Column) -> IntArray:
        """(n,) place of each text, -1 where it is none of the keys."""
        if not len(self._hashes):
            return np.full(len(texts), -1, np.int64)
        found = np.searchsorted(self._hashes, hash_texts(texts))
        places = self._order[np.minimum(found, len(self._hashes) - 1)]
        same = pc.equal(self.texts.take(pa.array(places)), texts).fill_null(False)
        return np.where(np.asarray(same), places, -1)


@dataclass(frozen=True)
class JoinedFile:
    """The rows of a joined file.

    Attributes:
        table: its columns as `name.column`, one row a key.
        rows: what was read of it, for the account. rejections: the fate of each of these rows.
        notes: what was made of its keys.
        repeated: rows by file that only repeat one of these.
        asked: the keys that the first batch of rows names.
    """

    name: str
    join: Join
    keys: Keys
    table: pa.Table
    rows: RawBatch
    rejections: RowRejections
    notes: CellNotes
    repeated: Mapping[str, int]
    asked: list[Column] = field(default_factory=list)

    def joined(self, batch: RawBatch) -> RawBatch:
        """`batch` with the columns of the file; rows without a match are set aside, or empty (`left`)."""
        keys = as_ids(batch.table[self.join.on]).texts
        places = self.keys.places(keys)
        if not self.asked:
            self.asked.append(pc.unique(keys))
        kept = np.ones(len(keys), bool) if self.join.how == "left" else places >= 0
        table = batch.table.filter(pa.array(kept))
        found = pa.array(places[kept], mask=places[kept] < 0)
        for name in self.table.column_names:
            table = table.append_column(name, self.table[name].take(found))
        files = tuple((file, int(kept[:start].sum())) for file, start in batch.files)
        lost = self._unmatched(batch, keys, np.flatnonzero(~kept))
        return RawBatch(table, files, batch.rows[kept], (*batch.malformed, *lost))

    def _unmatched(self, batch: RawBatch, keys: Column, places: IntArray) -> Iterator[Malformed]:
        rows = batch.table.take(pa.array(places)).to_pylist()
        for file, place, row in zip(batch.file_names(places), places.tolist(), rows, strict=True):
            key = keys[place].as_py()
            reason = "missing_key" if key is None else "unknown_key"
            detail = f"{self.join.on} = {key!r} is in no row of {', '.join(self.join.files)}"
            detail = f"{self.join.on} is empty" if key is None else detail
            raw = orjson.dumps(row, default=str).decode()
            yield Malformed(file, int(batch.rows[place]), raw, detail, reason)


def read_joined(
    name: str, join: Join, folder: Path, columns: Sequence[str], limits: ReadLimits = DEFAULT_LIMITS
) -> JoinedFile:
    """The joined file of `join`, its `columns` only; of rows with one key the last counts.

    Raises:
        SchemaMismatchError: a column is missing.
        DataError: the file is missing, damaged or too large to be held in memory.
    """
    wanted = list(dict.fromkeys([join.key, *columns]))
    batches: list[RawBatch] = []
    size = 0
    for batch in read_batches(join, folder, wanted, limits):
        batches.append(batch)
        size += batch.table.nbytes
        if size > join.most_mib << 20:
            raise DataError(
                f"the join {name!r} takes more than {join.most_mib} MiB of memory (at {batch.files[0][0]}). "
                "Raise its `most_mib`, or make the smaller file the joined one."
            )
    rows, repeated = distinct_rows(concat_batches(batches, wanted), join.key, "last")
    cells = as_ids(rows.table[join.key])
    keys, rejections, notes = cells.texts, RowRejections(len(rows.table)), CellNotes()
    notes.add_ids(join.key, cells)
    reject_ids(cells, rejections, join.key, "missing_key", "names no key")
    rejections.reject(
        repeated_rows(keys, rejections.kept, "last"), "duplicate", join.key, "comes again further down"
    )
    kept = pa.array(rejections.kept)
    table = rows.table.select(list(columns)).filter(kept).combine_chunks()
    table = table.rename_columns([f"{name}.{column}" for column in columns])
    return JoinedFile(name, join, Keys(keys.filter(kept)), table, rows, rejections, notes, repeated)
