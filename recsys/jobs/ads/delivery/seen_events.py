"""What events say of a campaign's ads, day by day: from the log of served ads and the event lake."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.campaigns.local_days import day_bounds, local_day
from recsys.ads.delivery.report import SeenEvents
from recsys.ads.labels.slot_labels import SlotLabels
from recsys.config import Settings
from recsys.jobs.ads.served_labels import read_served_labels


@dataclass(frozen=True)
class SeenDays:
    """Day -> what events say of the ads that were served then. `gaps`: what the log lacks, for people."""

    days: dict[date, SeenEvents]
    gaps: tuple[str, ...]


def seen_days(
    settings: Settings, account: Account, campaign: Campaign, days: Sequence[date], now: datetime
) -> SeenDays:
    """What events say of each of `days`, which follow each other. Invalid traffic is none of it.

    Raises:
        DataError: a file of the ad log or of the lake cannot be read.
        ConfigError: the secret of tokens cannot be read.
    """
    start, end = day_bounds(days[0], account.zone)[0], day_bounds(days[-1], account.zone)[1]
    found = read_served_labels(settings, start, end, now, campaign_id=campaign.campaign_id)
    places: dict[date, list[int]] = {day: [] for day in days}
    for place, slot in enumerate(found.labels.slots):
        if not found.labels.invalid[place]:
            places[local_day(slot.served_at, account.zone)].append(place)
    gaps = tuple(str(gap) for gap in found.gaps if gap.loses_slots)
    return SeenDays({day: _seen(found.labels, of_day) for day, of_day in places.items()}, gaps)


def _seen(labels: SlotLabels, places: list[int]) -> SeenEvents:
    return SeenEvents(
        viewable=int((labels.viewable[places] == 1).sum()),
        clicks=int(labels.clicked[places].sum()),
        purchases=int(labels.purchased[places].sum()),
        value_micros=int(labels.value_micros[places].sum()),
    )
