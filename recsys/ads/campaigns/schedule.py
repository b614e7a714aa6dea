"""From which day to which a campaign runs, both included, in its account's time zone."""

from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Literal

from recsys.ads.campaigns.local_days import day_bounds, local_day
from recsys.errors import RequestError

Phase = Literal["before", "open", "over"]


@dataclass(frozen=True)
class Schedule:
    """The first and the last day; None = no bound."""

    starts_on: date | None = None
    ends_on: date | None = None

    @property
    def is_ordered(self) -> bool:
        """Whether it does not end before it starts."""
        return self.starts_on is None or self.ends_on is None or self.starts_on <= self.ends_on

    def phase(self, at: datetime, zone: tzinfo) -> Phase:
        """Whether the instant `at` is before, within or after the schedule.

        >>> from datetime import UTC
        >>> Schedule(date(2026, 5, 1), date(2026, 5, 1)).phase(datetime(2026, 5, 1, 23, 59, tzinfo=UTC), UTC)
        'open'
        """
        day = local_day(at, zone)
        if self.starts_on is not None and day < self.starts_on:
            return "before"
        return "over" if self.ends_on is not None and day > self.ends_on else "open"

    def bounds(self, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
        """When it begins and, not belonging to it, when it ends; in UTC, None = no bound."""
        starts = None if self.starts_on is None else day_bounds(self.starts_on, zone)[0]
        ends = None if self.ends_on is None else day_bounds(self.ends_on, zone)[1]
        return starts, ends


def parse_day(what: str, text: str) -> date:
    """The day that `text` says.

    Raises:
        RequestError: it is no date as ISO 8601 has it; `what` names it in the message.

    >>> parse_day("--start", "2026-12-01")
    datetime.date(2026, 12, 1)
    """
    try:
        if len(text) == len("2026-12-01"):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise RequestError(f"{what} {text[:40]!r} is no day. Write 2026-12-31; it is of the account's time zone.")
