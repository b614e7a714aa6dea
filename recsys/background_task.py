"""Work in the background that outlives its errors: each failure is logged, counted and shown."""

import logging
import time
from collections.abc import Callable
from threading import Event, Lock, RLock, Thread

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 30.0  # between failures, doubled with each in a row
LOG_SECONDS = 60.0  # a failure that repeats is logged with its traceback once in that time


class BackgroundTask:
    """One piece of background work. Whatever it raises, the next attempt is made.

    `start` repeats it in a thread of its own; work that is handed to a pool calls `attempt` there.

    Attributes:
        name: for logs, metrics and people.
        failures: attempts that raised, since the task was made.
        error: what the last attempt raised, in one line; empty where it did not raise.

    Args:
        work: one round of it. It is called again and again, and should return after some seconds at most.
        clock: monotonic seconds.
    """

    def __init__(
        self, name: str, work: Callable[[], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.failures = 0
        self.error = ""
        self._work = work
        self._clock = clock
        self._seconds = 0.0
        self._failed_in_a_row = 0
        self._logged_at = float("-inf")
        self._stop = Event()
        self._lock, self._round = Lock(), RLock()
        self._thread: Thread | None = None

    @property
    def is_dead(self) -> bool:
        """Whether the task was started, was not stopped, and its thread is gone all the same."""
        thread = self._thread
        return thread is not None and not self._stop.is_set() and not thread.is_alive()

    def attempt(self) -> bool:
        """One round, in the calling thread and after one that runs; whether it succeeded. Never raises."""
        try:
            with self._round:
                self._work()
        except BaseException as error:
            # SystemExit and its like as well: they would end the thread and nothing else.
            self._note(error)
            return False
        self.error = ""
        self._failed_in_a_row = 0
        return True

    def start(self, seconds: float = 0.0, at_once: bool = True) -> None:
        """Repeats the work in a thread, `seconds` after each round, until `stop`.

        Args:
            at_once: whether the first round is now rather than after `seconds`.
        """
        self._seconds = seconds
        self._thread = Thread(target=self._run, args=(at_once,), name=self.name, daemon=True)
        self._thread.start()

    def revive(self) -> bool:
        """Starts the thread anew if it is gone; whether it was. That counts as a failure."""
        if not self.is_dead:
            return False
        self._note(RuntimeError("its thread ended"))
        self.start(self._seconds)
        return True

    def stop(self, timeout: float = 5.0) -> None:
        """Lets the round that runs end, for up to `timeout` seconds, and begins no other."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, at_once: bool) -> None:
        seconds = self._seconds
        if not at_once and self._stop.wait(seconds):
            return
        while not self._stop.is_set():
            pause = seconds if self.attempt() else max(seconds, self._pause())
            if pause and self._stop.wait(pause):
                return

    def _pause(self) -> float:
        return min(FIRST_PAUSE_SECONDS * 2.0 ** min(self._failed_in_a_row, 20), LONGEST_PAUSE_SECONDS)

    def _note(self, error: BaseException) -> None:
        with self._lock:
            self.failures += 1
            self._failed_in_a_row += 1
            self.error = " ".join(f"{type(error).__name__}: {error}".split())
            if due := self._clock() - self._logged_at >= LOG_SECONDS:
                self._logged_at = self._clock()
        if due:
            log.error("%s failed and is tried again: %s", self.name, self.error, exc_info=error)
