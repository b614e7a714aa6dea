"""Organic and sponsored items of one page, both valued in one currency.

The currency is micros for 1,000 views of an item. A click is worth something to the shop whoever pays for the
place, `click_worth_micros`; a sponsored item also earns what its advertiser is expected to pay:

    organic:    1,000 x attraction x click_worth
    sponsored:  1,000 x attraction x click_worth + expected revenue at the price of the auction

Each value is rounded down to a whole micro, once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from recsys.ads.auction.candidates import PricingCode
from recsys.errors import DataError

VIEWS = 1000  # that a value is for


@dataclass(frozen=True)
class OrganicItem:
    """An item that the shop shows by itself.

    Attributes:
        product_id: variants of one product have the same one.
        value_micros: what 1,000 views of it are worth, see `organic_value`.
        categories: those it belongs to, with the wider ones; ads may refuse to stand next to them.

    Raises:
        DataError: the value is below 0.
    """

    item_id: str
    product_id: str
    value_micros: int
    categories: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        _check_value(self.item_id, self.value_micros)


@dataclass(frozen=True)
class SponsoredItem:
    """An ad that won a slot of the auction.

    Attributes:
        ad_id: names the ad, each once.
        value_micros: what 1,000 views of it are worth, see `sponsored_value`.
        relevance: how well it fits what the page is about, in [0, 1].
        never_beside: categories of organic items that it may not stand next to.
        position: the only one that it may have, from 1: what its auction and its hold counted with. None =
            any that the rules leave.

    Raises:
        DataError: the value is below 0, or the relevance out of range.
    """

    ad_id: str
    item_id: str
    product_id: str
    value_micros: int
    relevance: float
    never_beside: frozenset[str] = frozenset()
    position: int | None = None

    def __post_init__(self) -> None:
        _check_value(self.ad_id, self.value_micros)
        if not 0 <= self.relevance <= 1:  # true for NaN too
            raise DataError(
                f"relevance {self.relevance} of {self.ad_id!r} is not between 0 and 1. "
                "Correct it where it is made."
            )


def organic_value(attraction: float, click_worth_micros: int) -> int:
    """What 1,000 views are worth: their expected clicks, at what the shop holds a click worth.

    Args:
        attraction: probability of a click where the item is viewed.

    >>> organic_value(0.02, 100_000)
    2000000
    """
    return int(VIEWS * Fraction(attraction) * click_worth_micros)


def sponsored_value(
    pricing: PricingCode,
    price_micros: int,
    attraction: float,
    p_purchase: float,
    click_worth_micros: int,
) -> int:
    """What 1,000 views are worth: the expected clicks, and what the advertiser is expected to pay.

    Args:
        price_micros: the auction's price for a click, 1,000 viewable impressions or a purchase; not the bid.
        p_purchase: of a purchase after a click; only CPA uses it.

    >>> sponsored_value(PricingCode.CPC, 300_000, 0.02, 0.0, 100_000)
    8000000
    """
    clicks = VIEWS * Fraction(attraction)
    billed = {
        PricingCode.CPC: clicks,
        PricingCode.CPM: Fraction(1),
        PricingCode.CPA: clicks * Fraction(p_purchase),
    }
    return int(clicks * click_worth_micros + billed[pricing] * price_micros)


def check_distinct(what: str, names: Iterable[str]) -> None:
    """Refuses a name that is there twice.

    Raises:
        DataError: the first such name.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{what} {name!r} is there twice. Give each once.")
        seen.add(name)


def _check_value(name: str, value_micros: int) -> None:
    if value_micros < 0:
        raise DataError(f"value_micros {value_micros} of {name!r} is below 0. Correct it where it is made.")
