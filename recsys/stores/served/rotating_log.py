"""Records as rotating JSON lines: bounded on disk, written beside the requests, never in their way."""

import logging
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Thread
from typing import Any, Generic, TypeVar

import orjson

log = logging.getLogger("recsys.served")

FILES = 8  # what `max_bytes` is divided by: the oldest eighth goes when a new one begins
BATCH = 500
IDLE_SECONDS = 0.5

Record = TypeVar("Record")


class RotatingLog(Generic[Record]):
    """Appends to `folder/NAME-NNNNNN.jsonl` in a thread of its own.

    A request only puts a reference on a bounded queue. Where the queue is full or the disk refuses, the
    record is dropped and counted: an answer matters more than its record.

    Attributes:
        dropped: records that were not written.

    Args:
        line: the record as orjson takes it; called in the thread.
        share: of records that are kept, drawn by `draw` (numbers in [0, 1)).
        max_bytes: of disk at most, 0 = nothing is kept; the oldest file goes first.
        waiting: records that may wait to be written.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        line: Callable[[Record], Any],
        max_bytes: int,
        share: float,
        draw: Callable[[], float],
        waiting: int = 10_000,
    ) -> None:
        self.dropped = 0
        self._folder = folder
        self._name = name
        self._line = line
        self._file_bytes = max_bytes // FILES
        self._share = share if max_bytes else 0.0
        self._draw = draw
        self._queue: Queue[Record | None] = Queue(waiting)
        self._complained = False
        self._thread = Thread(target=self._run, name=f"{name}-log", daemon=True)
        self._thread.start()

    def append(self, record: Record) -> None:
        """Queues a record if it is drawn; drops it where the queue is full."""
        if self._share < 1 and self._draw() >= self._share:
            return
        try:
            self._queue.put_nowait(record)
        except Full:
            self.dropped += 1

    def close(self) -> None:
        """Writes what is queued and ends the thread."""
        try:
            self._queue.put(None, timeout=5)
        except Full:
            return
        self._thread.join(timeout=10)

    def _run(self) -> None:
        running = True
        while running:
            batch, running = self._batch()
            if batch:
                self._write(batch)

    def _batch(self) -> tuple[list[Record], bool]:
        """What is queued, and false once `close` was reached."""
        records: list[Record] = []
        try:
            while len(records) < BATCH:
                record = self._queue.get(timeout=IDLE_SECONDS)
                if record is None:
                    return records, False
                records.append(record)
        except Empty:
            pass
        return records, True

    def _write(self, records: list[Record]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lines = b"".join(orjson.dumps(self._line(record)) + b"\n" for record in records)
            with self._current_file().open("ab") as file:
                file.write(lines)
            self._complained = False
        except OSError as error:
            self.dropped += len(records)
            if not self._complained:
                log.warning("%s are not logged: %s. Make room under %s.", self._name, error, self._folder)
            self._complained = True

    def _current_file(self) -> Path:
        """The newest file, or a new one where that is full; the oldest beyond FILES are removed."""
        files = sorted(self._folder.glob(f"{self._name}-*.jsonl"))
        if files and files[-1].stat().st_size < self._file_bytes:
            return files[-1]
        for path in files[: max(0, len(files) - FILES + 1)]:
            path.unlink(missing_ok=True)
        number = int(files[-1].stem.rpartition("-")[2]) + 1 if files else 1
        return self._folder / f"{self._name}-{number:06d}.jsonl"
