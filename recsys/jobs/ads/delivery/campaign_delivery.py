"""What serving and the books saw of a campaign: its report by day, and its last 24 hours for `why-not`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.campaigns.local_days import day_bounds, day_start, local_day
from recsys.ads.campaigns.readiness import Obstacle
from recsys.ads.campaigns.schedule import parse_day
from recsys.ads.delivery.counts import HOUR, CountedHour, hour_of, lost_seconds
from recsys.ads.delivery.forecast import Forecast
from recsys.ads.delivery.remedies import loss_message
from recsys.ads.delivery.report import day_reports, with_seen
from recsys.ads.delivery.running import Span, running_spans, version_of
from recsys.ads.delivery.waterfall import Waterfall, summed, waterfall_of, waterfalls_by_day
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import RequestError
from recsys.instants import utc_now
from recsys.jobs.ads.accounts import shop_currency
from recsys.jobs.ads.campaigns import CampaignEditing, found_campaign
from recsys.jobs.ads.delivery.forecast_basis import PAYS_FOR
from recsys.jobs.ads.delivery.seen_events import seen_days
from recsys.jobs.ads.delivery.shown_report import ShownReport
from recsys.jobs.ads.delivery.waterfall_picture import draw_report
from recsys.stores.ads.delivery.forecasts import ForecastStore, KeptForecast
from recsys.stores.ads.delivery.store import DeliveryStore
from recsys.stores.ads.store import AdsStore

DEFAULT_DAYS = 7
MOST_DAYS = 366
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class LastHours:
    """What became of the requests of the last 24 hours.

    Attributes:
        message: where most were lost and what helps; None where nothing was.
    """

    waterfall: Waterfall
    message: str | None

    def to_json(self) -> JsonObject:
        """The waterfall with the step at which most were lost."""
        loss = self.waterfall.largest_loss()
        return {**self.waterfall.to_json(), "largest_loss": loss, "message": self.message}


@dataclass(frozen=True)
class WhyNot:
    """Why a campaign is not shown, or not more often: what is wrong with it now, and what serving saw."""

    obstacles: tuple[Obstacle, ...]
    last_hours: LastHours

    def to_json(self) -> JsonObject:
        """What `recsys ads campaign why-not --json` prints."""
        return {
            "obstacles": [vars(each) for each in self.obstacles],
            "last_24_hours": self.last_hours.to_json(),
        }


class CampaignDelivery:
    """What was delivered of the campaigns of one home. Every method opens the database for itself.

    Args:
        account_id: of the advertiser who asks and sees nothing else; None = the shop's operator.
    """

    def __init__(
        self, settings: Settings, account_id: str | None = None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._settings = settings
        self._account_id = account_id
        self._clock = clock

    def report(
        self,
        which: str,
        account: str | None = None,
        first: str | None = None,
        last: str | None = None,
        picture: Path | None = None,
        from_log: bool = False,
    ) -> ShownReport:
        """The report of a campaign, day by day.

        Args:
            first, last: days of the account's time zone as YYYY-MM-DD, both included. Default: up to today,
                seven days.
            picture: a file that the waterfall of all days is drawn into, as a PNG.
            from_log: whether viewable impressions, clicks and purchases are counted by events on the ads that
                were served, for which the log of served ads and the lake are read.

        Raises:
            UnknownCampaignError: there is no such campaign.
            RequestError: a day is none, they are in the wrong order, or too many; or the picture cannot be
                written.
        """
        now = self._clock()
        with self._stores() as (ads, delivery):
            owner, campaign = found_campaign(ads, which, account)
            days = _days(first, last, local_day(now, owner.zone))
            start, end = day_start(days[0], owner.zone), day_start(days[-1] + _DAY, owner.zone)
            hours = delivery.hours(start, end, campaign.campaign_id)
            spans = _spans(ads, owner, campaign, start, end)
            sums = delivery.charged(campaign.campaign_id, days[0], days[-1])
            processes = delivery.processes(start, end)
            kept_since = delivery.kept_since
        with ForecastStore.open(self._settings) as store:
            forecasts = store.forecasts(campaign)
        waterfalls = waterfalls_by_day(hours, campaign.campaign_id, spans, owner.zone, now)
        pays_for = PAYS_FOR[campaign.pricing]
        reports = day_reports(waterfalls, sums.events, sums.returned_micros, days, pays_for)
        gaps: tuple[str, ...] = ()
        if from_log:
            seen = seen_days(self._settings, owner, campaign, days, now)
            reports = {day: with_seen(report, seen.days[day]) for day, report in reports.items()}
            gaps = seen.gaps
        shown = ShownReport(
            account=owner,
            campaign=campaign,
            currency=shop_currency(self._settings),
            days=reports,
            held_out=sum(each.requests for each in hours if each.holdout),
            lost_seconds=lost_seconds(processes, now),
            forecasts=_forecasts(forecasts, days, owner, now),
            gaps=gaps,
            counted_since=local_day(kept_since, owner.zone) if start < kept_since else None,
        )
        if picture is not None:
            draw_report(shown, picture)
        return shown

    def why_not(self, which: str, account: str | None = None) -> WhyNot:
        """Why the ads of a campaign are not shown.

        Raises:
            UnknownCampaignError: there is no such campaign. DataError: nothing was imported.
        """
        editing = CampaignEditing(self._settings, account_id=self._account_id, clock=self._clock)
        return WhyNot(editing.why_not(which, account), self.last_hours(which, account))

    def last_hours(self, which: str, account: str | None = None) -> LastHours:
        """What became of the requests of the last 24 hours, the current one included.

        Raises:
            UnknownCampaignError: there is no such campaign.
        """
        now = self._clock()
        end = hour_of(now) + HOUR
        with self._stores() as (ads, delivery):
            owner, campaign = found_campaign(ads, which, account)
            hours = delivery.hours(end - 24 * HOUR, end, campaign.campaign_id)
            spans = _spans(ads, owner, campaign, end - 24 * HOUR, end)
        found = _together(hours, campaign.campaign_id, spans, now)
        return LastHours(found, loss_message(found))

    @contextmanager
    def _stores(self) -> Iterator[tuple[AdsStore, DeliveryStore]]:
        with (
            AdsStore.open(self._settings, self._clock) as ads,
            DeliveryStore.open(self._settings, self._clock) as delivery,
        ):
            yield (ads if self._account_id is None else ads.within(self._account_id)), delivery


def _spans(
    store: AdsStore, owner: Account, campaign: Campaign, start: datetime, end: datetime
) -> tuple[Span, ...]:
    changes = store.history(campaign.campaign_id)
    versions = [version_of(change.changed_at, change.after) for change in changes]
    return running_spans(versions, owner.zone, start, end)


def _forecasts(
    kept: tuple[KeptForecast, ...], days: list[date], owner: Account, now: datetime
) -> dict[date, Forecast]:
    """Each day that is over -> the last forecast made before it began; a day without one is left out."""
    found: dict[date, Forecast] = {}
    for day in days:
        starts, ends = day_bounds(day, owner.zone)
        made = [each.forecast for each in kept if each.made_at <= starts]
        if made and ends <= now:
            found[day] = made[-1]
    return found


def _together(
    hours: tuple[CountedHour, ...], campaign_id: str, spans: tuple[Span, ...], now: datetime
) -> Waterfall:
    return summed(waterfall_of(each, campaign_id, spans, now) for each in hours if not each.holdout)


def _days(first: str | None, last: str | None, today: date) -> list[date]:
    end = today if last is None else parse_day("--to", last)
    start = end - (DEFAULT_DAYS - 1) * _DAY if first is None else parse_day("--from", first)
    if start > end:
        raise RequestError(f"the report ends on {end}, before its first day {start}. Give --to after --from.")
    count = (end - start).days + 1
    if count > MOST_DAYS:
        raise RequestError(f"the report has {count} days, {MOST_DAYS} are allowed. Ask for fewer at once.")
    return [start + place * _DAY for place in range(count)]
