"""What a campaign is to be expected to deliver, before it is saved or changed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from recsys import columns
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.delivery.counts import HOUR, CountedHour, hour_of
from recsys.ads.delivery.forecast import Estimate, Forecast, ForecastBasis, SurfaceDemand, forecast
from recsys.ads.delivery.landscape import Landscape, landscape
from recsys.amounts import amount_text
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import RequestError
from recsys.instants import utc_now
from recsys.jobs.ads.campaign_options import CampaignOptions
from recsys.jobs.ads.campaigns import CampaignEditing
from recsys.jobs.ads.delivery.forecast_basis import Market, forecast_basis
from recsys.jobs.ads.delivery.logged_demand import (
    answered_demand,
    counted_demand,
    logged_answers,
    targeted_demand,
)
from recsys.jobs.ads.delivery.shown_report import percent
from recsys.jobs.ads.shown_campaign import ShownCampaign
from recsys.processes import current_user
from recsys.stores.ads.delivery import DeliveryStore
from recsys.stores.ads.forecasts import ForecastStore
from recsys.stores.ads.store import AdsStore
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.served.ad_log_files import AdLogGap, read_ad_log

DAYS = 14  # of demand, each 24 hours, that are looked at
LANDSCAPE_DAYS = 3  # of served ads that are read for what has to be outbid
SEED = 14


@dataclass(frozen=True)
class ShownForecast:
    """A forecast as it is printed."""

    campaign: ShownCampaign
    forecast: Forecast

    def to_json(self) -> JsonObject:
        """What `recsys ads campaign forecast --json` prints."""
        return {
            "account": self.campaign.account.name,
            "campaign": self.campaign.campaign.name,
            "currency": self.campaign.currency,
            "a_day": self.forecast.to_json(),
        }

    def to_rows(self) -> list[JsonObject]:
        """A row for each number, with the bounds that 8 of 10 days lie within."""
        made, currency = self.forecast, self.campaign.currency
        rows = [
            _row("requests that meet its targets", made.matched, _whole),
            _row("shown", made.impressions, _whole),
            _row("clicks", made.clicks, lambda count: f"{count:,.1f}"),
            _row("spend", made.spend_micros, lambda micros: amount_text(round(micros), currency)),
        ]
        if made.budget_share is not None:
            rows.append(_row("part of the budget", made.budget_share, lambda share: percent(share) or ""))
        return rows


def forecast_campaign(
    settings: Settings, which: str | None, account: str | None, given: CampaignOptions
) -> ShownForecast:
    """The forecast of a campaign that is there, or of a new one of `account` where `which` is None.

    Raises:
        RequestError: neither is named, or as the methods of CampaignForecasts.
    """
    forecasts = CampaignForecasts(settings)
    if which is not None:
        return forecasts.existing(which, given, account)
    if account is None:
        raise RequestError("whose campaign it is was not said. Give --account, or the name of a campaign.")
    return forecasts.new(account, given)


class CampaignForecasts:
    """Forecasts of one home's campaigns, each kept. Every method opens the database for itself.

    Args:
        author: who asks; None = who runs this process.
    """

    def __init__(
        self, settings: Settings, author: str | None = None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._settings = settings
        self._author = author or current_user() or "unknown"
        self._clock = clock
        self._editing = CampaignEditing(settings, self._author, clock=clock)

    def new(self, account: str, given: CampaignOptions) -> ShownForecast:
        """Of a campaign that is not saved.

        Raises:
            RequestError: nothing tells what it would pay, or as `CampaignEditing.create` does.
        """
        return self._made(self._editing.planned(account, given))

    def existing(self, which: str, given: CampaignOptions, account: str | None = None) -> ShownForecast:
        """Of a campaign as it is, or as what is given would change it.

        Raises:
            RequestError: nothing tells what it would pay, or as `CampaignEditing.edit` does.
        """
        return self._made(self._editing.changed(which, given, account))

    def _made(self, shown: ShownCampaign) -> ShownForecast:
        made = forecast(self._basis(shown), np.random.default_rng(SEED))
        with ForecastStore.open(self._settings, self._clock) as store:
            store.keep(shown.campaign, made, self._author)
        return ShownForecast(shown, made)

    def _basis(self, shown: ShownCampaign) -> ForecastBasis:
        end = hour_of(self._clock()) + HOUR
        start = end - timedelta(days=DAYS)
        with DeliveryStore.open(self._settings) as delivery, AdsStore.open(self._settings) as ads:
            hours, sold, campaigns = delivery.hours(start, end), delivery.sold(start), ads.campaigns()
        answers = logged_answers(self._settings.paths.served, start)
        demand = counted_demand(hours, end, DAYS)
        told = "demand stays as the requests for ads of"
        if not demand:
            demand = answered_demand(answers, end, DAYS)
            told = "each answer of the shop comes with a request for ads, as"
        days = max((len(each) for each in demand.values()), default=0)
        told = f"{told} the last {days} days" if days else "there was no request yet"
        targets = shown.campaign.targets
        categories = self._categories() if targets.categories else {}
        asked = targeted_demand(demand, answers, targets, categories)
        market = Market.of(hours, sold, campaigns)
        assumed = (told, *_about_targets(shown, asked))
        outbid = self._landscape(shown.campaign, hours, end)
        return forecast_basis(shown.account, shown.campaign, asked, market, assumed, shown.currency, outbid)

    def _landscape(self, campaign: Campaign, hours: Iterable[CountedHour], end: datetime) -> Landscape | None:
        """What had to be outbid in the last days, as far as the log of served ads has all of them."""
        start = end - timedelta(days=LANDSCAPE_DAYS)
        gaps: list[AdLogGap] = []
        slots = list(read_ad_log(self._settings.paths.ad_log, start, end, gaps.append))
        requests = sum(each.requests for each in hours if each.hour >= start and not each.holdout)
        if any(gap.loses_slots for gap in gaps) or not requests:
            return None
        targets = replace(campaign.targets, segment=None)
        return landscape(slots, requests, targets, campaign.campaign_id)

    def _categories(self) -> dict[str, tuple[str, ...]]:
        items = load_items(self._settings.paths).select(
            [columns.ITEM_ID, columns.CATEGORY, columns.CATEGORY_PATH]
        )
        return {
            item: tuple(text for text in texts if text)
            for item, *texts in zip(*(column.to_pylist() for column in items.columns), strict=True)
        }


def _about_targets(shown: ShownCampaign, demand: tuple[SurfaceDemand, ...]) -> tuple[str, ...]:
    """What was assumed of the requests that meet the targets."""
    targets = shown.campaign.targets
    told = []
    if not targets.is_open or targets.keywords:
        asked = sum(each.asked for each in demand)
        told.append(f"what requests are about is as in {asked:,} logged answers")
    if targets.items:
        told.append("the log does not tell whose page was looked at: target items are left out")
    if targets.segment is not None:
        told.append("everybody is in the segment")
    return tuple(told)


def _row(what: str, estimate: Estimate, text: Callable[[float], str]) -> JsonObject:
    return {
        "a day": what,
        "expected": text(estimate.expected),
        "8 of 10 days from": text(estimate.low),
        "to": text(estimate.high),
    }


def _whole(count: float) -> str:
    return f"{count:,.0f}"
