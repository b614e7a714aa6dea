"""What was asked for last, kept until it takes more memory than it may."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class RecentlyUsed(Generic[Key, Value]):
    """Values by key, the last used ones; many threads."""

    def __init__(self, most_bytes: int, size: Callable[[Value], int]) -> None:
        """Args:
        size: bytes of a value.
        """
        self._lock = threading.Lock()
        self._entries: OrderedDict[Key, Value] = OrderedDict()
        self._bytes = 0
        self._most_bytes = most_bytes
        self._size = size

    def get(self, key: Key) -> Value | None:
        """The value of `key`, which counts as used now; None where there is none any more."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def put(self, key: Key, value: Value) -> None:
        """Keeps a value, in place of an earlier one of `key`."""
        with self._lock:
            before = self._entries.pop(key, None)
            if before is not None:
                self._bytes -= self._size(before)
            self._entries[key] = value
            self._bytes += self._size(value)
            while self._bytes > self._most_bytes and len(self._entries) > 1:
                self._bytes -= self._size(self._entries.popitem(last=False)[1])
