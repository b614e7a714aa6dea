"""Keeps programs running: starts again what ends, stops all of them in order."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from recsys.errors import RecsysError
from recsys.jobs.start.restarts import MOST_RESTARTS, Restarts, after_end, while_full

TICK_SECONDS = 0.1
DRAIN_SECONDS = 25.0  # until what was told to stop is killed; the store's own shutdown comes after that

log = logging.getLogger(__name__)


class Supervised(Protocol):
    """A program under supervision."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    def start(self) -> None:
        """Starts it, again if it ended, and does not wait until it works."""
        ...

    def ended(self) -> str | None:
        """How it ended, for a message; None while it runs or was not started."""
        ...

    def stop(self) -> None:
        """Asks it to finish what it has begun, and to end."""
        ...

    def kill(self) -> None:
        """Ends it at once."""
        ...

    def last_lines(self) -> Sequence[str]:
        """The end of its log."""
        ...


class StopRequests(Protocol):
    """What the operator asked for: `count` signals to stop so far."""

    count: int


@dataclass
class _Watched:
    """A program, what it has behind it, and when to start it; None while it runs."""

    program: Supervised
    past: Restarts = field(default_factory=Restarts)
    start_at: float | None = None


class Supervisor:
    """Runs programs until it is told to stop, or one of them ends too often.

    Args:
        programs: in the order in which they are started.
        store: what all of them need; started by the caller, restarted here, and stopped after them.
        disk_full: whether the disk of the home has no room.
        clock: seconds of any origin. pause: does nothing for some seconds.
    """

    def __init__(
        self,
        programs: Sequence[Supervised],
        store: Supervised | None,
        disk_full: Callable[[], bool],
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._programs, self._store = programs, store
        self._disk_full, self._clock, self._pause = disk_full, clock, pause

    def run(self, requests: StopRequests) -> None:
        """Supervises until the first request to stop; a second one kills what has not ended by then.

        Raises:
            RecsysError: a program ended too often. All are stopped by then.
        """
        watched = [_Watched(each) for each in (self._store, *self._programs) if each is not None]
        try:
            for each in self._programs:
                each.start()
            while not requests.count:
                for one in watched:
                    self._look_after(one)
                self._pause(TICK_SECONDS)
        finally:
            self._stop_all(requests)

    def _look_after(self, one: _Watched) -> None:
        now = self._clock()
        if one.start_at is None:
            if (how := one.program.ended()) is not None:
                self._note_end(one, how, now)
        elif now >= one.start_at:
            if one.past.full and self._disk_full():
                one.past, one.start_at = while_full(one.past, now)
                log.warning("%s waits for room on the disk", one.program.name)
                return
            log.info("%s is started again", one.program.name)
            one.start_at = None
            one.program.start()

    def _note_end(self, one: _Watched, how: str, now: float) -> None:
        name = one.program.name
        one.past, one.start_at = after_end(one.past, now, self._disk_full())
        if one.start_at is None:
            lines = "".join(f"\n  {line}" for line in one.program.last_lines())
            raise RecsysError(
                f"{name} ended {MOST_RESTARTS + 1} times within a minute, the last time {how}. "
                f"All is stopped. The end of its log:{lines or ' (empty)'}"
            )
        if one.past.full:
            log.warning("%s ended %s: the disk is full. It starts again when there is room", name, how)
        else:
            wait, times = one.start_at - now, len(one.past.deaths)
            log.warning("%s ended %s; it starts again in %g s (%d within a minute)", name, how, wait, times)

    def _stop_all(self, requests: StopRequests) -> None:
        told, end = requests.count, self._clock() + DRAIN_SECONDS
        for each in self._programs:
            each.stop()
        while waiting := [each for each in self._programs if each.ended() is None]:
            if self._clock() > end or requests.count > max(told, 1):
                for each in waiting:
                    log.warning("%s has not ended and is killed", each.name)
                    each.kill()
                break
            self._pause(TICK_SECONDS)
        if self._store is not None:
            try:
                self._store.stop()
            except RecsysError as error:  # what ended all comes before it
                log.error("%s", error)
