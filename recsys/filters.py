"""What an item must be to be shown: one grammar for recommendation, search and merchandising rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Filters:
    """What an item must be to be shown; an empty field asks for nothing.

    Attributes:
        categories: one of these. brands: one of these.
        price_min_micros: at least; items without a price do not pass. price_max_micros: at most.
        attributes: attribute name -> value that the item has, or has among several.
        include_unavailable: also items that cannot be bought now.
    """

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    price_min_micros: int | None = None
    price_max_micros: int | None = None
    attributes: Mapping[str, str | float] = field(default_factory=dict)
    include_unavailable: bool = False
