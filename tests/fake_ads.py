"""Ads of a service on fakes: campaigns, a gate in memory, a log and counts that tests look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from threading import Lock

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.delivery.counts import DeliveryCounts
from recsys.ads.delivery.served_slot import ServedSlot
from recsys.ads.selection.prediction import ClickPredictor
from recsys.ads.selection.question import SelectionRules
from recsys.ads.selection.spending import RunningNumber, RunningNumbers
from recsys.ads.tokens.impression_token import ImpressionTokens
from recsys.ads.tokens.keys import TokenKeys
from recsys.ads.tokens.page_token import PageTokens
from recsys.errors import StoreUnavailableError
from recsys.experiments.experiment import Experiment
from recsys.funnel.catalog import Catalog
from recsys.pages.ad_server import AdServer
from recsys.service_settings import AdsSettings
from recsys.stores.ads.records import StoredAds
from serving.live.ads_watch import AdsWatch
from tests.ads.selection.small_market import ACME, BOLT, FixedPredictor
from tests.fake_budget_gate import FakeBudgetGate

KEYS = TokenKeys("a", {"a": b"sixteen bytes and more"})
SHOP_ID = "corner-shop"


@dataclass
class FakeAdsSource:
    """Campaigns as the test says; set `away` and every read raises as if the database did not answer."""

    accounts: Sequence[Account] = (ACME, BOLT)
    campaigns: Sequence[Campaign] = ()
    unreadable: dict[str, str] = field(default_factory=dict)
    rows: Sequence[RunningNumber] = ()
    experiment: Experiment | None = None
    noted: dict[str, int] = field(default_factory=dict)
    hours: dict[datetime, int] = field(default_factory=dict)
    kept: datetime | None = None
    stored_version: int = 0
    away: bool = False
    reads: int = 0
    booked: int = 0

    def version(self) -> int:
        self._answer()
        return self.stored_version

    def everything(self) -> StoredAds:
        self._answer()
        self.reads += 1
        return StoredAds(self.stored_version, tuple(self.accounts), tuple(self.campaigns), self.unreadable)

    def running_numbers(self, now: datetime, since: int | None) -> RunningNumbers:
        self._answer()
        self.booked += 1
        return RunningNumbers(self.booked, self.rows)

    def generations(self) -> dict[str, int]:
        self._answer()
        return self.noted

    def kept_at(self) -> datetime | None:
        self._answer()
        return self.kept

    def requests(self, start: datetime, end: datetime) -> dict[datetime, int]:
        self._answer()
        return {hour: count for hour, count in self.hours.items() if start <= hour < end}

    def holdout(self) -> Experiment | None:
        self._answer()
        return self.experiment

    def _answer(self) -> None:
        if self.away:
            raise StoreUnavailableError("the database", "read campaigns", 0.1)


class KeptSlots:
    """An AdLog in memory; set `away` and it keeps nothing, set `wait` and it calls that first."""

    def __init__(self) -> None:
        self.answers: list[list[ServedSlot]] = []
        self.away = False
        self.wait: Callable[[], object] = lambda: None
        self._lock = Lock()

    @property
    def slots(self) -> list[ServedSlot]:
        return [slot for answer in self.answers for slot in answer]

    def append(self, slots: Sequence[ServedSlot]) -> None:
        self.wait()
        if self.away:
            raise StoreUnavailableError("the ad log", "append", 0)
        with self._lock:
            self.answers.append(list(slots))


class FakeAds:
    """Ads of one service; `run` makes campaigns known, as the watch would within a second."""

    def __init__(
        self,
        catalog: Callable[[], Catalog | None],
        now: Callable[[], datetime],
        seconds: Callable[[], float],
        settings: AdsSettings,
        rules: SelectionRules | None = None,
        with_log: bool = True,
        predictor: ClickPredictor | None = None,
    ) -> None:
        self.settings = settings
        self.source = FakeAdsSource()
        self.gate = FakeBudgetGate(seconds, settings)
        self.log = KeptSlots()
        self.counts = DeliveryCounts()
        self.predictor: ClickPredictor = predictor or FixedPredictor()
        self.watch = AdsWatch(self.source, self.gate, catalog, lambda: self.predictor, settings, now, seconds)
        ids = count(1)
        self.tokens = ImpressionTokens(KEYS, SHOP_ID)
        self.page_tokens = PageTokens(KEYS, SHOP_ID)
        self.server = AdServer(
            self.watch.current,
            self.gate,
            self.log if with_log else None,
            self.counts,
            rules or SelectionRules(),
            self.tokens,
            lambda: f"slot-{next(ids)}",
            seconds,
        )

    def run(self, *campaigns: Campaign) -> None:
        self.source.campaigns = campaigns
        self.source.stored_version += 1
        for account in self.source.accounts:
            self.gate.rebuild(account.account_id, {})
        self.watch.check()
        self.watch.check()  # a look takes the pace of the last tick

    def held(self) -> int:
        """Micros that are held in all."""
        return sum(
            request.cost_micros
            for account in self.gate._accounts.values()
            for until, request in account.holds.values()
        )
