"""Measures that look back: the share of the last requests, and how long events have waited."""

from collections import deque
from collections.abc import Iterable
from threading import Lock

MOST_MARKS = 1000  # looks that are remembered of a partition; then the newest stands for several


class RecentShare:
    """How many of the last `size` observations were true; safe to share between threads."""

    def __init__(self, size: int) -> None:
        self._last: deque[bool] = deque(maxlen=size)
        self._true = 0
        self._lock = Lock()

    def add(self, value: bool) -> None:
        """Adds an observation; the oldest goes where there are too many."""
        with self._lock:
            if len(self._last) == self._last.maxlen:
                self._true -= self._last[0]
            self._last.append(value)
            self._true += value

    def counts(self) -> tuple[int, int]:
        """(observations, those that were true)."""
        with self._lock:
            return len(self._last), self._true


class WaitMeter:
    """How long the oldest event has waited to be visible, by looking again and again.

    No transport has to tell when an event was accepted: one that was in the stream at an earlier look has
    waited since then at least.
    """

    def __init__(self) -> None:
        self._marks: dict[int, deque[tuple[float, int]]] = {}

    def look(self, now: float, partitions: Iterable[tuple[int, int, int]]) -> float:
        """Seconds that the oldest waiting event has waited at least; 0 where none waits.

        Args:
            now: seconds of any origin.
            partitions: (partition, last offset, visible offset) of each that has events waiting; others are
                left out or have last <= visible.
        """
        waiting = {number: (last, visible) for number, last, visible in partitions if last > visible}
        self._marks = {number: marks for number, marks in self._marks.items() if number in waiting}
        oldest = now
        for number, (last, visible) in waiting.items():
            marks = self._marks.setdefault(number, deque())
            while marks and marks[0][1] <= visible:
                marks.popleft()
            if not marks or marks[-1][1] < last:
                at = marks.pop()[0] if len(marks) == MOST_MARKS else now
                marks.append((at, last))
            oldest = min(oldest, marks[0][0])
        return now - oldest


class LatelyGrown:
    """How much a counter that only grows grew within the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._counts: deque[tuple[float, int]] = deque([(float("-inf"), 0)])

    def look(self, now: float, count: int) -> int:
        """The growth up to now."""
        if count != self._counts[-1][1]:
            self._counts.append((now, count))
        while len(self._counts) > 1 and self._counts[1][0] <= now - self._seconds:
            self._counts.popleft()
        return count - self._counts[0][1]
