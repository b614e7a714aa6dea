"""How many events wait for the workers, so that none is accepted that would wait too long."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Lock

from recsys.background_task import BackgroundTask
from recsys.errors import BacklogError, RecsysError
from recsys.streaming.stream import PartitionStatus

STATUS_SECONDS = 0.5  # how old the known status may be before it is read again
STALE_SECONDS = 5.0  # a status older than that says nothing: after a quiet hour the first request is welcome


class Backlog:
    """The stream's status, read beside the requests, twice a second at most, only while events come.

    Args:
        read: the status now. submit: runs a function in another thread.
        most: events that may wait. clock: monotonic seconds.

    Attributes:
        status: what was read last.
        task: the reading, which outlives whatever goes wrong.
    """

    def __init__(
        self,
        read: Callable[[], tuple[PartitionStatus, ...]],
        submit: Callable[[Callable[[], None]], object],
        most: int,
        clock: Callable[[], float],
    ) -> None:
        self._read = read
        self._submit = submit
        self._most = most
        self._clock = clock
        self._lock = Lock()
        self._asked_at = self._known_at = float("-inf")
        self.task = BackgroundTask("event backlog", self._refresh)
        self.status: tuple[PartitionStatus, ...] = ()

    def check(self, partitions: Iterable[int]) -> None:
        """Raises BacklogError where too much waits before what goes to these partitions.

        The catalog's partition counts by itself: a slow text encoder shall not stop clicks.
        """
        if self._due():
            self._submit(self.refresh)
        if self._clock() - self._known_at > STALE_SECONDS:
            return
        *users, catalog = [status.lag for status in self.status]
        concerned = set(partitions)
        waiting = max(
            catalog if len(users) in concerned else 0,
            sum(users) if concerned - {len(users)} else 0,
        )
        if waiting > self._most:
            raise BacklogError(
                f"{waiting} events wait already, more than stream.max_lag = {self._most}. Send these again "
                "later; more workers (`recsys stream run`) shorten the wait."
            )

    def refresh(self) -> None:
        """Reads it now. Never raises: an unknown status stops no request."""
        self.task.attempt()

    def _refresh(self) -> None:
        with suppress(RecsysError):  # who sends events is told
            self.status = self._read()
            self._known_at = self._clock()

    def _due(self) -> bool:
        with self._lock:
            due = self._clock() - self._asked_at >= STATUS_SECONDS
            if due:
                self._asked_at = self._clock()
            return due
