"""The events of a build by bucket of users or of items: what one view's rows are computed from at a time.

The rows of a user depend on the user's events alone, and those of an item on the item's. So a view is
computed bucket by bucket, and memory holds a few buckets, not the lake.
"""

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Lock
from typing import Self, TypeVar

import numpy as np
import pyarrow as pa

from recsys.arrays import Column, IntArray
from recsys.ingest.cleaning.hashing import hash_texts
from recsys.stores.locks import try_lock, wait_for_lock

BUCKET_EVENTS = 131_072  # of which rows are computed at once
WORKERS = 2  # buckets at once: numpy and Arrow work without the interpreter
_FOLDER = ".buckets-"
_LOCK = "lock"
_MOST_BUCKETS = 512  # as many files are open at once
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")

Result = TypeVar("Result")


def bucket_count(events: int) -> int:
    """How many buckets hold about BUCKET_EVENTS each.

    >>> bucket_count(0), bucket_count(BUCKET_EVENTS), bucket_count(BUCKET_EVENTS + 1)
    (1, 1, 2)
    """
    return min(max(-(-events // BUCKET_EVENTS), 1), _MOST_BUCKETS)


def bucket_of(ids: Column, buckets: int) -> IntArray:
    """(N,) the bucket of each id: the same on every machine."""
    return (hash_texts(ids) % np.uint64(buckets)).astype(np.int64)


class EventBuckets:
    """Tables of events by the bucket of one column: one bucket in memory, several in files until closed."""

    def __init__(self, column: str, buckets: int, folder: Path) -> None:
        """Creates a hidden folder in `folder` if there are several buckets; it goes when this is closed."""
        self.column, self.buckets = column, buckets
        self._held: list[pa.Table] = []
        self._stack = ExitStack()
        self._writers: dict[int, pa.RecordBatchStreamWriter] = {}
        self._finishing = Lock()  # buckets are read by several threads, and the first ones end the files
        self._root: Path | None = None
        if buckets > 1:
            folder.mkdir(parents=True, exist_ok=True)
            _remove_left(folder)
            made = tempfile.TemporaryDirectory(dir=folder, prefix=_FOLDER)
            self._root = Path(self._stack.enter_context(made))
            self._stack.enter_context(wait_for_lock(self._root / _LOCK))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()
        self._stack.close()

    def add(self, events: pa.Table) -> None:
        """Adds a part of the events; all parts have the same columns. Rows without the id are left out."""
        events = events.filter(events[self.column].is_valid())
        if self._root is None:
            self._held.append(events)
            return
        bucket = bucket_of(events[self.column], self.buckets)
        order = np.argsort(bucket.astype(np.uint16), kind="stable")  # two bytes are sorted without comparing
        ends = np.cumsum(np.bincount(bucket, minlength=self.buckets))
        events = events.take(pa.array(order))
        for number, (start, end) in enumerate(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)):
            if end > start:
                self._writer(number, events.schema).write_table(events.slice(start, end - start))

    def table(self, number: int, schema: pa.Schema) -> pa.Table:
        """The events of one bucket, in the order in which they were added; no part comes later.

        Args:
            schema: of the events, for a bucket without any.
        """
        if self._root is None:
            return pa.concat_tables([schema.empty_table(), *self._held])
        self._finish()
        path = self._root / str(number)
        if not path.exists():
            return schema.empty_table()
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as reader:
            return reader.read_all()

    def _writer(self, number: int, schema: pa.Schema) -> pa.RecordBatchStreamWriter:
        if number not in self._writers:
            assert self._root is not None
            path = str(self._root / str(number))
            self._writers[number] = pa.ipc.new_stream(path, schema, options=_OPTIONS)
        return self._writers[number]

    def _finish(self) -> None:
        with self._finishing:
            for writer in self._writers.values():
                writer.close()
            self._writers = {}


def _remove_left(folder: Path) -> None:
    """Deletes what killed builds left in `folder`: nobody holds its lock any more."""
    for left in folder.glob(f"{_FOLDER}*"):
        with suppress(OSError):
            if (lock := try_lock(left / _LOCK)) is not None:
                with lock:
                    shutil.rmtree(left, ignore_errors=True)


def computed(make: Callable[[int], Result], numbers: Sequence[int]) -> Iterator[Result]:
    """`make` of each number, in order; WORKERS at a time and no further ahead."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Result]] = deque()
        for number in numbers:
            if len(waiting) == WORKERS:
                yield waiting.popleft().result()
            waiting.append(pool.submit(make, number))
        while waiting:
            yield waiting.popleft().result()
