"""An ad log in memory."""

from collections.abc import Sequence

from recsys.ads.delivery.served_slot import ServedSlot
from recsys.errors import StoreUnavailableError


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
        self.slots.extend(slots)
