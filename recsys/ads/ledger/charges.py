"""What a charge is: an event that a served ad's token names, the price it was sold at, and what came of it.

Prices are in nanos, thousandths of a micro: one impression of a CPM of 0.0003, which is 300 micros a
thousand, costs 300 nanos. The books have whole micros. What is left over stays with the line as its
remainder, from 0 to 999 nanos, and is part of the line's next charge: nothing is rounded away.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from recsys.ads.campaigns.bidding import Pricing

NANOS = 1000  # of a micro
MOST_TOKEN = 128  # characters
BILLABLE = timedelta(minutes=30)  # after the ad was served, for clicks and impressions

ChargedEvent = Literal["click", "viewable", "purchase"]
Level = Literal["account", "campaign", "line"]
Outcome = Literal["charged", "over_budget", "late", "unknown_line"]


@dataclass(frozen=True)
class Charge:
    """An event that may be billed, with what its token says.

    Attributes:
        token_id: of the served ad; with `event` it is what an event is charged by once.
        price_nanos: what this one event costs, from 0.
        served_at: when the ad was served. occurred_at: when the event was; both aware.

    Raises:
        ValueError: the token is empty or too long, or the price below 0.
    """

    token_id: str
    event: ChargedEvent
    account_id: str
    campaign_id: str
    line_id: str
    price_nanos: int
    served_at: datetime
    occurred_at: datetime

    def __post_init__(self) -> None:
        if not 0 < len(self.token_id) <= MOST_TOKEN:
            raise ValueError(f"the token {self.token_id[:MOST_TOKEN]!r} has not 1 to {MOST_TOKEN} characters")
        if self.price_nanos < 0:
            raise ValueError(f"the price {self.price_nanos} is below 0")

    @property
    def key(self) -> str:
        """What the charge is known by: the event and the token.

        A purchase and a click of one served ad are two charges; the same click twice is one.
        """
        return charge_key(self.event, self.token_id)

    @property
    def is_late(self) -> bool:
        """Whether the event came more than 30 minutes after its ad was served, and is free.

        Purchases are not late here: how long one counts is the campaign's attribution.
        """
        return self.event != "purchase" and self.occurred_at - self.served_at > BILLABLE


@dataclass(frozen=True)
class ChargeResult:
    """What came of a charge.

    Attributes:
        key: of the charge.
        micros: what was billed; 0 where it was free, or where it only made the line's remainder larger.
        day: of the account's time zone, which the charge counts on; None where the line is unknown.
        refused_by: the first level whose budget was too small; None = none was.
        is_duplicate: whether the event was there before. Then this changed nothing, and the rest is of then.
    """

    key: str
    outcome: Outcome
    micros: int = 0
    day: date | None = None
    refused_by: Level | None = None
    is_duplicate: bool = False


def charge_key(event: ChargedEvent, token_id: str) -> str:
    """What a charge is known by.

    >>> charge_key("click", "t1")
    'click:t1'
    """
    return f"{event}:{token_id}"


def event_price_nanos(pricing: Pricing, price_micros: int) -> int:
    """What one event costs, exactly, where clicks and purchases cost `price_micros`, or 1,000 impressions do.

    >>> event_price_nanos("cpc", 400_000), event_price_nanos("cpm", 300)
    (400000000, 300)
    """
    return price_micros if pricing == "cpm" else price_micros * NANOS


def due_micros(price_nanos: int, remainder_nanos: int) -> tuple[int, int]:
    """What is billed now, rounded down, and the remainder that is left for the next charge.

    >>> due_micros(300, 0), due_micros(300, 900), due_micros(400_000_000, 7)
    ((0, 300), (1, 200), (400000, 7))
    """
    return divmod(price_nanos + remainder_nanos, NANOS)
