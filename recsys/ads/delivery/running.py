"""When a campaign was running, by what was changed of it and by its dates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from recsys.ads.campaigns.schedule import Schedule
from recsys.documents import JsonObject

Span = tuple[datetime, datetime]
"""From an instant to before another; both aware."""


@dataclass(frozen=True)
class CampaignVersion:
    """What a change made of a campaign, as far as it decides whether the campaign runs.

    Attributes:
        since: when it was changed to this.
        may_run: whether it is active and approved, and has an active line with an item.
    """

    since: datetime
    may_run: bool
    schedule: Schedule


def version_of(since: datetime, document: JsonObject) -> CampaignVersion:
    """The version that a change made.

    Args:
        document: of the campaign after it, as `campaign_to_json` writes it.
    """
    is_active = document["status"] == "active" and document["review"]["state"] == "approved"
    has_ads = any(line["status"] == "active" and line["items"] for line in document["lines"])
    days = [None if text is None else date.fromisoformat(text) for text in _dates(document)]
    return CampaignVersion(since, is_active and has_ads, Schedule(*days))


def running_spans(
    versions: Sequence[CampaignVersion], zone: tzinfo, start: datetime, end: datetime
) -> tuple[Span, ...]:
    """The spans from `start` to `end` in which the campaign was running, in order and apart.

    Args:
        versions: the oldest first. Before the first there was no campaign.
        zone: of the account, whose days the dates are.
    """
    spans: list[Span] = []
    for place, version in enumerate(versions):
        until = versions[place + 1].since if place + 1 < len(versions) else end
        if not version.may_run:
            continue
        opens, closes = version.schedule.bounds(zone)
        first = max(start, version.since, *([opens] if opens else []))
        last = min(end, until, *([closes] if closes else []))
        if first < last:
            spans.append((first, last))
    return tuple(spans)


def share_within(spans: Iterable[Span], start: datetime, end: datetime) -> float:
    """Which part of the time from `start` to `end` lies in `spans`, which do not overlap; from 0 to 1."""
    inside = sum(max((min(end, last) - max(start, first)).total_seconds(), 0.0) for first, last in spans)
    return min(inside / (end - start).total_seconds(), 1.0)


def _dates(document: JsonObject) -> tuple[str | None, str | None]:
    return document["starts_on"], document["ends_on"]
