"""What a service that shows ads opens: campaigns, books, hold-out, budgets, the log and the counts."""

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta

from recsys.ads.auction.surface_prices import surface_prices
from recsys.ads.blending.rules import PageRules
from recsys.ads.delivery.counts import DeliveryCounts
from recsys.ads.exploration.rule import ExplorationRule
from recsys.ads.exploration.warm_up import WarmUp
from recsys.ads.ledger.budgets import TOTAL, period_of
from recsys.ads.selection.prediction import SmoothedRates
from recsys.ads.selection.question import SelectionRules
from recsys.ads.selection.spending import RunningNumbers
from recsys.config import Settings
from recsys.experiments.experiment import Experiment
from recsys.instants import as_utc
from recsys.service_settings import AdsSettings
from recsys.stores.ads.delivery.flusher import DeliveryFlusher
from recsys.stores.ads.delivery.store import DeliveryStore
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.records import StoredAds
from recsys.stores.ads.store import AdsStore
from recsys.stores.ads_gate.gate import RedisBudgetGate
from recsys.stores.experiments.store import ExperimentStore
from recsys.stores.served.ad_log import DurableAdLog

HOLDOUT = "ads"  # the experiment that ads are held out by


class AdsStores:
    """The stores of one home that ads are served from; opened at once, connected with the first need.

    Attributes:
        gate: of budgets. log: of what is served. counts: of what became of campaigns, written by `flusher`.
    """

    def __init__(self, settings: Settings) -> None:
        self._opened = ExitStack()
        self._campaigns = self._opened.enter_context(AdsStore.open(settings))
        self._ledger = self._opened.enter_context(AdsLedger.open(settings))
        self._experiments = self._opened.enter_context(ExperimentStore.open(settings))
        self._delivery = self._opened.enter_context(DeliveryStore.open(settings))
        self.gate = RedisBudgetGate.open(settings)
        self._opened.callback(self.gate.close)
        self.log = DurableAdLog.open(settings)
        self._opened.callback(self.log.close)
        self.counts = DeliveryCounts()
        self.flusher = DeliveryFlusher(self.counts, self._delivery)

    def close(self) -> None:
        """Closes them all."""
        self._opened.close()

    def version(self) -> int:
        """See `AdsStore.version`."""
        return self._campaigns.version()

    def everything(self) -> StoredAds:
        """See `AdsStore.everything`."""
        return self._campaigns.everything()

    def running_numbers(self, now: datetime, since: int | None) -> RunningNumbers:
        """The running numbers in total and of all days that it may be anywhere; see `AdsLedger`."""
        return self._ledger.running_numbers(periods_around(now), since)

    def generations(self) -> Mapping[str, int]:
        """The newest generation of each account's budgets in the gate that the charge worker noted."""
        return self._ledger.generations()

    def kept_at(self) -> datetime | None:
        """When a charge worker last kept the gate true to the books; None = never."""
        return self._ledger.kept_at()

    def requests(self, start: datetime, end: datetime) -> Mapping[datetime, int]:
        """See `DeliveryStore.requests`."""
        return self._delivery.requests(start, end)

    def holdout(self) -> Experiment | None:
        """The experiment that ads are held out by; None where there is none."""
        found: Mapping[str, Experiment] = {each.name: each for each in self._experiments.experiments()}
        return found.get(HOLDOUT)


def periods_around(now: datetime) -> Collection[str]:
    """The total, and the days that it may be in some time zone.

    >>> sorted(periods_around(datetime(2026, 5, 1, 12)))
    ['2026-04-30', '2026-05-01', '2026-05-02', 'total']
    """
    today = as_utc(now).date()
    return (TOTAL, *(period_of(today + timedelta(days=offset)) for offset in (-1, 0, 1)))


def selection_rules(settings: AdsSettings) -> SelectionRules:
    """What the settings say of auctions."""
    return SelectionRules(
        surface_prices(settings),
        settings.most_per_account,
        least_relevance=settings.least_relevance,
        quality_exponent=settings.quality_exponent,
        exploration=ExplorationRule(settings.exploration, settings.exploration_strength),
        warm_up=WarmUp(settings.warm_up_share, settings.warm_up_slots, settings.warm_up_impressions),
    )


def shop_page_rules(settings: AdsSettings) -> PageRules:
    """What the settings say of pages; how positions are viewed is the predictor's to say."""
    return PageRules(
        (1.0,),
        settings.page_percent,
        settings.first_position,
        settings.least_between,
        settings.least_relevance,
    )


def prior_predictor(settings: AdsSettings) -> SmoothedRates:
    """What is expected where no model says more: the rates of the settings, of every item."""
    return SmoothedRates(
        rate=settings.click_rate,
        purchase_rate=settings.purchase_rate,
        examination_power=settings.examination_power,
    )
