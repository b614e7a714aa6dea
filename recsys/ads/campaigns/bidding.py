"""What a campaign pays for, what it bids, and what it may spend. All money in micros."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Pricing = Literal["cpc", "cpm", "cpa"]
PRICINGS: tuple[Pricing, ...] = get_args(Pricing)
IMPRESSIONS_OF_CPM = 1000


@dataclass(frozen=True)
class FixedBid:
    """The most that is paid: for a click (cpc), a thousand viewable impressions (cpm) or a purchase (cpa)."""

    bid_micros: int


@dataclass(frozen=True)
class TargetRoas:
    """Bids are set so that sales are `percent` of what is spent: 400 = four units sold for one spent.

    Attributes:
        most_bid_micros: no bid is above it; None = no bound.
    """

    percent: int
    most_bid_micros: int | None = None


@dataclass(frozen=True)
class MostClicks:
    """Bids are set so that the budget buys as many clicks as it can; `most_bid_micros` as in TargetRoas."""

    most_bid_micros: int | None = None


Bidding: TypeAlias = FixedBid | TargetRoas | MostClicks


@dataclass(frozen=True)
class Budget:
    """What may be spent in a day of the account's time zone, and in total; None = no bound."""

    day_micros: int | None = None
    total_micros: int | None = None


def event_cost_micros(pricing: Pricing, bid_micros: int) -> int:
    """The most that one billed event costs, rounded up: of cpm that is one impression.

    >>> event_cost_micros("cpc", 400_000), event_cost_micros("cpm", 1_500), event_cost_micros("cpm", 300)
    (400000, 2, 1)
    """
    return -(-bid_micros // IMPRESSIONS_OF_CPM) if pricing == "cpm" else bid_micros
