"""Keeps campaigns, their budgets and their pace in service: changes are taken up without a restart."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Protocol

from recsys.ads.pacing.budget_gate import BudgetGate, Usage
from recsys.ads.pacing.forecast import LOOK_BACK, WeeklyForecast
from recsys.ads.selection.inventory import Inventory
from recsys.ads.selection.prediction import ClickPredictor
from recsys.ads.selection.spending import RunningNumbers
from recsys.ads.selection.standing import Standing
from recsys.ads.selection.throttles import Throttles, next_throttles
from recsys.background_task import BackgroundTask
from recsys.errors import RecsysError, StoreUnavailableError
from recsys.experiments.experiment import Experiment
from recsys.funnel.catalog import Catalog
from recsys.pages.ad_server import AdsNow
from recsys.pages.shop_items import item_columns
from recsys.service_settings import AdsSettings
from recsys.stores.ads.records import StoredAds
from serving.live.spending_reads import SpendingReads

log = logging.getLogger("recsys.serving")


class AdsSource(Protocol):
    """Where campaigns and what they have spent are read; raises StoreUnavailableError where it is away."""

    def version(self) -> int:
        """Rises with each change; 0 = there was never a campaign."""
        ...

    def everything(self) -> StoredAds:
        """All accounts and campaigns."""
        ...

    def running_numbers(self, now: datetime, since: int | None) -> RunningNumbers:
        """What was spent today and in total, of all or of those that entries after `since` moved."""
        ...

    def generations(self) -> Mapping[str, int]:
        """By account: the gate is not believed where it has an older one."""
        ...

    def kept_at(self) -> datetime | None:
        """When a charge worker last kept the gate true to the books; None = never."""
        ...

    def requests(self, start: datetime, end: datetime) -> Mapping[datetime, int]:
        """Begin of an hour -> the requests that it brought."""
        ...

    def holdout(self) -> Experiment | None:
        """The experiment that ads are held out by."""
        ...


class AdsWatch:
    """What is known of ads, as of the last looks. A home without campaigns is asked for its version alone.

    Args:
        catalog: that serves now; None = no bundle serves.
        predictor: of clicks, now.
        now: the clock. seconds: monotonic.
        on_campaigns: called once there is a campaign to be shown.

    Attributes:
        problem: why the campaigns in service may not be the newest, empty where they are.
        tasks: the looks, which outlive whatever goes wrong.
        left_out: campaign id -> why it cannot be shown although it should be.
    """

    def __init__(
        self,
        source: AdsSource,
        gate: BudgetGate,
        catalog: Callable[[], Catalog | None],
        predictor: Callable[[], ClickPredictor],
        settings: AdsSettings,
        now: Callable[[], datetime],
        seconds: Callable[[], float] = time.monotonic,
        on_campaigns: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._gate = gate
        self._catalog = catalog
        self._predictor = predictor
        self._settings = settings
        self._now = now
        self._seconds = seconds
        self._on_campaigns = on_campaigns
        self._forecast = WeeklyForecast.even()
        self._forecast_until: datetime | None = None
        self._version = 0
        self._stored: Inventory | None = None  # without a catalog
        self._with_items: Inventory | None = None
        self._of_catalog: Catalog | None = None
        self._throttles = Throttles.nothing(Inventory.of((), (), now()))
        self._pacing = Lock()  # two threads set the pace: the one of the looks does where campaigns are new
        self._spending = SpendingReads(source.running_numbers, seconds)
        self._standing: Standing | None = None
        self._holdout: Experiment | None = None
        self._kept_at: datetime | None = None
        self._seen_at = seconds()
        self.problem = ""
        self.left_out: dict[str, str] = {}
        self._look_task = BackgroundTask("ads watch", self._look)
        self._pace_task = BackgroundTask("ads pacing", self._pace)
        self.tasks = (self._look_task, self._pace_task)

    def current(self) -> AdsNow:
        """What is known now. It is blind where the database was not read for `ads.blind_seconds`.

        Where no charge worker has looked for longer than the shortest holds last, what was shown and not
        charged is held no more: whoever is shown ads from then on would click for free.
        """
        is_blind = self._seconds() - self._seen_at > self._settings.blind_seconds
        lasts = min(self._settings.hold_seconds, self._settings.cpm_hold_seconds)
        kept = self._kept_at
        is_unkept = kept is not None and (self._now() - kept).total_seconds() > lasts
        return AdsNow(self._predictor(), self._standing, self._holdout, is_blind, is_unkept)

    @property
    def campaigns(self) -> int:
        """How many may be shown."""
        return 0 if self._standing is None else len(self._standing.inventory.campaigns)

    def check(self) -> None:
        """Looks at campaigns and sets the pace, now. Never raises."""
        self._look_task.attempt()
        self._pace_task.attempt()

    def start(self) -> None:
        """Looks and sets the pace again and again from now on, each in a thread of its own."""
        self._look_task.start(self._settings.reload_seconds, at_once=False)
        self._pace_task.start(self._settings.pacing_seconds, at_once=False)

    def stop(self) -> None:
        """Ends the threads; what is known stays."""
        for task in self.tasks:
            task.stop()

    def _look(self) -> None:
        try:
            self._read()
            self._seen_at, self.problem = self._seconds(), ""
        except RecsysError as error:
            # Not for the task to count: its pauses between failures would make a change late.
            if str(error) != self.problem:
                log.warning("campaigns stay as they are: %s", error)
            self.problem = str(error)

    def _read(self) -> None:
        now, version = self._now(), self._source.version()
        if version:
            self._forecast_demand(now)
        if version != self._version:
            self._take_up(self._source.everything(), now)
        if self._stored is None or not len(self._stored):
            self._standing = None
            return
        self._holdout = self._source.holdout()
        for account_id, generation in self._source.generations().items():
            self._gate.expect(account_id, generation)
        self._kept_at = self._source.kept_at()
        spending = self._spending.read(self._stored, now)
        inventory = self._of_current_catalog(self._stored)
        self._standing = Standing.of(inventory, spending, self._throttles)

    def _forecast_demand(self, now: datetime) -> None:
        """With each new day, so that all processes plan by the same forecast."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if midnight != self._forecast_until:
            requests = self._source.requests(midnight - LOOK_BACK, midnight)
            self._forecast = WeeklyForecast.of_requests(requests, midnight)
            self._forecast_until = midnight

    def _take_up(self, stored: StoredAds, now: datetime) -> None:
        inventory = Inventory.of(stored.accounts, stored.campaigns, now, stored.unreadable)
        new = {name: why for name, why in inventory.left_out.items() if self.left_out.get(name) != why}
        for name, why in new.items():
            log.warning("campaign %s is left out: %s", name, why)
        self.left_out = dict(inventory.left_out)
        self._stored, self._version, self._with_items = inventory, stored.version, None
        log.info("version %d of campaigns: %d may be shown", stored.version, len(inventory.campaigns))
        if len(inventory):
            self._on_campaigns()
            self._pace()

    def _of_current_catalog(self, stored: Inventory) -> Inventory:
        catalog = self._catalog()
        if catalog is None:
            return stored
        known = self._with_items
        if known is None or catalog is not self._of_catalog:
            known = stored.with_items(item_columns(catalog, stored.item_ids))
            self._with_items, self._of_catalog = known, catalog
        return known

    def _pace(self) -> None:
        lasts = self._settings.hold_seconds
        with self._pacing:
            stored = self._stored
            if stored is not None and len(stored):
                self._throttles = next_throttles(
                    self._throttles, stored, self._usages, self._forecast, self._now(), lasts
                )

    def _usages(self, asked: Mapping[str, Sequence[str]]) -> Mapping[str, Usage]:
        try:
            return self._gate.usages(asked)
        except StoreUnavailableError:
            return {}
