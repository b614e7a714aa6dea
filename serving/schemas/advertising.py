"""Accounts and campaigns over HTTP: the bodies."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from recsys.ads.campaigns.account import MOST_NAME
from recsys.ads.campaigns.bidding import PRICINGS
from recsys.ads.campaigns.campaign import MOST_PERCENT
from recsys.ads.campaigns.checks import MOST_CAP_DAYS, MOST_ITEMS, MOST_LINES
from recsys.ads.campaigns.status import MOST_REASON
from recsys.ads.campaigns.targets import MOST_KEYWORD, MOST_KEYWORDS, MOST_TARGETS, SURFACES
from recsys.amounts import MOST_MICROS
from recsys.documents import JsonObject
from recsys.jobs.ads.campaign_fields import STRATEGIES
from serving.schemas.recommendations import Body, Identifier

ACTIONS = ("pause", "resume", "archive")
# As `checked_name` asks; ids have that form too.
EntryName = Annotated[
    str, StringConstraints(min_length=1, max_length=MOST_NAME, pattern=r"^[^\W_][\w. &'+-]*$")
]
Text = Annotated[str, StringConstraints(max_length=MOST_REASON, pattern=r"^[^\x00-\x1f\x7f]*$")]
Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Category = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]
Keyword = Annotated[
    str, StringConstraints(min_length=1, max_length=MOST_KEYWORD + 3, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Segment = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
Micros = Annotated[int, Field(ge=1, le=MOST_MICROS)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]

_DAY_BUDGET = "micros that may be spent in a day of the account's time zone; null: no bound"
_TOTAL_BUDGET = "micros that may be spent in total; null: no bound"
_VERSION = "that was read; where it is an older one the answer is 409 and nothing is changed"
_REMARK = "why, for the history"


class AccountBody(Body):
    """A new account."""

    name: EntryName = Field(description="unique in the shop")
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=60)] = Field(
        description="of the IANA database; budgets, bills and dates have its days"
    )
    budget_day_micros: Micros | None = Field(None, description=_DAY_BUDGET)
    prepaid: bool = Field(False, description="whether it spends only what it paid in before")


class AccountChangeBody(Body):
    """What is to be changed of an account; what is not there stays."""

    version: Version = Field(description=_VERSION)
    name: EntryName | None = Field(None, description="its new name")
    budget_day_micros: Micros | None = Field(None, description=_DAY_BUDGET)
    remark: Text = Field("", description=_REMARK)

    def changes(self) -> JsonObject:
        """The fields that were sent, but for the version and the remark."""
        return self.model_dump(exclude_unset=True, exclude={"version", "remark"})


class BiddingBody(Body):
    """What is bid: a fixed bid, or by which rule bids are set."""

    strategy: Literal[STRATEGIES] = Field(description="how bids are set")  # type: ignore[valid-type]
    bid_micros: Micros | None = Field(
        None, description="the most for a click, a thousand viewable impressions or a purchase"
    )
    target_percent: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="of target_roas: sales for what is spent; 400 = four units for one"
    )


class TargetsBody(Body):
    """What a request has to be about: one of categories, items or positive keywords; none: anything."""

    categories: list[Category] = Field(
        [], max_length=MOST_TARGETS, description="names or paths of categories"
    )
    items: list[Identifier] = Field([], max_length=MOST_TARGETS, description="ids of items, for their pages")
    keywords: list[Keyword] = Field(
        [], max_length=MOST_KEYWORDS, description='[exact], "phrase" or broad; - before a negative one'
    )
    segment: Segment | None = Field(None, description="an expression over what is known of the user")
    surfaces: list[Literal[SURFACES]] = Field(  # type: ignore[valid-type]
        [], max_length=len(SURFACES), description="places of the shop; none: all"
    )


class CapBody(Body):
    """How often one user sees a campaign."""

    count: Annotated[int, Field(ge=1, le=999_999)] = Field(description="impressions at most")
    window_seconds: Annotated[int, Field(ge=60, le=MOST_CAP_DAYS * 86_400)] = Field(
        description="within any time so long"
    )


class LineBody(Body):
    """A line: new, or changing the one of that name. What is not there stays."""

    name: EntryName = Field(description="unique in the campaign")
    items: list[Identifier] | None = Field(None, max_length=MOST_ITEMS, description="ids of its ads")
    bid_micros: Micros | None = Field(None, description="its own bid; null: the campaign's")
    budget_day_micros: Micros | None = Field(None, description=_DAY_BUDGET)
    budget_total_micros: Micros | None = Field(None, description=_TOTAL_BUDGET)


class _CampaignFields(Body):
    bidding: BiddingBody | None = Field(None, description="what is bid; a new campaign needs it")
    pricing: Literal[PRICINGS] | None = Field(  # type: ignore[valid-type]
        None, description="what is paid for; a new campaign: cpc"
    )
    budget_day_micros: Micros | None = Field(None, description=_DAY_BUDGET)
    budget_total_micros: Micros | None = Field(None, description=_TOTAL_BUDGET)
    starts_on: Day | None = Field(None, description="its first day; null: no bound")
    ends_on: Day | None = Field(None, description="its last day, included; null: no bound")
    targets: TargetsBody | None = Field(None, description="what requests have to be about, as a whole")
    placement_percents: (
        dict[Literal[SURFACES], Annotated[int, Field(ge=0, le=MOST_PERCENT)]] | None  # type: ignore[valid-type]
    ) = Field(None, description="surface -> percent that a bid is multiplied by there")
    quality_floor: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="ads of a lower quality stay away"
    )
    frequency_cap: CapBody | None = Field(None, description="how often a user sees it; null: no bound")
    never_beside: list[Category] | None = Field(
        None, max_length=MOST_TARGETS, description="categories of items that its ads never stand next to"
    )
    lines: list[LineBody] | None = Field(
        None, max_length=MOST_LINES, description="groups of items; a new campaign needs one"
    )

    def _fields(self, *others: str) -> JsonObject:
        """The fields that were sent and may be; a null that takes no bound away says nothing."""
        sent = self.model_dump(exclude_unset=True, exclude=set(others))
        may_be_null = {"budget_day_micros", "budget_total_micros", "starts_on", "ends_on", "frequency_cap"}
        found = {name: value for name, value in sent.items() if value is not None or name in may_be_null}
        for line in found.get("lines", ()):
            if line.get("items", ()) is None:
                del line["items"]
        return found


class CampaignBody(_CampaignFields):
    """A new campaign."""

    account: EntryName | None = Field(
        None, description="id or name of whose it is; an advertiser's is its own, an operator has to say it"
    )
    name: EntryName | None = Field(None, description="unique in the account; default: campaign 1, 2, ...")
    draft: bool = Field(False, description="whether it waits until it is resumed")

    def fields(self) -> JsonObject:
        """What is said of the campaign."""
        return self._fields("account", "draft")


class CampaignChangeBody(_CampaignFields):
    """What is to be changed of a campaign; what is not there stays."""

    version: Version = Field(description=_VERSION)
    name: EntryName | None = Field(None, description="its new name")
    remark: Text = Field("", description=_REMARK)

    def changes(self) -> JsonObject:
        """What is said of the campaign."""
        return self._fields("version", "remark")


class StatusBody(Body):
    """A campaign, or one of its lines, stopped, started or ended for good."""

    version: Version = Field(description=_VERSION)
    action: Literal[ACTIONS] = Field(description="archive is for good")  # type: ignore[valid-type]
    line: EntryName | None = Field(None, description="name or id of one line; default: the campaign")
    remark: Text = Field("", description=_REMARK)


class ReviewBody(Body):
    """The shop's verdict on a campaign."""

    version: Version = Field(description=_VERSION)
    reject: Text | None = Field(None, description="why it is rejected, for the advertiser; null: approved")
