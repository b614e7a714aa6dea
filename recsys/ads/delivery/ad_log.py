"""The ad log: what was served, kept for sure before the answer leaves."""

from collections.abc import Sequence
from typing import Protocol

from recsys.ads.delivery.served_slot import ServedSlot


class AdLog(Protocol):
    """Keeps slots that were served; any thread may use it."""

    def append(self, slots: Sequence[ServedSlot]) -> None:
        """Returns when `slots`, all of one answer, are kept even if the process is killed now.

        Raises:
            StoreUnavailableError: they are not kept; then nothing of them may be shown.
            DataError: they are of different days (UTC), so of no one answer.
        """
        ...
