"""Writes what a process counted of its ads to SQL, each second, until it is written."""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from recsys.ads.delivery.counts import FLUSH_SECONDS, CountedHour, DeliveryCounts
from recsys.background_task import BackgroundTask

HEARTBEAT_SECONDS = 10.0  # between batches of a process that has nothing to write
REMOVE_SECONDS = 60.0  # between two looks for counts that are too old


class KeepsCounts(Protocol):
    """Where batches go; see `recsys.stores.ads.delivery.store.DeliveryStore`."""

    def add(self, process: str, sequence: int, counts: Sequence[CountedHour]) -> bool:
        """Adds a batch unless it was added before."""
        ...

    def end(self, process: str) -> None:
        """Keeps that the process ended."""
        ...

    def remove_oldest(self) -> None:
        """Removes an hour that is kept no longer, if there is one."""
        ...


class DeliveryFlusher:
    """Takes the counts of one process and writes them, and removes what is too old. One a process.

    A batch that could not be written waits and is written again under its number, which counts once; what is
    counted meanwhile is the next one. So only a kill loses something: what was counted since the last batch.

    Attributes:
        task: for health and metrics.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self,
        counts: DeliveryCounts,
        store: KeepsCounts,
        process: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.process = process or f"{os.getpid()}-{secrets.token_hex(8)}"
        self.task = BackgroundTask("counts of ads", self._flush)
        self._counts = counts
        self._store = store
        self._clock = clock
        self._sequence = 0
        self._waiting: tuple[CountedHour, ...] | None = None
        self._wrote_at = self._removed_at = float("-inf")

    def start(self) -> None:
        """Writes each second from now on."""
        self.task.start(FLUSH_SECONDS)

    def stop(self) -> None:
        """Writes what is left, and that the process ended; what fails now is lost and logged."""
        self.task.stop()
        # A batch that waited is written first, then what was counted meanwhile.
        if self.task.attempt() and self.task.attempt():
            BackgroundTask("the end of counting ads", lambda: self._store.end(self.process)).attempt()

    def _flush(self) -> None:
        if self._waiting is None:
            taken = self._counts.take()
            if not taken and self._clock() - self._wrote_at < HEARTBEAT_SECONDS:
                return
            self._waiting = taken
            self._sequence += 1
        self._store.add(self.process, self._sequence, self._waiting)
        self._waiting = None
        self._wrote_at = self._clock()
        if self._wrote_at - self._removed_at >= REMOVE_SECONDS:
            self._removed_at = self._wrote_at
            self._store.remove_oldest()
