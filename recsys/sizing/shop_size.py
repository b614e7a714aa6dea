"""How large a shop is."""

from dataclasses import dataclass, fields
from typing import Literal, Self

Driver = Literal["items", "users", "events", "texts"]


@dataclass(frozen=True)
class ShopSize:
    """How large a shop is.

    Attributes:
        users: of whom something is known. events: that are kept. texts: distinct texts of items.
    """

    items: int
    users: int
    events: int
    texts: int

    def of(self, driver: Driver) -> int:
        """One of its numbers.

        >>> ShopSize(items=7, users=8, events=90, texts=6).of("events")
        90
        """
        return int(getattr(self, driver))

    def times(self, factor: float) -> Self:
        """A shop so many times as large in everything.

        >>> ShopSize(10, 20, 300, 5).times(2)
        ShopSize(items=20, users=40, events=600, texts=10)
        """
        return type(self)(*(round(getattr(self, each.name) * factor) for each in fields(self)))
