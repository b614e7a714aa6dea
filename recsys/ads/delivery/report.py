"""What a campaign delivered, day by day: requests, auctions, events, and money."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from recsys.ads.delivery.waterfall import Waterfall, summed
from recsys.ads.ledger.charges import NANOS, ChargedEvent, Outcome
from recsys.documents import JsonObject


@dataclass(frozen=True)
class ChargedEvents:
    """Events of one kind and day of which the books know: those that the campaign pays for.

    Attributes:
        micros: what was billed. price_nanos: what they would have cost, free ones too.
    """

    day: date
    event: ChargedEvent
    outcome: Outcome
    events: int
    micros: int
    price_nanos: int


@dataclass(frozen=True)
class SeenEvents:
    """What events say of the ads that were served on a day, whatever the campaign pays for.

    Attributes:
        viewable, clicks, purchases: how many; see `recsys.ads.labels`.
        value_micros: of the purchases, less what was taken back.
    """

    viewable: int
    clicks: int
    purchases: int
    value_micros: int


@dataclass(frozen=True)
class DayReport:
    """One day of a campaign, or several together.

    Attributes:
        viewable, clicks, purchases: how many; None = not known, as the campaign pays for something else and
            events were not asked.
        value_micros: of the purchases; None = events were not asked.
        spend_micros: what was billed. returned_micros: what was given back of that day's bill or of one
            before, on this day.
        lost_micros: what events over the budget would have cost.
        free: events that were not billed: over the budget, or too late.
        billed: events that were.
    """

    waterfall: Waterfall = field(default_factory=Waterfall)
    viewable: int | None = None
    clicks: int | None = None
    purchases: int | None = None
    value_micros: int | None = None
    spend_micros: int = 0
    returned_micros: int = 0
    lost_micros: int = 0
    billed: int = 0
    free: int = 0

    @property
    def click_rate(self) -> float | None:
        """Clicks by viewable impressions, else by requests in which it was shown; None = not known."""
        seen = self.waterfall.won if self.viewable is None else self.viewable
        return self.clicks / seen if self.clicks is not None and seen else None

    @property
    def price_micros(self) -> int | None:
        """What a billed event cost on average, rounded down; None without any."""
        return self.spend_micros // self.billed if self.billed else None

    def to_json(self) -> JsonObject:
        """The numbers; money in micros."""
        return {
            **self.waterfall.to_json(),
            "viewable": self.viewable,
            "clicks": self.clicks,
            "click_rate": self.click_rate,
            "purchases": self.purchases,
            "value_micros": self.value_micros,
            "spend_micros": self.spend_micros,
            "average_price_micros": self.price_micros,
            "returned_micros": self.returned_micros,
            "lost_micros": self.lost_micros,
            "billed_events": self.billed,
            "free_events": self.free,
        }


def day_reports(
    waterfalls: Mapping[date, Waterfall],
    charged: Iterable[ChargedEvents],
    returned_micros: Mapping[date, int],
    days: Iterable[date],
    pays_for: ChargedEvent,
) -> dict[date, DayReport]:
    """Each of `days` -> its report, also where nothing happened.

    Args:
        waterfalls: by day; see `waterfalls_by_day`. charged: what the books know.
        returned_micros: day -> what was given back then.
        pays_for: the event that the campaign pays for now; of others only those are known that it paid for.
    """
    by_day: dict[date, list[ChargedEvents]] = {}
    for each in charged:
        by_day.setdefault(each.day, []).append(each)
    paid_for = {pays_for, *(each.event for of_day in by_day.values() for each in of_day)}
    return {
        day: _day_report(
            waterfalls.get(day, Waterfall()), by_day.get(day, []), returned_micros.get(day, 0), paid_for
        )
        for day in days
    }


def with_seen(day: DayReport, seen: SeenEvents) -> DayReport:
    """`day` with what events say in the place of what the books know of viewable impressions and the like."""
    return replace(day, **vars(seen))


def total_report(days: Iterable[DayReport]) -> DayReport:
    """Several days together."""
    reports = tuple(days)
    return DayReport(
        waterfall=summed(each.waterfall for each in reports),
        viewable=_known_sum(each.viewable for each in reports),
        clicks=_known_sum(each.clicks for each in reports),
        purchases=_known_sum(each.purchases for each in reports),
        value_micros=_known_sum(each.value_micros for each in reports),
        spend_micros=sum(each.spend_micros for each in reports),
        returned_micros=sum(each.returned_micros for each in reports),
        lost_micros=sum(each.lost_micros for each in reports),
        billed=sum(each.billed for each in reports),
        free=sum(each.free for each in reports),
    )


def _day_report(
    waterfall: Waterfall, charged: list[ChargedEvents], returned_micros: int, paid_for: set[ChargedEvent]
) -> DayReport:
    lost_nanos = sum(each.price_nanos for each in charged if each.outcome == "over_budget")
    billed = sum(each.events for each in charged if each.outcome == "charged")
    return DayReport(
        waterfall,
        viewable=_events(charged, "viewable", paid_for),
        clicks=_events(charged, "click", paid_for),
        purchases=_events(charged, "purchase", paid_for),
        spend_micros=sum(each.micros for each in charged),
        returned_micros=returned_micros,
        lost_micros=lost_nanos // NANOS,
        billed=billed,
        free=sum(each.events for each in charged) - billed,
    )


def _events(charged: list[ChargedEvents], event: ChargedEvent, paid_for: set[ChargedEvent]) -> int | None:
    if event not in paid_for:
        return None
    return sum(each.events for each in charged if each.event == event)


def _known_sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
