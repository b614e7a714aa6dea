"""Everything that the application answers from, opened once; the composition root's work."""

import asyncio
import atexit
import gc
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from recsys.config import Settings
from recsys.filters import Filters
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest, SimilarRequest
from recsys.funnel.served_answer import RECOMMEND, SIMILAR, AnswerLog, Candidate, served_slate
from recsys.funnel.slate import EVENTS_NOT_VISIBLE_YET, Slate
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.ingest.mapping.files import load_mapping
from recsys.instants import utc_now
from recsys.jobs.ads.ads_admin import AdsAdmin
from recsys.jobs.checks.observe import HomeObserver
from recsys.jobs.recommend.live_catalog import LiveCatalog, LiveFeeds
from recsys.jobs.recommend.loading import BundleLoader, set_threads
from recsys.jobs.search.rule_admin import RuleAdmin
from recsys.search.answer import SearchAnswer
from recsys.search.requests import SearchRequest
from recsys.search.served import served_search
from recsys.search.storefront import Storefront
from recsys.search.suggestions.answer import SuggestAnswer, SuggestRequest
from recsys.service_settings import ServingSettings
from recsys.stores.access.key_store import SqlKeyStore
from recsys.stores.access.shared_rates import RedisRates
from recsys.stores.ads_token_key import origin_secret
from recsys.stores.lake.dataset_files import MAPPING_FILE
from recsys.stores.registry.registry import Registry
from recsys.stores.rules.store import RuleStore
from recsys.stores.rules.user_attributes import UserAttributes
from recsys.stores.served.answer_log import answer_log, snapshot_log
from recsys.stores.stream.open import open_progress, open_stream
from serving.access.gate import Gate
from serving.access.key_watch import KeyWatch
from serving.access.rate_limits import RateLimits
from serving.ads.desk import AdsDesk
from serving.ads.opening import open_ads
from serving.events.collector import EventCollector
from serving.events.origins import EventOrigins
from serving.health.watch import HealthWatch, Watched
from serving.live.bundle_watch import BundleWatch
from serving.live.catalog_watch import CatalogWatch
from serving.live.order_watch import OrderWatch
from serving.live.rule_watch import RuleWatch
from serving.metrics import ServiceMetrics
from serving.overload.arrival import arrival
from serving.overload.ladder import Ladder
from serving.overload.turns import Turns

log = logging.getLogger("recsys.serving")
T = TypeVar("T")
_AT_ONCE = nullcontext()


@dataclass(frozen=True)
class Deployment:
    """What one process of the service holds.

    Attributes:
        gate: who may call.
        pool: where answers are computed, with the settings' threads for torch and faiss.
        answer_log: takes every answer that is sent.
        now: the clock.
        collector: where events go.
        health: what is wrong now.
        rules: rules and synonyms, for those who change them.
        ads: what answers with ads and with pages.
        advertising: accounts and campaigns, for operators and advertisers.
        turns: of answers that are computed; they say with how much effort.
    """

    settings: ServingSettings
    gate: Gate
    bundles: BundleWatch
    metrics: ServiceMetrics
    answer_log: AnswerLog
    pool: ThreadPoolExecutor
    now: Callable[[], datetime]
    collector: EventCollector
    health: HealthWatch
    rules: RuleAdmin
    ads: AdsDesk
    advertising: AdsAdmin
    turns: Turns

    async def run(self, compute: Callable[[Recommender], T]) -> T:
        """What `compute` makes of the recommender that serves now, off the event loop.

        Raises:
            ArtifactNotFoundError: none serves.
            TimeoutError: it took longer than settings.timeout_seconds.
        """
        recommender = self.bundles.recommender()
        return await self._off_loop(lambda: compute(recommender))

    async def _off_loop(self, compute: Callable[[], T]) -> T:
        context = copy_context()  # with the request id, for what is logged there
        future = asyncio.get_running_loop().run_in_executor(self.pool, context.run, compute)
        return await asyncio.wait_for(future, self.settings.timeout_seconds)

    async def search(self, request: SearchRequest, seen: str | None = None) -> SearchAnswer:
        """The page for `request`, counted and logged.

        Args:
            seen: as in `recommend`.

        Raises:
            ArtifactNotFoundError: no bundle serves, or one without search indexes.
            RequestError: `seen` is not a token, or the request cannot be; see `Searcher.search`.
            OverloadedError: its turn did not come in time, here and below.
        """
        behind, since = await self._wait_for_events(seen)
        logged = self.settings.logged_candidates
        async with self.turns.take(since) as effort:
            searcher = self.bundles.storefront().with_effort(effort).searcher()
            answer, further = await self._off_loop(lambda: searcher.serve(request, self.now(), logged))
        if behind:
            answer = replace(answer, degraded=(*answer.degraded, EVENTS_NOT_VISIBLE_YET))
        answer = self.health.mark(answer)
        self.metrics.searched(answer)
        self.answer_log.append(served_search(request, answer, further))
        return answer

    async def recommend(
        self,
        request: RecommendRequest,
        seen: str | None = None,
        turn: AbstractAsyncContextManager[object] = _AT_ONCE,
    ) -> Slate:
        """The slate for `request`, counted and logged.

        Args:
            seen: the token of events that it should have seen. Their time to become visible is bounded; a
                slate that was made without them says so.
            turn: waited for before the turn of the deployment's, and that is no wait for it.

        Raises:
            RequestError: `seen` is not a token.
        """
        behind, since = await self._wait_for_events(seen)
        async with turn:
            since = since if turn is _AT_ONCE else self.turns.now()
            async with self.turns.take(since) as effort:
                recommender = self.bundles.storefront().with_effort(effort).recommender
                slate, further = await self._off_loop(lambda: recommender.serve(request, self.now()))
        if behind:
            slate = replace(slate, degraded=(*slate.degraded, EVENTS_NOT_VISIBLE_YET))
        self.health.note_request(slate)
        return self._log_slate(RECOMMEND, slate, further, request.filters)

    async def suggest(self, request: SuggestRequest) -> SuggestAnswer:
        """What to type on.

        Raises:
            ArtifactNotFoundError: no bundle serves, or one without search indexes.
        """
        searcher = self.bundles.storefront().searcher()
        async with self.turns.take(arrival()):
            return await self._off_loop(lambda: searcher.suggest(request))

    async def merchandise(self, act: Callable[[RuleAdmin], T]) -> T:
        """What `act` makes of the shop's rules and synonyms, off the event loop.

        Raises:
            StoreUnavailableError: the database did not answer.
        """
        return await self._off_loop(lambda: act(self.rules))

    async def advertise(self, act: Callable[[AdsAdmin], T]) -> T:
        """What `act` makes of the shop's accounts and campaigns, off the event loop.

        Raises:
            StoreUnavailableError: the database did not answer.
        """
        return await self._off_loop(lambda: act(self.advertising))

    async def similar(self, request: SimilarRequest) -> Slate:
        """Items that could stand in for one, counted and logged."""
        async with self.turns.take(arrival()) as effort:
            recommender = self.bundles.storefront().with_effort(effort).recommender
            slate, further = await self._off_loop(lambda: recommender.serve_similar(request, self.now()))
        return self._log_slate(SIMILAR, slate, further, request.filters)

    async def _wait_for_events(self, seen: str | None) -> tuple[bool, float]:
        """Whether events of the token `seen` are not visible yet, and since when a turn is waited for."""
        if seen is None:
            return False, arrival()
        visible = await self.collector.visible(self.collector.offsets(seen))
        return not visible, self.turns.now()

    def _log_slate(self, kind: str, slate: Slate, further: tuple[Candidate, ...], filters: Filters) -> Slate:
        slate = self.health.mark(slate)
        self.metrics.served(slate)
        self.answer_log.append(served_slate(kind, slate, further, filters.to_json() or None))
        return slate


def open_deployment(settings: Settings) -> tuple[Deployment, Callable[[], None]]:
    """The deployment that `settings` describe, its production bundle loaded, and a function that closes it.

    Without a bundle, a feature repository or Redis it opens all the same: it says what is missing and
    takes it up when it is there.
    """
    serving, metrics, opened = settings.serving, ServiceMetrics(), ExitStack()
    rule_store, registry = RuleStore.open(settings), Registry.open(settings)
    served, chance = settings.paths.served, random.random
    answers = answer_log(served, serving.slate_log_bytes, serving.slate_log_share, chance)
    snapshots = snapshot_log(served, serving.snapshot_bytes, serving.snapshot_share, chance)
    set_threads(serving.threads)
    pool = ThreadPoolExecutor(serving.workers, "answer", initializer=set_threads, initargs=(serving.threads,))
    for close in (rule_store.close, registry.close, snapshots.close, answers.close, pool.shutdown):
        opened.callback(close)

    gate, close_gate = open_gate(settings, metrics)
    collector, feeds = open_collector(settings, metrics), LiveFeeds(settings)
    for close in (close_gate, feeds.close, collector.close):
        opened.callback(close)

    rules = RuleWatch(rule_store.version, rule_store.load, UserAttributes(settings.paths))
    rules.check()
    rules.start(serving.rules_seconds)
    opened.callback(rules.stop)
    load, live = BundleLoader(settings, snapshots, rules, rules), LiveCatalog(feeds.changes, feeds.scores)
    opened.callback(load.close)
    bundles, catalog = open_watch(registry, load, live, metrics), CatalogWatch(live)
    bundles.check()
    bundles.start(serving.reload_seconds)
    opened.callback(bundles.stop)
    catalog.start(bundles, serving.live_seconds, serving.popularity_seconds)
    opened.callback(catalog.stop)

    orders = OrderWatch(settings.paths.search_rankers, bundles)
    orders.start(serving.rules_seconds)
    opened.callback(orders.stop)

    turns = open_turns(serving, metrics)
    ads = open_ads(settings, bundles, pool, answers, lambda: health.degraded, metrics.ads, utc_now, turns)
    opened.callback(ads.close)

    watched = Watched(
        bundles,
        (answers, snapshots),
        lambda: (
            *(bundles.task, rules.task, orders.task, *catalog.tasks, *collector.tasks),
            *(*gate.keys.tasks, answers.task, snapshots.task, *ads.tasks),
        ),
        lambda: gate.keys.problem,
        lambda: rules.problem,
        ads.problem,
    )
    health = HealthWatch(settings.health, HomeObserver(settings), watched, metrics.health)
    health.start()
    opened.callback(health.stop)
    return Deployment(
        *(serving, gate, bundles, metrics, answers, pool, utc_now, collector, health),
        rules=RuleAdmin(rule_store),
        advertising=AdsAdmin(settings),
        ads=ads.desk,
        turns=turns,
    ), opened.close


def open_turns(settings: ServingSettings, metrics: ServiceMetrics) -> Turns:
    """Turns of answers, one for each thread that computes them."""
    ladder = Ladder(settings.wait_target_seconds, settings.wait_interval_seconds, time.monotonic())
    return Turns(settings.workers, settings.wait_seconds, ladder, metrics.overload.answers)


def open_watch(
    registry: Registry, load: BundleLoader, live: LiveCatalog, metrics: ServiceMetrics
) -> BundleWatch:
    """What takes up the bundle in production, with the catalog's changes since it was trained."""
    return BundleWatch(
        production=registry.production,
        load=lambda record: live.apply_changes(load(record)),
        clock=time.monotonic,
        on_swap=lambda storefront: _note_swap(storefront, metrics),
        on_rejected=metrics.refused.inc,
    )


def open_gate(settings: Settings, metrics: ServiceMetrics) -> tuple[Gate, Callable[[], None]]:
    """Who may call, the keys read once and watched from now on, and a function that closes it.

    Raises:
        ConfigError, StoreUnavailableError: as the registry's database.
    """
    access, store, rates = settings.access, SqlKeyStore.open(settings), RedisRates.open(settings)
    keys = KeyWatch(store, metrics.access, access.used_minutes, utc_now)
    keys.check()
    keys.start(access.poll_seconds)
    key = settings.api_key.get_secret_value() if settings.api_key else None
    limits = RateLimits(access, rates, metrics.access)
    gate = Gate(key or None, keys, limits, metrics.access, utc_now)

    def close() -> None:
        keys.stop()
        gate.close()
        rates.close()
        store.close()

    return gate, close


def open_collector(settings: Settings, metrics: ServiceMetrics) -> EventCollector:
    """Where events go; the transport and the workers' progress are opened with the first need of them."""
    mapping, secret = settings.paths.data / MAPPING_FILE, origin_secret(settings)
    return EventCollector(
        settings.stream,
        load_mapping(str(mapping)).cleaning if mapping.exists() else CleaningRules(),
        open_stream=lambda: open_stream(settings),
        open_progress=lambda: open_progress(settings),
        metrics=metrics.stream,
        now=utc_now,
        timeout_seconds=settings.serving.timeout_seconds,
        origin_of=None if secret is None else EventOrigins(secret, settings.serving.trusted_proxies, utc_now),
        turns=metrics.overload.events,
    )


def set_memory_aside() -> None:
    """Spares the garbage collector what is alive now, which stays alive; it may look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    atexit.register(gc.unfreeze)  # or DuckDB tells at the end of everything that was never freed


def _note_swap(storefront: Storefront, metrics: ServiceMetrics) -> None:
    manifest = storefront.bundle.manifest
    metrics.taken(manifest.bundle_id, manifest.dataset)
    # A bundle lives long: the collector need not walk it on every pass, which costs tail latency.
    gc.collect()
    gc.freeze()
