"""The ad log on disk: what was served for money, there for good before the answer leaves."""

import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Condition

from recsys.ads.delivery.served_slot import ServedSlot
from recsys.config import Settings
from recsys.errors import DataError, StoreUnavailableError, storage_problem
from recsys.instants import utc_now
from recsys.stores.served.ad_log_index import file_name, open_file, remove_old_files
from recsys.stores.served.ad_log_lines import answer_line

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
RETRY_SECONDS = 1.0  # after the disk refused nobody waits for it again so long


class _Waiting:
    """A line that waits for the disk, and what became of it."""

    def __init__(self, day: datetime, line: bytes) -> None:
        self.day = day
        self.line = line
        self.done = False
        self.error: BaseException | None = None


class _OpenFile:
    """A file that is appended to."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = 0  # of the lines that are on the disk

    def append(self, lines: bytes) -> None:
        """Returns when `lines` are on the disk. After an error none is, as far as the disk lets us say.

        Raises:
            OSError: the disk refuses; the file must not be written to any more.
        """
        try:
            left = memoryview(lines)
            while left:
                left = left[os.write(self.descriptor, left) :]
            os.fdatasync(self.descriptor)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(self.descriptor, self.size)
            raise
        self.size += len(lines)

    def close(self) -> None:
        """Gives the descriptor back."""
        with suppress(OSError):
            os.close(self.descriptor)


class DurableAdLog:
    """An AdLog in `folder/ads-DAY-PROCESS-PART.jsonl`: files of one process, so that no two interleave.

    Threads that append at once share one sync of the disk (group commit): the first of them writes the
    lines of all that wait by then. The day of a file is that of its answers (UTC); where one is full, its day
    goes on in another.

    Args:
        keep_days: days of which files are kept beside the current one; older ones are removed when a new
            file begins, and the index says so. file_bytes: from which on a file is full.
        now: the clock, aware, by which days are old.
    """

    def __init__(
        self, folder: Path, keep_days: int, file_bytes: int, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._folder = folder
        self._keep = timedelta(days=keep_days)
        self._file_bytes = file_bytes
        self._now = now
        self._process = secrets.token_hex(8)
        self._parts = count(1)
        self._turn = Condition()
        self._waiting: list[_Waiting] = []
        self._writing = False
        self._files: dict[datetime, _OpenFile] = {}  # by day; two at midnight
        self._refused_at: float | None = None

    @classmethod
    def open(cls, settings: Settings) -> "DurableAdLog":
        """The log of the home, by the settings of ads; nothing is written before the first slot."""
        return cls(settings.paths.ad_log, settings.ads.log_days, settings.ads.log_file_bytes)

    def append(self, slots: Sequence[ServedSlot]) -> None:
        """Returns when `slots`, all of one answer, are on the disk.

        Raises:
            StoreUnavailableError: they are not kept; then nothing of them may be shown.
            DataError: they are of different days, so of no one answer.
        """
        if not slots:
            return
        mine = _Waiting(_day_of(slots), answer_line(slots))
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
        """Ends the files. What was appended is on the disk already."""
        with self._turn:
            while self._writing:
                self._turn.wait()
            self._end_files(list(self._files))

    def _write_for(self, written: list[_Waiting]) -> None:
        """Writes the lines of all that wait, and lets them go on."""
        error: BaseException | None = None
        try:
            self._write(written)
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

    def _write(self, written: list[_Waiting]) -> None:
        """Appends lines to the files of their days; returns when they are on the disk.

        Raises:
            OSError: the disk refuses, or did so less than RETRY_SECONDS ago.
        """
        clock = time.monotonic()
        if self._refused_at is not None and clock - self._refused_at < RETRY_SECONDS:
            raise OSError(f"it failed less than {RETRY_SECONDS:.0f} s ago, and is tried again then")
        lines: dict[datetime, list[bytes]] = {}
        for each in written:
            lines.setdefault(each.day, []).append(each.line)
        try:
            for day, of_day in sorted(lines.items()):
                self._file_of(day).append(b"".join(of_day))
        except BaseException:
            # After a failed sync the system may believe pages to be written that are not: these files end.
            self._end_files(list(self._files))
            self._refused_at = clock
            raise
        self._refused_at = None

    def _file_of(self, day: datetime) -> _OpenFile:
        """The file of `day` to append to, a new one where there is none or the last one is full."""
        found = self._files.get(day)
        if found is not None and found.size < self._file_bytes:
            return found
        self._end_files([other for other in self._files if abs(other - day) != _DAY])
        self._remove_old()
        name = file_name(day, self._process, next(self._parts))
        self._files[day] = _OpenFile(open_file(self._folder, name))
        return self._files[day]

    def _remove_old(self) -> None:
        try:
            removed = remove_old_files(self._folder, _midnight(self._now()) - self._keep)
        except OSError as error:  # what is served now can be kept all the same
            log.warning("old files of the ad log in %s cannot be removed: %s", self._folder, error)
        else:
            if removed:
                log.info("the ad log removed %d files older than %d days", len(removed), self._keep.days)

    def _end_files(self, days: Sequence[datetime]) -> None:
        for day in days:
            self._files.pop(day).close()


def _midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _day_of(slots: Sequence[ServedSlot]) -> datetime:
    days = {_midnight(slot.served_at) for slot in slots}
    if len(days) > 1:
        raise DataError(
            f"slots of one answer were served on {len(days)} days, the first is {slots[0].slot_id!r}. Give "
            "all of them the instant of their answer."
        )
    return days.pop()
