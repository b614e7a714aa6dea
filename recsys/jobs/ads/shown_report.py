"""A campaign's report as it is printed: a JSON object, or a table for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.delivery.report import DayReport, total_report
from recsys.amounts import amount_text
from recsys.documents import JsonObject

TOTAL = "total"


@dataclass(frozen=True)
class ShownReport:
    """What a campaign delivered.

    Attributes:
        currency: the shop's code; None where it is not known.
        days: day of the account's time zone -> its report.
        held_out: requests of those days whose users saw no ads, for comparison; they are in no other number.
        lost_seconds: of requests that killed processes counted and could not keep, at most.
    """

    account: Account
    campaign: Campaign
    currency: str | None
    days: Mapping[date, DayReport]
    held_out: int
    lost_seconds: float

    @property
    def total(self) -> DayReport:
        """All days together."""
        return total_report(self.days.values())

    def to_json(self) -> JsonObject:
        """What `recsys ads campaign report --json` prints."""
        return {
            "account": self.account.name,
            "campaign": self.campaign.name,
            "campaign_id": self.campaign.campaign_id,
            "time_zone": self.account.time_zone,
            "currency": self.currency,
            "held_out_requests": self.held_out,
            "lost_seconds": self.lost_seconds,
            "days": [{"day": day, **report.to_json()} for day, report in self.days.items()],
            "total": self.total.to_json(),
        }

    def to_rows(self) -> list[JsonObject]:
        """A row for each day, then the total."""
        rows = [self._row(day.isoformat(), report) for day, report in self.days.items()]
        return [*rows, self._row(TOTAL, self.total)]

    def _row(self, day: str, report: DayReport) -> JsonObject:
        found = report.waterfall
        row = {
            "day": day,
            "requests": found.requests,
            "matched": found.matched,
            "auctions": found.auctions,
            "shown": found.won,
            "viewable": report.viewable,
            "clicks": report.clicks,
            "click rate": percent(report.click_rate),
            "purchases": report.purchases,
            "spend": self._amount(report.spend_micros),
            "price": self._amount(report.price_micros),
            "lost": self._amount(report.lost_micros),
            "win rate": percent(found.win_rate),
            "voice": percent(found.share_of_voice),
        }
        known = {name for name in ("viewable", "clicks", "purchases") if getattr(self.total, name) is None}
        return {name: value for name, value in row.items() if name not in known}

    def _amount(self, micros: int | None) -> str | None:
        return None if micros is None else amount_text(micros)


def percent(share: float | None) -> str | None:
    """A share as people read it.

    >>> percent(0.0125), percent(None)
    ('1.25%', None)
    """
    return None if share is None else f"{share:.2%}"
