"""Served slates as rotating JSON lines: what was shown to whom, in which place, at which score."""

import logging
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Thread
from typing import Any

import orjson

from recsys.funnel.slate import Slate

log = logging.getLogger("recsys.slates")

FILES = 8  # what `max_bytes` is divided by: the oldest eighth goes when a new one begins
QUEUE_LENGTH = 10_000
BATCH = 500
IDLE_SECONDS = 0.5


class FileSlateLog:
    """A SlateLog in `folder/slates-NNNNNN.jsonl`, written by a thread of its own.

    A request only puts a reference on a bounded queue. Where the queue is full or the disk refuses, the
    slate is dropped and counted: an answer matters more than its record.

    Attributes:
        dropped: slates that were not written.

    Args:
        share: of slates that are kept, drawn by `draw` (numbers in [0, 1)).
        max_bytes: of disk at most, 0 = nothing is kept; the oldest file goes first.
    """

    def __init__(self, folder: Path, max_bytes: int, share: float, draw: Callable[[], float]) -> None:
        self.dropped = 0
        self._folder = folder
        self._file_bytes = max_bytes // FILES
        self._share = share if max_bytes else 0.0
        self._draw = draw
        self._queue: Queue[Slate | None] = Queue(QUEUE_LENGTH)
        self._complained = False
        self._thread = Thread(target=self._run, name="slate-log", daemon=True)
        self._thread.start()

    def append(self, slate: Slate) -> None:
        if self._share < 1 and self._draw() >= self._share:
            return
        try:
            self._queue.put_nowait(slate)
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

    def _batch(self) -> tuple[list[Slate], bool]:
        """What is queued, and false once `close` was reached."""
        slates: list[Slate] = []
        try:
            while len(slates) < BATCH:
                slate = self._queue.get(timeout=IDLE_SECONDS)
                if slate is None:
                    return slates, False
                slates.append(slate)
        except Empty:
            pass
        return slates, True

    def _write(self, slates: list[Slate]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._current_file().open("ab") as file:
                file.write(b"".join(orjson.dumps(_line(slate)) + b"\n" for slate in slates))
            self._complained = False
        except OSError as error:
            self.dropped += len(slates)
            if not self._complained:
                log.warning("served slates are not logged: %s. Make room under %s.", error, self._folder)
            self._complained = True

    def _current_file(self) -> Path:
        """The newest file, or a new one where that is full; the oldest beyond FILES are removed."""
        files = sorted(self._folder.glob("slates-*.jsonl"))
        if files and files[-1].stat().st_size < self._file_bytes:
            return files[-1]
        for path in files[: max(0, len(files) - FILES + 1)]:
            path.unlink(missing_ok=True)
        number = int(files[-1].stem.rpartition("-")[2]) + 1 if files else 1
        return self._folder / f"slates-{number:06d}.jsonl"


def _line(slate: Slate) -> dict[str, Any]:
    return {
        "request_id": slate.request_id,
        "at": slate.at,
        "user_id": slate.user_id,
        "bundle_id": slate.bundle_id,
        "cold_start": slate.cold_start,
        "degraded": slate.degraded,
        "items": [
            {
                "item_id": item.item_id,
                "position": item.position,
                "score": item.score,
                "p_click": item.p_click,
                "price_micros": item.price_micros,
                "source": item.source,
            }
            for item in slate.items
        ],
    }
