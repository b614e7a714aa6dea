"""The ad log on disk: what was served for money, there for good before the answer leaves."""

import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Condition

from recsys.ads.delivery.served_slot import ServedSlot
from recsys.config import Settings
from recsys.errors import StoreUnavailableError, storage_problem
from recsys.instants import utc_now
from recsys.stores.served.ad_log_index import day_of, file_name, open_file, remove_old_files
from recsys.stores.served.ad_log_lines import answer_line

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0  # after the disk refused nobody waits for it again so long


class _Waiting:
    """A line that waits for the disk, and what became of it."""

    def __init__(self, line: bytes) -> None:
        self.line = line
        self.done = False
        self.error: BaseException | None = None


class DurableAdLog:
    """An AdLog in `folder/ads-DAY-PROCESS-PART.jsonl`: files of one process, so that no two interleave.

    Threads that append at once share one sync of the disk (group commit): the first of them writes the
    lines of all that wait by then. A new file begins each day (UTC) and where one is full.

    Args:
        keep_days: days of which files are kept beside the current one; older ones are removed when a new
            file begins, and the index says so. file_bytes: from which on a file is full.
        now: the clock, aware.
    """

    def __init__(
        self, folder: Path, keep_days: int, file_bytes: int, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._folder = folder
        self._keep = timedelta(days=keep_days)
        self._file_bytes = file_bytes
        self._now = now
        self._process = secrets.token_hex(8)
        self._part = 0
        self._turn = Condition()
        self._waiting: list[_Waiting] = []
        self._writing = False
        self._descriptor: int | None = None
        self._name = ""
        self._size = 0  # of the lines that are on the disk
        self._refused_at: float | None = None

    @classmethod
    def open(cls, settings: Settings) -> "DurableAdLog":
        """The log of the home, by the settings of ads; nothing is written before the first slot."""
        return cls(settings.paths.ad_log, settings.ads.log_days, settings.ads.log_file_bytes)

    def append(self, slots: Sequence[ServedSlot]) -> None:
        """Returns when `slots`, all of one answer, are on the disk.

        Raises:
            StoreUnavailableError: they are not kept; then nothing of them may be shown.
        """
        if not slots:
            return
        mine = _Waiting(answer_line(slots))
        with self._turn:
            self._waiting.append(mine)
            while self._writing and not mine.done:
                self._turn.wait()
            if not mine.done:
                self._writing = True
                written, self._waiting = self._waiting, []
        if not mine.done:
            self._write_for(written)
        if mine.error is not None:
            problem = storage_problem(mine.error) if isinstance(mine.error, OSError) else None
            raise StoreUnavailableError(
                "the ad log", f"append to {self._folder}", 0, problem or f"{mine.error}."
            ) from mine.error

    def close(self) -> None:
        """Ends the file. What was appended is on the disk already."""
        with self._turn:
            while self._writing:
                self._turn.wait()
            self._end_file()

    def _write_for(self, written: list[_Waiting]) -> None:
        """Writes the lines of all that wait, and lets them go on."""
        error: BaseException | None = None
        try:
            self._write(b"".join(each.line for each in written))
        except OSError as refused:
            error = refused
        except BaseException as raised:
            error = raised
            raise
        finally:
            with self._turn:
                for each in written:
                    each.done, each.error = True, error
                self._writing = False
                self._turn.notify_all()

    def _write(self, lines: bytes) -> None:
        """Appends `lines` to the file of today; returns when they are on the disk.

        Raises:
            OSError: the disk refuses, or did so less than RETRY_SECONDS ago. Nothing of them is kept.
        """
        clock = time.monotonic()
        if self._refused_at is not None and clock - self._refused_at < RETRY_SECONDS:
            raise OSError(f"it failed less than {RETRY_SECONDS:.0f} s ago, and is tried again then")
        try:
            descriptor = self._file_of(self._now())
            self._append(descriptor, lines)
        except OSError:
            self._refused_at = clock
            raise
        self._refused_at = None
        self._size += len(lines)

    def _append(self, descriptor: int, lines: bytes) -> None:
        try:
            left = memoryview(lines)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fdatasync(descriptor)
        except BaseException:
            # After a failed sync the system may believe pages to be written that are not: this file ends.
            with suppress(OSError):
                os.ftruncate(descriptor, self._size)
            self._end_file()
            raise

    def _file_of(self, now: datetime) -> int:
        """The file to append to, a new one where the day has changed or the last one is full."""
        name = file_name(now, self._process, self._part)
        full = self._size >= self._file_bytes
        if self._descriptor is not None and not full and day_of(name) == day_of(self._name):
            return self._descriptor
        self._end_file()
        self._part += 1
        self._name = file_name(now, self._process, self._part)
        self._descriptor = open_file(self._folder, self._name)
        self._size = 0
        self._remove_old(now)
        return self._descriptor

    def _remove_old(self, now: datetime) -> None:
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        try:
            removed = remove_old_files(self._folder, today - self._keep)
        except OSError as error:  # what is served now can be kept all the same
            log.warning("old files of the ad log in %s cannot be removed: %s", self._folder, error)
        else:
            if removed:
                log.info("the ad log removed %d files older than %d days", len(removed), self._keep.days)

    def _end_file(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)
