"""Records as rotating JSON lines: bounded on disk, written beside the requests, never in their way."""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Lock
from typing import IO, Any, Generic, TypeVar

import orjson

from recsys.background_task import BackgroundTask
from recsys.instants import utc_now

FILES = 8  # what `max_bytes` is divided by: the oldest eighth goes when a new one begins
BATCH = 500
ROUND_SECONDS = 0.5
GATHER_SECONDS = 0.1
CLOSE_SECONDS = 10.0
LOST_SECONDS = 10.0  # what was lost is said with the next record, or after so long without one

Record = TypeVar("Record")


def log_files(folder: Path, name: str) -> list[Path]:
    """The files of the log `name` in `folder`, the oldest first; whatever else lies there is passed over."""
    numbered = sorted((number, path) for number, path in _numbered(folder, name) if path.is_file())
    return [path for _, path in numbered]


def _numbered(folder: Path, name: str) -> Iterator[tuple[int, Path]]:
    """What has a name of the log's files, with its number; it may be a folder or a dangling link."""
    pattern = re.compile(rf"{re.escape(name)}-(\d{{6,12}})\.jsonl")
    for path in folder.iterdir() if folder.is_dir() else ():
        if found := pattern.fullmatch(path.name):
            yield int(found[1]), path


@dataclass(frozen=True)
class Lost:
    """Records that are not in a log between two instants.

    Attributes:
        dropped: that the queue had no room for, or that could not be written.
        left_out: that were not drawn, where only a share is kept.
    """

    since: datetime
    at: datetime
    dropped: int
    left_out: int


class RotatingLog(Generic[Record]):
    """Appends to `folder/NAME-NNNNNN.jsonl` in a thread of its own.

    A request only puts a reference on a bounded queue. Where the queue is full or the disk refuses, the
    record is dropped and counted: an answer matters more than its record. With `lost_line` the log itself
    says how many it lacks, as soon as it can write.

    Attributes:
        name: of the log.
        dropped: records that were not written. left_out: records that were not drawn.
        task: the thread, which outlives whatever goes wrong.

    Args:
        line: the record as orjson takes it; called in the thread.
        share: of records that are kept, drawn by `draw` (numbers in [0, 1)).
        max_bytes: of disk at most, 0 = nothing is kept; the oldest file goes first.
        waiting: records that may wait to be written.
        lost_line: what the log lacks since it last said so, as orjson takes it; None = the log does not say.
        now: the clock, for that line.
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
        lost_line: Callable[[Lost], Any] | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name = name
        self.dropped = 0
        self.left_out = 0
        self._counting = Lock()
        self._lost_line = lost_line if max_bytes else None
        self._now = now
        opened = now()
        self._said = Lost(opened, opened, 0, 0)  # totals, as of the last line that said them
        self._folder = folder
        self._line = line
        self._file_bytes = max_bytes // FILES
        self._share = share if max_bytes else 0.0
        self._draw = draw
        self._queue: Queue[Record | None] = Queue(waiting)
        self._finished = Event()
        self._whole: Path | None = None  # the file that is known to end with a whole line
        self.task = BackgroundTask(f"{name} log", self._write_next)
        self.task.start()

    def append(self, record: Record) -> None:
        """Queues a record if it is drawn; drops it where the queue is full."""
        if self._share < 1 and self._draw() >= self._share:
            self._count(left_out=1)
            return
        try:
            self._queue.put_nowait(record)
        except Full:
            self._count(dropped=1)

    def close(self) -> None:
        """Writes what is queued and ends the thread."""
        try:
            self._queue.put(None, timeout=CLOSE_SECONDS)
            self._finished.wait(CLOSE_SECONDS)
        except Full:
            pass
        self.task.stop(CLOSE_SECONDS)
        self._count(dropped=self._queue.qsize())

    def _count(self, dropped: int = 0, left_out: int = 0) -> None:
        with self._counting:
            self.dropped += dropped
            self.left_out += left_out

    def _write_next(self) -> None:
        """One round: what comes within half a second, or nothing.

        Records become lines a few at a time: hundreds at once would hold up requests for 50 ms, and a look at
        each when it comes would cost more than the lines.
        """
        lines: list[bytes] = []
        taken, wrong, ended = 0, None, False
        until = time.monotonic() + ROUND_SECONDS
        while taken < BATCH and (left := until - time.monotonic()) > 0:
            try:
                record = self._queue.get(timeout=left)
            except Empty:
                break
            if ended := record is None:
                break
            taken += 1
            try:
                lines.append(orjson.dumps(self._line(record)) + b"\n")
            except Exception as error:  # of one record: the others are written
                wrong = error
            if self._queue.empty():
                time.sleep(GATHER_SECONDS)
        self._count(dropped=taken - len(lines))
        try:
            self._write(lines, ended)
        finally:
            if ended:
                self._finished.set()
        if wrong is not None:
            raise wrong

    def _write(self, lines: list[bytes], ended: bool) -> None:
        """Appends `lines`, and what the log lacks; those that are not written are counted."""
        totals = self._unsaid(said=bool(lines) or ended)
        if lines or totals is not None:
            written = False
            try:
                self._append(b"".join([*self._told(totals), *lines]))
                written, self._said = True, totals or self._said
            finally:
                self._count(dropped=0 if written else len(lines))

    def _unsaid(self, said: bool) -> Lost | None:
        """All that was lost up to now, where the log lacks a part that is to be `said` or has waited."""
        now, before = self._now(), self._said
        totals = Lost(before.at, now, self.dropped, self.left_out)
        if self._lost_line is None or totals == replace(before, since=before.at, at=now):
            return None
        return totals if said or now - before.at >= timedelta(seconds=LOST_SECONDS) else None

    def _told(self, totals: Lost | None) -> list[bytes]:
        """The line that says what was lost since the last one."""
        if totals is None or self._lost_line is None:
            return []
        before = self._said
        since = replace(
            totals, dropped=totals.dropped - before.dropped, left_out=totals.left_out - before.left_out
        )
        return [orjson.dumps(self._lost_line(since)) + b"\n"]

    def _append(self, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._current_file()
        try:
            file = path.open("ab+")
        except PermissionError:  # somebody else's
            path = self._new_file()
            file = path.open("ab+")
        with file:
            if path != self._whole and _is_cut(file):
                content = b"\n" + content
            self._whole = None
            file.write(content)
        self._whole = path

    def _current_file(self) -> Path:
        """The newest file, or a new one where that is full; the oldest beyond FILES are removed."""
        files = log_files(self._folder, self.name)
        if files and files[-1].stat().st_size < self._file_bytes:
            return files[-1]
        for path in files[: max(0, len(files) - FILES + 1)]:
            path.unlink(missing_ok=True)
        return self._new_file()

    def _new_file(self) -> Path:
        number = 1 + max((number for number, _ in _numbered(self._folder, self.name)), default=0)
        return self._folder / f"{self.name}-{number:06d}.jsonl"


def _is_cut(file: IO[bytes]) -> bool:
    """Whether the last line does not end: whoever wrote it was killed, or the disk was full."""
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"
