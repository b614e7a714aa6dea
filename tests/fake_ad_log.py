"""An ad log in memory."""

from collections.abc import Sequence
from datetime import UTC

from recsys.ads.delivery.served_slot import ServedSlot
from recsys.errors import DataError, StoreUnavailableError


class FakeAdLog:
    """Keeps slots in a list; while `refuses` it keeps nothing and says so.

    Attributes:
        slots: all that were appended, in their order.
    """

    def __init__(self) -> None:
        self.slots: list[ServedSlot] = []
        self.refuses = False

    def append(self, slots: Sequence[ServedSlot]) -> None:
        """Keeps `slots`, of one answer."""
        if self.refuses and slots:
            raise StoreUnavailableError("the ad log", "append", 0)
        if len({slot.served_at.astimezone(UTC).date() for slot in slots}) > 1:
            raise DataError("slots of one answer were served on 2 days.")
        self.slots.extend(slots)
