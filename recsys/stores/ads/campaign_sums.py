"""What the books say of campaigns, for reports and forecasts; inside a transaction that is open already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from recsys.ads.delivery.report import ChargedEvents
from recsys.ads.ledger.charges import ChargedEvent
from recsys.stores.ads.ledger_tables import ChargeRow as Charged
from recsys.stores.ads.ledger_tables import LedgerEntryRow as Entry
from recsys.stores.ads.ledger_tables import LedgerLegRow as Leg


@dataclass(frozen=True)
class CampaignSums:
    """Its events, and day of the bill -> what was given back then."""

    events: tuple[ChargedEvents, ...]
    returned_micros: Mapping[date, int]


@dataclass(frozen=True)
class SoldEvents:
    """Events of one kind that the books know of a campaign. `billed`: those that were; `micros`: for what."""

    campaign_id: str
    event: ChargedEvent
    events: int
    billed: int
    micros: int


def sold_events(connection: Connection, start: datetime) -> tuple[SoldEvents, ...]:
    """Those of every campaign of which the ad was served at `start` or later."""
    names = (Charged.campaign_id, Charged.event)
    billed = func.sum(case((Charged.outcome == "charged", 1), else_=0))
    query = (
        select(*names, func.count(), billed, func.sum(Charged.micros))
        .where(Charged.served_at >= start)
        .group_by(*names)
        .order_by(*names)
    )
    found: Sequence[Any] = connection.execute(query).all()
    return tuple(
        SoldEvents(campaign, event, events, int(billed), int(micros))
        for campaign, event, events, billed, micros in found
    )


def charged_events(
    connection: Connection, campaign_id: str, first: date, last: date
) -> tuple[ChargedEvents, ...]:
    """Its events from one day to another, both included, by day, kind and what came of them."""
    names = (Charged.day, Charged.event, Charged.outcome)
    query = (
        select(*names, func.count(), func.sum(Charged.micros), func.sum(Charged.price_nanos))
        .where(Charged.campaign_id == campaign_id, Charged.day >= first, Charged.day <= last)
        .group_by(*names)
        .order_by(*names)
    )
    found: Sequence[Any] = connection.execute(query).all()
    # PostgreSQL's sums are decimals.
    return tuple(
        ChargedEvents(day, event, outcome, count, int(micros), int(nanos))
        for day, event, outcome, count, micros, nanos in found
    )


def returned_micros(connection: Connection, campaign_id: str, first: date, last: date) -> dict[date, int]:
    """Day of the bill -> what was given back of its charges then: refunds, and what was written off."""
    query = (
        select(Entry.day, func.sum(Leg.micros))
        .join(Leg)
        .where(
            Leg.book == "revenue",
            Entry.kind.in_(("refund", "write_off")),
            Entry.campaign_id == campaign_id,
            Entry.day >= first,
            Entry.day <= last,
        )
        .group_by(Entry.day)
    )
    return {day: int(micros) for day, micros in connection.execute(query)}
