"""Accounts and campaigns over HTTP: what the routes answer."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from recsys.ads.campaigns.bidding import PRICINGS
from recsys.ads.campaigns.readiness import STATES
from recsys.ads.campaigns.status import STATUSES
from recsys.ads.campaigns.targets import SURFACES
from recsys.jobs.ads.campaign_fields import STRATEGIES

_MICROS = "micros; null: no bound"
_CURRENCY = "the shop's code; null where it is not known"
_VERSION = "from 1; a change names the one that it read"


class AccountAnswer(BaseModel):
    """An advertiser's account."""

    account_id: str = Field(description="stays as it is")
    name: str = Field(description="unique in the shop")
    time_zone: str = Field(description="of its days")
    budget_day_micros: int | None = Field(description=f"what it may spend in a day, {_MICROS}")
    prepaid: bool = Field(description="whether it spends only what it paid in before")
    currency: str | None = Field(description=_CURRENCY)
    version: int = Field(description=_VERSION)
    changed_at: datetime | None = Field(description="when it became that")
    campaigns: int = Field(description="how many it has, archived ones too")


class AccountsAnswer(BaseModel):
    """The accounts that the caller sees."""

    accounts: list[AccountAnswer] = Field(description="by name")


class ReviewAnswer(BaseModel):
    """Whether the shop lets a campaign be shown."""

    state: Literal["pending", "approved", "rejected"] = Field(description="the verdict")
    reason: str = Field(description="of a rejection")


class BiddingAnswer(BaseModel):
    """What is bid."""

    strategy: Literal[STRATEGIES] = Field(description="how bids are set")  # type: ignore[valid-type]
    bid_micros: int | None = Field(description="the bid, or the largest one; null: no bound")
    target_percent: int | None = Field(description="of target_roas")


class TargetsAnswer(BaseModel):
    """What requests have to be about."""

    categories: list[str] = Field(description="names or paths")
    items: list[str] = Field(description="ids, for their pages")
    keywords: list[str] = Field(description='[exact], "phrase" or broad; - before a negative one')
    segment: str | None = Field(description="an expression over what is known of the user")
    surfaces: list[Literal[SURFACES]] = Field(description="none: all")  # type: ignore[valid-type]


class CapAnswer(BaseModel):
    """How often one user sees a campaign."""

    count: int = Field(description="impressions at most")
    window_seconds: int = Field(description="within any time so long")


class LineAnswer(BaseModel):
    """A group of items of a campaign."""

    line_id: str = Field(description="stays as it is")
    name: str = Field(description="unique in the campaign")
    status: Literal[STATUSES] = Field(description="as it was set")  # type: ignore[valid-type]
    bid_micros: int | None = Field(description="its own bid; null: the campaign's")
    budget_day_micros: int | None = Field(description=f"its own, {_MICROS}")
    budget_total_micros: int | None = Field(description=f"its own, {_MICROS}")
    items: list[str] = Field(description="ids of its ads")


class CampaignAnswer(BaseModel):
    """A campaign with its lines."""

    account: str = Field(description="name of its account")
    state: Literal[STATES] = Field(description="how it stands now")  # type: ignore[valid-type]
    currency: str | None = Field(description=_CURRENCY)
    campaign_id: str = Field(description="stays as it is")
    account_id: str = Field(description="of its account")
    name: str = Field(description="unique in the account")
    status: Literal[STATUSES] = Field(description="as it was set")  # type: ignore[valid-type]
    review: ReviewAnswer = Field(description="whether the shop lets it be shown")
    pricing: Literal[PRICINGS] = Field(description="what is paid for")  # type: ignore[valid-type]
    bidding: BiddingAnswer = Field(description="what is bid")
    budget_day_micros: int | None = Field(description=_MICROS)
    budget_total_micros: int | None = Field(description=_MICROS)
    starts_on: date | None = Field(description="its first day")
    ends_on: date | None = Field(description="its last day, included")
    targets: TargetsAnswer = Field(description="what requests have to be about")
    placement_percents: dict[str, int] = Field(description="surface -> percent of the bid")
    quality_floor: float = Field(description="ads of a lower quality stay away")
    frequency_cap: CapAnswer | None = Field(description="how often a user sees it")
    never_beside: list[str] = Field(description="categories that its ads never stand next to")
    lines: list[LineAnswer] = Field(description="its groups of items")
    version: int = Field(description=f"of the campaign with its lines, {_VERSION}")
    changed_at: datetime | None = Field(description="when it became that")


class CampaignsAnswer(BaseModel):
    """The campaigns that the caller sees."""

    campaigns: list[CampaignAnswer] = Field(description="by account and name")


class ChangeAnswer(BaseModel):
    """One change of a campaign."""

    at: datetime = Field(description="when")
    by: str = Field(description="who")
    kind: str = Field(description="what was changed")
    entity_id: str = Field(description="its id")
    account_id: str = Field(description="of its account")
    version: int = Field(description="after it")
    action: str = Field(description="what was done")
    before: dict[str, Any] | None = Field(description="the document before; null: it was made")
    after: dict[str, Any] = Field(description="the document after")
    changed_by: str = Field(description="as `by`")
    changed_at: datetime = Field(description="as `at`")
    remark: str = Field(description="why")


class HistoryOfCampaignAnswer(BaseModel):
    """Who changed a campaign."""

    changes: list[ChangeAnswer] = Field(description="the oldest first")


class DeliveredAnswer(BaseModel):
    """What a campaign delivered in some time."""

    requests: int = Field(description="all requests for ads of the shop, held-out ones left out")
    eligible: int = Field(description="in which the campaign was running")
    matched: int = Field(description="that met its targets")
    auctions: int = Field(description="in whose auction it took part")
    won: int = Field(description="in which it was shown")
    lost: dict[str, int] = Field(description="step -> requests lost there; with `won` they are all requests")
    win_rate: float | None = Field(description="won by auctions")
    share_of_voice: float | None = Field(description="won by matched")


class TotalAnswer(DeliveredAnswer):
    """What a campaign delivered in some days, with its events and its money."""

    viewable: int | None = Field(description="impressions; null where they are not known")
    clicks: int | None = Field(description="null where they are not known")
    click_rate: float | None = Field(description="by viewable impressions, else by `won`")
    purchases: int | None = Field(description="null where they are not known")
    value_micros: int | None = Field(description="of the purchases; null where it is not known")
    spend_micros: int = Field(description="what was billed")
    average_price_micros: int | None = Field(description="of a billed event")
    returned_micros: int = Field(description="what was given back")
    lost_micros: int = Field(description="what events over the budget would have cost")
    billed_events: int = Field(description="that were billed")
    free_events: int = Field(description="over the budget, or too late")


class ForecastErrorAnswer(BaseModel):
    """What was expected of a day, beside what came."""

    expected: float = Field(description="by the last forecast before the day")
    actual: int = Field(description="what came")
    within: bool = Field(description="whether that is in the forecast's interval")
    error: float = Field(description="actual less expected")


class DayAnswer(TotalAnswer):
    """One day of a campaign."""

    day: date = Field(description="of the account's time zone")
    forecast: dict[str, ForecastErrorAnswer] | None = Field(
        description="impressions, clicks and spend_micros; null without a forecast"
    )


class ReportAnswer(BaseModel):
    """What a campaign delivered, day by day."""

    account: str = Field(description="name of its account")
    campaign: str = Field(description="its name")
    campaign_id: str = Field(description="its id")
    time_zone: str = Field(description="of the days")
    currency: str | None = Field(description=_CURRENCY)
    held_out_requests: int = Field(description="of users who saw no ads, for comparison")
    lost_seconds: float = Field(description="of one process's requests that killed processes lost, at most")
    gaps: list[str] = Field(description="what the log of served ads lacks; empty, as it is not read here")
    counted_since: date | None = Field(
        description="where the report begins earlier: since when counts of requests are kept"
    )
    days: list[DayAnswer] = Field(description="in order")
    total: TotalAnswer = Field(description="all days together")


class ObstacleAnswer(BaseModel):
    """One thing that keeps ads away."""

    step: str = Field(description="what it is about")
    blocks: bool = Field(description="whether it keeps all ads away, or some")
    message: str = Field(description="what it is, and the remedy")


class LastHoursAnswer(DeliveredAnswer):
    """What became of the requests of the last 24 hours."""

    largest_loss: str | None = Field(description="the first step at which most were lost")
    message: str | None = Field(description="why, and what helps")


class WhyNotAnswer(BaseModel):
    """Why a campaign is not shown, or not more often."""

    obstacles: list[ObstacleAnswer] = Field(description="what is wrong with it now")
    last_24_hours: LastHoursAnswer = Field(description="what serving saw")
