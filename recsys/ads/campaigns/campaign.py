"""A campaign and its lines. An ad is one item of a line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from recsys.ads.campaigns.bidding import Bidding, Budget, FixedBid, Pricing
from recsys.ads.campaigns.schedule import Schedule
from recsys.ads.campaigns.status import APPROVED, PENDING, Review, Status
from recsys.ads.campaigns.targets import Surface, Targets

AS_IT_IS = 100  # percent of the bid
MOST_PERCENT = 1000


@dataclass(frozen=True)
class FrequencyCap:
    """At most `count` impressions of the campaign to one user within any `window_seconds`."""

    count: int
    window_seconds: int


@dataclass(frozen=True)
class Line:
    """A group of items of a campaign.

    Attributes:
        line_id: `lin_` and letters. name: unique in the campaign.
        items: ids of the items that are advertised.
        bid_micros: in the place of the campaign's bid; None = the campaign's.
        budget: beside the campaign's and the account's, which hold too.
    """

    line_id: str
    name: str
    items: tuple[str, ...]
    bid_micros: int | None = None
    budget: Budget = Budget()
    status: Status = "active"


@dataclass(frozen=True)
class Campaign:
    """What an account advertises together.

    Attributes:
        campaign_id: `cmp_` and letters. name: unique in the account, archived campaigns included.
        placement_percents: what a bid is multiplied by on a surface, in percent; 100 where it is not named.
        quality_floor: ads whose quality, from 0 to 1, is below it stay away.
        never_beside: categories of items that none of its ads may stand next to.
        version: of the campaign with its lines, from 1; 0 = not stored yet. changed_at: when it became that.
    """

    campaign_id: str
    account_id: str
    name: str
    pricing: Pricing
    bidding: Bidding
    budget: Budget = Budget()
    schedule: Schedule = Schedule()
    status: Status = "active"
    review: Review = PENDING
    targets: Targets = Targets()
    lines: tuple[Line, ...] = ()
    placement_percents: Mapping[Surface, int] = field(default_factory=dict)
    quality_floor: float = 0.0
    frequency_cap: FrequencyCap | None = None
    never_beside: tuple[str, ...] = ()
    version: int = 0
    changed_at: datetime | None = None

    @property
    def items(self) -> tuple[str, ...]:
        """The ids of all items that are advertised, those of archived lines left out."""
        return tuple(item for line in self.lines if line.status != "archived" for item in line.items)

    def line(self, name_or_id: str) -> Line | None:
        """The line of that name or id; None if there is none."""
        return next((line for line in self.lines if name_or_id in (line.line_id, line.name)), None)

    def line_bid_micros(self, line: Line) -> int | None:
        """What `line` bids before the placement counts; None where the bidding strategy sets it."""
        if not isinstance(self.bidding, FixedBid):
            return None
        return self.bidding.bid_micros if line.bid_micros is None else line.bid_micros

    def placed_bid_micros(self, bid_micros: int, surface: Surface) -> int:
        """`bid_micros` on a surface, rounded down once."""
        return bid_micros * self.placement_percents.get(surface, AS_IT_IS) // AS_IT_IS


def review_after(before: Campaign | None, after: Campaign, by_shop: bool) -> Review:
    """The review of a campaign that was `before` (None = it is new) and is `after`.

    What the shop itself makes or changes is approved unless it was rejected before. An advertiser's new
    campaign waits for a review, and so does one with other items or targets, and a rejected one once changed.
    """
    if before is None:
        return APPROVED if by_shop else PENDING
    is_shown_else = (before.items, before.targets) != (after.items, after.targets)
    if by_shop or not (is_shown_else or before.review.state == "rejected"):
        return before.review
    return PENDING
