"""Rows kept in memory while they fit, and on disk by user where they do not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc

from recsys import columns
from recsys.arrays import combined
from recsys.ingest.cleaning.hashing import hash_texts

MEMORY_ROWS = 8_000_000  # about 1.5 GB of canonical events
PARTITIONS = 64  # so that each part of half a billion rows fits in memory again


class EventsByUser:
    """Events appended in batches and given back in parts, all events of a user in one part.

    Every cleaning rule looks at one user at a time, so parts can be cleaned one after another. The one
    thing lost where rows go to disk: an event id given to two users is found only within a part.
    """

    def __init__(self, scratch: Path, memory_rows: int = MEMORY_ROWS) -> None:
        self._scratch = scratch
        self._memory_rows = memory_rows
        self._tables: list[pa.Table] = []
        self._rows = 0
        self._writers: list[ipc.RecordBatchFileWriter] = []

    def append(self, table: pa.Table) -> None:
        """Adds a batch; all batches have the same columns."""
        self._tables.append(table)
        self._rows += len(table)
        if self._writers or self._rows > self._memory_rows:
            self._spill()

    def parts(self) -> Iterator[pa.Table]:
        """The parts, as few as fit in memory, each user's rows in order of arrival; ends the appending."""
        if not self._writers:
            if self._tables:
                yield pa.concat_tables(self._tables).combine_chunks()
            return
        for writer in self._writers:
            writer.close()
        waiting: list[pa.Table] = []
        for partition in range(PARTITIONS):
            table = self._read(partition)
            if waiting and sum(map(len, waiting)) + len(table) > self._memory_rows:
                yield pa.concat_tables(waiting).combine_chunks()
                waiting = []
            waiting.append(table)
        yield pa.concat_tables(waiting).combine_chunks()

    def close(self) -> None:
        """Closes what a failure left open."""
        for writer in self._writers:
            writer.close()

    def _spill(self) -> None:
        if not self._writers:
            self._scratch.mkdir(parents=True, exist_ok=True)
            options = ipc.IpcWriteOptions(compression="lz4")
            schema = self._tables[0].schema
            self._writers = [
                ipc.new_file(str(self._path(part)), schema, options=options) for part in range(PARTITIONS)
            ]
        for table in self._tables:
            parts = hash_texts(combined(table[columns.USER_ID])) % np.uint64(PARTITIONS)
            order = np.argsort(parts, kind="stable")
            ends = np.cumsum(np.bincount(parts.astype(np.int64), minlength=PARTITIONS))
            ordered = table.take(order)
            for part, end in enumerate(ends.tolist()):
                start = int(ends[part - 1]) if part else 0
                if end > start:
                    self._writers[part].write_table(ordered.slice(start, end - start))
        self._tables = []

    def _read(self, part: int) -> pa.Table:
        path = self._path(part)
        with pa.OSFile(str(path)) as source:
            table = ipc.open_file(source).read_all()
        path.unlink()
        return table

    def _path(self, part: int) -> Path:
        return self._scratch / f"events-{part:02d}.arrow"
