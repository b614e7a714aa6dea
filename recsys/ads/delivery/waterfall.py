"""Where a campaign's requests went: step by step from all requests to those in which it was shown."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Literal

from recsys.ads.campaigns.local_days import local_day
from recsys.ads.delivery.counts import HOUR, CountedHour
from recsys.ads.delivery.running import Span, share_within
from recsys.ads.delivery.steps import Step
from recsys.documents import JsonObject

LossStep = Literal["running", "targets", "quality", "floor", "budget", "pacing", "cap", "outbid", "page"]
_LOSSES: Mapping[Step, LossStep] = {
    Step.QUALITY: "quality",
    Step.FLOOR: "floor",
    Step.BUDGET: "budget",
    Step.PACING: "pacing",
    Step.CAP: "cap",
    Step.OUTBID: "outbid",
    Step.PAGE: "page",
}
_IN_AUCTION = (Step.OUTBID, Step.PAGE, Step.WON)


@dataclass(frozen=True)
class Waterfall:
    """What became of the requests of some hours, for one campaign. Held-out requests are none of them.

    Attributes:
        requests: all that were served.
        not_running: of them, those in which the campaign was not running: paused, not approved, out of
            its dates. Within an hour in which that changed it is the share of the hour.
        not_targeted: those in which it ran, and which did not meet its targets.
        steps: step -> requests that it left there; `won` where it was shown.
    """

    requests: int = 0
    not_running: int = 0
    not_targeted: int = 0
    steps: Mapping[Step, int] = field(default_factory=dict)

    @property
    def eligible(self) -> int:
        """Requests in which it was running."""
        return self.requests - self.not_running

    @property
    def matched(self) -> int:
        """Requests that met its targets."""
        return self.eligible - self.not_targeted

    @property
    def auctions(self) -> int:
        """Requests in whose auction it took part."""
        return sum(self.steps.get(step, 0) for step in _IN_AUCTION)

    @property
    def won(self) -> int:
        """Requests in which it was shown."""
        return self.steps.get(Step.WON, 0)

    @property
    def win_rate(self) -> float | None:
        """The part of its auctions after which it was shown; None without any."""
        return self.won / self.auctions if self.auctions else None

    @property
    def share_of_voice(self) -> float | None:
        """The part of the requests that met its targets in which it was shown; None without any."""
        return self.won / self.matched if self.matched else None

    def losses(self) -> dict[LossStep, int]:
        """Step -> requests that were lost there, in the order of the steps; with `won` they are all."""
        found: dict[LossStep, int] = {"running": self.not_running, "targets": self.not_targeted}
        for step, name in _LOSSES.items():
            found[name] = self.steps.get(step, 0)
        return found

    def largest_loss(self) -> LossStep | None:
        """The first step at which most were lost; None where nothing was lost.

        Requests that never met the targets count only where none did: most of a shop's requests are about
        something else, and that is as it should be.
        """
        losses = {step: lost for step, lost in self.losses().items() if lost}
        if self.matched:
            losses.pop("targets", None)
        return max(losses, key=lambda step: losses[step], default=None)

    def to_json(self) -> JsonObject:
        """The numbers, and which rates they make."""
        return {
            "requests": self.requests,
            "eligible": self.eligible,
            "matched": self.matched,
            "auctions": self.auctions,
            "won": self.won,
            "lost": self.losses(),
            "win_rate": self.win_rate,
            "share_of_voice": self.share_of_voice,
        }


def summed(waterfalls: Iterable[Waterfall]) -> Waterfall:
    """All of them together."""
    requests = not_running = not_targeted = 0
    steps: Counter[Step] = Counter()
    for each in waterfalls:
        requests += each.requests
        not_running += each.not_running
        not_targeted += each.not_targeted
        steps.update(each.steps)
    return Waterfall(requests, not_running, not_targeted, dict(steps))


def waterfall_of(hour: CountedHour, campaign_id: str, spans: Iterable[Span], now: datetime) -> Waterfall:
    """The waterfall of one hour on one surface.

    Args:
        spans: in which the campaign was running; see `running_spans`.
        now: an hour that is not over at `now` is shared out by what of it is over.
    """
    steps = {step: count for (of, step), count in hour.steps.items() if of == campaign_id and count}
    matched = sum(steps.values())
    requests = max(hour.requests, matched)
    end = min(hour.hour + HOUR, now) if now > hour.hour else hour.hour + HOUR
    eligible = round(requests * share_within(spans, hour.hour, end))
    # What met its targets was running: a share of the hour is an estimate, counts are not.
    eligible = max(eligible, matched)
    return Waterfall(requests, requests - eligible, eligible - matched, steps)


def waterfalls_by_day(
    hours: Iterable[CountedHour], campaign_id: str, spans: Iterable[Span], zone: tzinfo, now: datetime
) -> dict[date, Waterfall]:
    """Day of the zone -> its waterfall. Requests of held-out units are left out.

    An hour belongs to the day in which it begins. In zones that are not whole hours from UTC, up to an hour
    of requests is counted on the neighbouring day.
    """
    spans = tuple(spans)
    found: dict[date, list[Waterfall]] = {}
    for hour in hours:
        if not hour.holdout:
            day = local_day(hour.hour, zone)
            found.setdefault(day, []).append(waterfall_of(hour, campaign_id, spans, now))
    return {day: summed(found[day]) for day in sorted(found)}
