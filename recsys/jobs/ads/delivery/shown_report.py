"""A campaign's report as it is printed: a JSON object, or a table for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.delivery.forecast import Forecast, forecast_errors
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
        forecasts: day -> what was expected of it; of days that are over and had a forecast.
        gaps: what the log of served ads lacks, where it was read.
        counted_since: where the report begins before it, the day since which counts of requests are kept.
    """

    account: Account
    campaign: Campaign
    currency: str | None
    days: Mapping[date, DayReport]
    held_out: int
    lost_seconds: float
    forecasts: Mapping[date, Forecast]
    gaps: tuple[str, ...] = ()
    counted_since: date | None = None

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
            "gaps": list(self.gaps),
            "counted_since": self.counted_since and self.counted_since.isoformat(),
            "days": [
                {"day": day, **report.to_json(), "forecast": self._errors(day, report)}
                for day, report in self.days.items()
            ],
            "total": self.total.to_json(),
        }

    def to_rows(self) -> list[JsonObject]:
        """A row for each day, then the total."""
        rows = [self._row(day.isoformat(), report) for day, report in self.days.items()]
        rows.append(self._row(TOTAL, self.total))
        if not self.forecasts:
            return rows
        expected = [self.forecasts.get(day) for day in self.days] + [None]
        return [
            {**row, "expected spend": made and self._amount(round(made.spend_micros.expected))}
            for row, made in zip(rows, expected, strict=True)
        ]

    def _errors(self, day: date, report: DayReport) -> JsonObject | None:
        """What was expected of the day beside what came; None without a forecast."""
        made = self.forecasts.get(day)
        if made is None:
            return None
        return {name: each.to_json() for name, each in forecast_errors(made, report).items()}

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
            "value": self._amount(report.value_micros),
            "spend": self._amount(report.spend_micros),
            "price": self._amount(report.price_micros),
            "lost": self._amount(report.lost_micros),
            "win rate": percent(found.win_rate),
            "voice": percent(found.share_of_voice),
        }
        total = self.total
        unknown = {name for name in ("viewable", "clicks", "purchases") if getattr(total, name) is None}
        unknown |= {"value"} if total.value_micros is None else set()
        return {name: value for name, value in row.items() if name not in unknown}

    def _amount(self, micros: int | None) -> str | None:
        return None if micros is None else amount_text(micros)


def percent(share: float | None) -> str | None:
    """A share as people read it.

    >>> percent(0.0125), percent(None)
    ('1.25%', None)
    """
    return None if share is None else f"{share:.2%}"
