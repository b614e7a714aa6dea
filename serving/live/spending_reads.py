"""Reads what was spent of budgets: all of it now and then, and between only what moved of late."""

from collections import deque
from collections.abc import Callable
from datetime import datetime

from recsys.ads.selection.inventory import Inventory
from recsys.ads.selection.spending import RunningNumbers, Spending

# Entries of the books are numbered when they are made, not when they can be seen: one that took so long to be
# committed is still found.
COMMIT_SECONDS = 5.0
ALL_SECONDS = 60.0  # between two reads of all: whatever else was missed is found then

ReadNumbers = Callable[[datetime, int | None], RunningNumbers]  # now, and the entry since which


class SpendingReads:
    """What was spent as of the last read. For one thread.

    Args:
        seconds: monotonic.
    """

    def __init__(self, running_numbers: ReadNumbers, seconds: Callable[[], float]) -> None:
        self._running_numbers = running_numbers
        self._seconds = seconds
        self._known: Spending | None = None
        self._all_at = 0.0
        self._seen: deque[tuple[float, int]] = deque()  # when, and which entry was the newest one

    def read(self, inventory: Inventory, now: datetime) -> Spending:
        """What was spent of the budgets of `inventory`, as of now.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        at, known = self._seconds(), self._known
        is_old = at - self._all_at >= ALL_SECONDS
        if known is None or is_old or not known.is_of(inventory, now):
            return self._read_all(inventory, now, at)
        booked, numbers = self._running_numbers(now, self._seen[0][1])
        if booked < self._seen[-1][1]:  # the database was set back
            return self._read_all(inventory, now, at)
        self._note(at, booked)
        if numbers:
            known = self._known = known.with_numbers(numbers)
        return known

    def _read_all(self, inventory: Inventory, now: datetime, at: float) -> Spending:
        booked, numbers = self._running_numbers(now, None)
        self._known = Spending.nothing(inventory, now).with_numbers(numbers)
        self._all_at = at
        self._seen.clear()
        self._note(at, booked)
        return self._known

    def _note(self, at: float, booked: int) -> None:
        """Keeps the newest entry of each read of late and the last before, where the next read begins."""
        self._seen.append((at, booked))
        while len(self._seen) > 1 and self._seen[1][0] <= at - COMMIT_SECONDS:
            self._seen.popleft()
