"""A store that is opened when it is first needed, and anew after it was away."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from recsys.errors import StoreUnavailableError

T = TypeVar("T")
R = TypeVar("R")


class Reconnecting(Generic[T]):
    """Hands out one opened store to all threads; after a failure the next one who asks opens another.

    A server may come back at another address, so that a connection that failed is not worth keeping.
    """

    def __init__(self, opener: Callable[[], T], close: Callable[[T], None]) -> None:
        self._opener = opener
        self._close = close
        self._lock = Lock()
        self._opened: T | None = None

    def call(self, operation: Callable[[T], R]) -> R:
        """What `operation` returns of the opened store.

        Raises:
            StoreUnavailableError: it cannot be opened, or does not answer.
        """
        with self._lock:
            if self._opened is None:
                self._opened = self._opener()
            opened = self._opened
        try:
            return operation(opened)
        except StoreUnavailableError:
            self._forget(opened)
            raise

    def close(self) -> None:
        """Closes what is open."""
        if self._opened is not None:
            self._forget(self._opened)

    def _forget(self, opened: T) -> None:
        with self._lock:
            if self._opened is not opened:
                return  # another thread did
            self._opened = None
        self._close(opened)
