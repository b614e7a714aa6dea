"""Where the funnel gets online features from, and what it does while that place is away."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol

from recsys.errors import StoreUnavailableError
from recsys.features.rows import FeatureRows


class FeatureSource(Protocol):
    """Online features of one FeatureService, one round trip a call.

    Raises:
        StoreUnavailableError: the store did not answer in time.
    """

    def read_user(self, user_id: str) -> FeatureRows:
        """The user's views, one row."""
        ...

    def read_items(self, item_ids: Sequence[str]) -> FeatureRows:
        """The items' views, one row an id, in that order."""
        ...


class CircuitBreaker:
    """A FeatureSource that stops reading a store that is away: requests do not queue up behind its timeout.

    After a failure every read fails at once for `retry_seconds`; then one read is let through. Its
    success closes the circuit, its failure opens it again.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, source: FeatureSource, clock: Callable[[], float], retry_seconds: float = 1.0) -> None:
        self._source = source
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._lock = Lock()
        self._failure: StoreUnavailableError | None = None
        self._retry_at = 0.0

    @property
    def open(self) -> bool:
        """Whether the last read failed."""
        return self._failure is not None

    def read_user(self, user_id: str) -> FeatureRows:
        """As the source; the last failure again while the circuit is open."""
        self._check()
        return self._read(lambda: self._source.read_user(user_id))

    def read_items(self, item_ids: Sequence[str]) -> FeatureRows:
        """As the source; the last failure again while the circuit is open."""
        self._check()
        return self._read(lambda: self._source.read_items(item_ids))

    def _check(self) -> None:
        """Raises the last failure again, unless it is time for another try."""
        if self._failure is None:
            return
        with self._lock:
            failure = self._failure
            if failure is None:
                return
            now = self._clock()
            if now < self._retry_at:
                # A fresh error: raising the same object from many threads would grow its traceback.
                raise StoreUnavailableError(failure.store, failure.operation, failure.seconds)
            self._retry_at = now + self._retry_seconds

    def _read(self, read: Callable[[], FeatureRows]) -> FeatureRows:
        try:
            rows = read()
        except StoreUnavailableError as error:
            with self._lock:
                self._failure = error
                self._retry_at = self._clock() + self._retry_seconds
            raise
        if self._failure is not None:
            with self._lock:
                self._failure = None
        return rows
