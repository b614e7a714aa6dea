"""The corner shop behind HTTP, without BentoML: the application on fakes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from recsys.config import Settings
from recsys.funnel.recommender import Recommender
from recsys.health.facts import Facts, LakeFacts, StoreFacts, StreamFacts
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import to_micros
from recsys.jobs.ads.ads_admin import AdsAdmin
from recsys.jobs.search.rule_admin import RuleAdmin
from recsys.models.bundle import Bundle
from recsys.search.storefront import Storefront
from recsys.service_settings import (
    AccessSettings,
    AdsSettings,
    HealthSettings,
    ServingSettings,
    StreamSettings,
)
from recsys.stores.registry.records import BundleRecord
from serving.access.gate import Gate
from serving.access.key_watch import KeyWatch
from serving.access.rate_limits import RateLimits
from serving.ads.desk import AdsDesk
from serving.ads.stores import selection_rules, shop_page_rules
from serving.app import create_app
from serving.deployment import Deployment, open_turns
from serving.events.collector import EventCollector
from serving.health.watch import HealthWatch, Watched
from serving.live.bundle_watch import BundleWatch
from serving.metrics import ServiceMetrics
from tests.fake_ads import FakeAds
from tests.fake_keys import FakeKeyStore
from tests.fake_rules import FakeRules
from tests.fake_stream import FakeEventStream, FakeProgress
from tests.fake_world import NOW, Clock, KeptAnswers, ShopFeatures, regulars, shop_bundle
from tests.jobs.ads.ads_shop import make_shop
from tests.search.small_shop import FakePages, searcher_of


def record(bundle_id: str) -> BundleRecord:
    return BundleRecord(bundle_id, Path(bundle_id), "corner-shop", "all", NOW, {}, None, "production", NOW)


@dataclass(frozen=True)
class Percentiles:
    """What a progress says of freshness."""

    p50_ms: float = 12.0
    p90_ms: float = 40.0
    p99_ms: float = 250.0


class WatchedProgress(FakeProgress):
    """The workers' progress and its freshness."""

    def clock_faults(self) -> dict[str, int]:
        return {"rows_ahead": 3}

    def freshness(self) -> Percentiles:
        self._answer("freshness")
        return Percentiles()


HEALTHY = Facts(
    at=to_micros(NOW),
    store=StoreFacts(has_user_rows=True, has_item_rows=True, materialized_at=to_micros(NOW)),
    lake=LakeFacts(imported_at=to_micros(NOW), newest_event_at=to_micros(NOW)),
    stream=StreamFacts(waiting_seconds=0.0, worker_seconds=1.0),
)


class FakeObserver:
    """Says what the test says of the stores."""

    def __init__(self) -> None:
        self.facts = HEALTHY
        self.failure: BaseException | None = None

    def look(self, now: int) -> Facts:
        if self.failure is not None:
            raise self.failure
        return self.facts

    def close(self) -> None: ...


@dataclass
class Shop:
    """A service on fakes; `promoted` is what the registry says, `client` asks it.

    Advertising alone is real: its accounts and campaigns are in SQLite of `ads_home`.
    """

    features: ShopFeatures
    settings: ServingSettings
    deployment: Deployment
    client: TestClient
    promoted: list[BundleRecord | None]
    clock: Clock
    stream: FakeEventStream
    progress: WatchedProgress
    observer: FakeObserver
    keys: FakeKeyStore
    rules: FakeRules
    ads: FakeAds
    ads_home: Settings

    def recommend(self, **body: Any) -> Any:
        return self.client.post("/v1/recommend", json=body)


IMPATIENT = StreamSettings(wait_for_token_seconds=0.02)  # for tokens that are never reached
PATIENT = StreamSettings(wait_for_token_seconds=60.0)  # for tokens that are
BOUNDS = HealthSettings()
NO_RATE = AccessSettings()
ADS = AdsSettings(page_seconds=60.0)  # a busy machine is not late
# A busy machine is no fault of the service.
UNHURRIED = {"diversity": 0.0, "timeout_seconds": 60.0, "wait_seconds": 10.0, "wait_target_seconds": 10.0}
OpenShop = Callable[..., Shop]


def storefront_of(bundle: Bundle, features: ShopFeatures, settings: ServingSettings) -> Storefront:
    recommender = Recommender(bundle, features, settings)
    return Storefront(recommender, searcher_of(recommender, pages=FakePages()))


@pytest.fixture
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenShop]:
    """Opens a service: fields of ServingSettings, and `api_key`, `keys`, `bundle_id` (None), ..."""
    pools: list[ThreadPoolExecutor] = []
    gates: list[Gate] = []
    collections: list[EventCollector] = []

    def build(
        api_key: str | None = None,
        bundle_id: str | None = "bundle-1",
        stream: StreamSettings = IMPATIENT,
        health: HealthSettings = BOUNDS,
        access: AccessSettings = NO_RATE,
        keys: FakeKeyStore | None = None,
        ads: AdsSettings = ADS,
        ad_log: bool = True,
        **settings: Any,
    ) -> Shop:
        serving = ServingSettings(**{**UNHURRIED, **settings})
        features, clock = regulars(), Clock()
        metrics, promoted = ServiceMetrics(), [record(bundle_id) if bundle_id else None]
        watch = BundleWatch(
            production=lambda: promoted[0],
            load=lambda found: storefront_of(shop_bundle(bundle_id=found.bundle_id), features, serving),
            clock=clock,
            on_swap=lambda shop: metrics.taken(shop.bundle.manifest.bundle_id, "corner-shop"),
            on_rejected=metrics.refused.inc,
        )
        watch.check()
        pool = ThreadPoolExecutor(2)
        pools.append(pool)
        events, progress = FakeEventStream(stream.partitions), WatchedProgress()
        collector = EventCollector(
            stream,
            CleaningRules(),
            open_stream=lambda: events,
            open_progress=lambda: progress,
            metrics=metrics.stream,
            now=lambda: NOW,
            timeout_seconds=serving.timeout_seconds,
            clock=clock,
            turns=metrics.overload.events,
        )
        collections.append(collector)
        answers, observer = KeptAnswers(), FakeObserver()
        store = keys or FakeKeyStore()
        known = KeyWatch(store, metrics.access, access.used_minutes, lambda: NOW, lambda: 0.0)
        known.check()
        gate = Gate(
            api_key, known, RateLimits(access, None, metrics.access, clock), metrics.access, lambda: NOW
        )
        gates.append(gate)
        found = HealthWatch(
            health,
            observer,
            Watched(watch, (answers,), lambda: (watch.task, *collector.tasks), lambda: known.problem),
            metrics.health,
            clock,
            lambda: to_micros(NOW),
        )
        rules = FakeRules()
        sponsored = FakeAds(
            lambda: None if watch.current is None else watch.current.recommender.catalog,
            *(lambda: NOW, clock, ads, selection_rules(ads), ad_log),
        )
        ads_pool, turns = ThreadPoolExecutor(4), open_turns(serving, metrics)
        pools.append(ads_pool)
        desk = AdsDesk(
            *(ads, serving, watch.storefront, sponsored.server, sponsored.page_tokens, shop_page_rules(ads)),
            *(pool, ads_pool, lambda: NOW, answers.append, lambda: found.degraded, metrics.ads, turns),
        )
        ads_home = make_shop(tmp_path_factory.mktemp("ads") / "home")
        deployment = Deployment(
            *(serving, gate, watch, metrics, answers, pool, lambda: NOW, collector, found),
            rules=RuleAdmin(rules),
            advertising=AdsAdmin(ads_home),
            ads=desk,
            turns=turns,
        )
        client = TestClient(
            create_app(deployment), base_url="http://127.0.0.1:3000", raise_server_exceptions=False
        )
        return Shop(
            *(features, serving, deployment, client, promoted, clock, events, progress, observer, store),
            rules=rules,
            ads=sponsored,
            ads_home=ads_home,
        )

    yield build
    for collector in collections:
        collector.close()
    for gate in gates:
        gate.close()
    for pool in pools:
        pool.shutdown()


@pytest.fixture
def shop(open_shop: OpenShop) -> Shop:
    return open_shop()
