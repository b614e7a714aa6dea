"""Tables of delivery: what the processes that serve ads counted, hour by hour, and what was forecast.

Campaigns are not references to their rows: one that is not there must not keep the counts of others away.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from recsys.ads.campaigns.targets import Surface
from recsys.stores.registry.database import Tables, UtcDateTime

MOST_PROCESS = 64  # characters of a process's name


class CountingProcessRow(Tables):
    """A process that counts; `sequence` is the last batch that it wrote, from 1."""

    __tablename__ = "ads_delivery_processes"
    __table_args__ = (Index("ix_ads_delivery_processes_flushed_at", "flushed_at"),)

    process: Mapped[str] = mapped_column(String(MOST_PROCESS), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    flushed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sequence: Mapped[int] = mapped_column(BigInteger)


class DeliveryRequestsRow(Tables):
    """How many requests an hour brought on a surface."""

    __tablename__ = "ads_delivery_requests"
    __table_args__ = (CheckConstraint("requests > 0", name="requests"),)

    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    surface: Mapped[Surface] = mapped_column(String(10), primary_key=True)
    holdout: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)


class DeliveryStepsRow(Tables):
    """In how many of them a campaign left at a step."""

    __tablename__ = "ads_delivery_steps"
    __table_args__ = (
        CheckConstraint("requests > 0", name="requests"),
        Index("ix_ads_delivery_steps_hour", "hour"),
    )

    campaign_id: Mapped[str] = mapped_column(String(20), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    surface: Mapped[Surface] = mapped_column(String(10), primary_key=True)
    holdout: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    step: Mapped[str] = mapped_column(String(10), primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)


class ForecastRow(Tables):
    """A forecast of a campaign. Before the campaign is saved it has no id: then its name is what is known."""

    __tablename__ = "ads_forecasts"
    __table_args__ = (Index("ix_ads_forecasts_account_id_name", "account_id", "name"),)

    forecast_id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("ads_accounts.account_id"))
    campaign_id: Mapped[str | None] = mapped_column(ForeignKey("ads_campaigns.campaign_id"))
    name: Mapped[str] = mapped_column(String(100))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[str]
    forecast: Mapped[dict[str, Any]] = mapped_column(JSON)
