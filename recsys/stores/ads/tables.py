"""Tables of advertising: accounts, campaigns, lines, their items, and who changed what.

No row is ever deleted but those of a line's items: what was billed names the others for good.
"""

from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Date,
    Double,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from recsys.stores.registry.database import Tables, UtcDateTime

AdsKind = Literal["account", "campaign"]
Money = BigInteger  # micros
_BUDGETS = "budget_day_micros > 0 AND budget_total_micros > 0"  # true or unknown where one is NULL


class AccountRow(Tables):
    """An account as it is now."""

    __tablename__ = "ads_accounts"
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint("budget_day_micros > 0", name="budget"),
    )

    account_id: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    time_zone: Mapped[str] = mapped_column(String(60))
    budget_day_micros: Mapped[int | None] = mapped_column(Money)
    prepaid: Mapped[bool]
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str]


class CampaignRow(Tables):
    """A campaign as it is now; `version` counts its changes with those of its lines."""

    __tablename__ = "ads_campaigns"
    __table_args__ = (
        UniqueConstraint("account_id", "name"),
        CheckConstraint("pricing IN ('cpc', 'cpm', 'cpa')", name="pricing"),
        CheckConstraint("status IN ('draft', 'active', 'paused', 'archived')", name="status"),
        CheckConstraint("review_state IN ('pending', 'approved', 'rejected')", name="review_state"),
        CheckConstraint("bid_micros > 0", name="bid"),
        CheckConstraint(_BUDGETS, name="budget"),
    )

    campaign_id: Mapped[str] = mapped_column(String(20), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("ads_accounts.account_id"))
    name: Mapped[str] = mapped_column(String(100))
    pricing: Mapped[str] = mapped_column(String(10))
    strategy: Mapped[str] = mapped_column(String(20))
    bid_micros: Mapped[int | None] = mapped_column(Money)
    target_percent: Mapped[int | None]
    budget_day_micros: Mapped[int | None] = mapped_column(Money)
    budget_total_micros: Mapped[int | None] = mapped_column(Money)
    starts_on: Mapped[date | None] = mapped_column(Date)
    ends_on: Mapped[date | None] = mapped_column(Date)
    status: Mapped[str] = mapped_column(String(10))
    review_state: Mapped[str] = mapped_column(String(10))
    review_reason: Mapped[str] = mapped_column(String(500))
    targets: Mapped[dict[str, Any]] = mapped_column(JSON)
    placement_percents: Mapped[dict[str, int]] = mapped_column(JSON)
    quality_floor: Mapped[float] = mapped_column(Double)
    frequency_cap: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True))
    never_beside: Mapped[list[str]] = mapped_column(JSON)
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str]


class LineRow(Tables):
    """A line of a campaign; `place` keeps their order."""

    __tablename__ = "ads_lines"
    __table_args__ = (
        UniqueConstraint("campaign_id", "name"),
        CheckConstraint("status IN ('draft', 'active', 'paused', 'archived')", name="status"),
        CheckConstraint("bid_micros > 0", name="bid"),
        CheckConstraint(_BUDGETS, name="budget"),
    )

    line_id: Mapped[str] = mapped_column(String(20), primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("ads_campaigns.campaign_id"))
    place: Mapped[int]
    name: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(10))
    bid_micros: Mapped[int | None] = mapped_column(Money)
    budget_day_micros: Mapped[int | None] = mapped_column(Money)
    budget_total_micros: Mapped[int | None] = mapped_column(Money)


class LineItemRow(Tables):
    """An ad: one item of a line; `place` keeps their order."""

    __tablename__ = "ads_line_items"

    line_id: Mapped[str] = mapped_column(ForeignKey("ads_lines.line_id"), primary_key=True)
    item_id: Mapped[str] = mapped_column(String(256), primary_key=True)
    place: Mapped[int]


class AdsAuditRow(Tables):
    """Who changed an account or a campaign, from what to what; rows are only ever added."""

    __tablename__ = "ads_audit"
    __table_args__ = (
        CheckConstraint("kind IN ('account', 'campaign')", name="kind"),
        Index("ix_ads_audit_entity_id", "entity_id"),
        Index("ix_ads_audit_account_id", "account_id"),
    )

    change_id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    entity_id: Mapped[str] = mapped_column(String(20))
    account_id: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    action: Mapped[str] = mapped_column(String(20))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    remark: Mapped[str]
