"""Opens what ads and pages need, and closes it: of the stores, the watch, the pools and the desk."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from recsys.ads.tokens.impression_token import ImpressionTokens
from recsys.ads.tokens.page_token import PageTokens
from recsys.background_task import BackgroundTask
from recsys.config import Settings
from recsys.funnel.catalog import Catalog
from recsys.funnel.served_answer import AnswerLog
from recsys.jobs.clicks.predictor import open_click_predictor
from recsys.pages.ad_server import AdServer
from recsys.stores.ads_token_key import token_keys
from recsys.stores.shop_identity import known_shop_id
from serving.ads.desk import AdsDesk
from serving.ads.metrics import AdsMetrics
from serving.ads.stores import AdsStores, prior_predictor, selection_rules, shop_page_rules
from serving.live.ads_watch import AdsWatch
from serving.live.bundle_watch import BundleWatch
from serving.live.predictor_watch import PredictorWatch
from serving.overload.turns import Turns


@dataclass(frozen=True)
class OpenAds:
    """Ads of one process.

    Attributes:
        tasks: their background work. problem: why campaigns may not be the newest, empty where they are.
    """

    desk: AdsDesk
    tasks: tuple[BackgroundTask, ...]
    problem: Callable[[], str]
    close: Callable[[], None]


def open_ads(
    settings: Settings,
    bundles: BundleWatch,
    organic_pool: ThreadPoolExecutor,
    answers: AnswerLog,
    degraded: Callable[[], tuple[str, ...]],
    metrics: AdsMetrics,
    now: Callable[[], datetime],
    turns: Turns,
) -> OpenAds:
    """The desk of ads, its campaigns read once and watched from now on.

    A home without campaigns asks its database for nothing else than whether there are some, and needs no
    Redis.

    Args:
        organic_pool: where organic items are computed. answers: the log of them.
        degraded: codes of what makes all answers of the process worse. turns: of answers.

    Raises:
        ConfigError, StoreUnavailableError: as the registry's database; ConfigError: the key of tokens.
    """
    opened = ExitStack()
    stores = AdsStores(settings)
    opened.callback(stores.close)
    predictors = _open_predictors(settings, bundles)
    opened.callback(predictors.stop)
    flusher = _Once(stores.flusher.start)
    watch = AdsWatch(
        stores,
        stores.gate,
        lambda: _catalog_of(bundles),
        lambda: predictors.current,
        settings.ads,
        now,
        on_campaigns=flusher.run,
    )
    opened.callback(lambda: stores.flusher.stop() if flusher.done else None)
    watch.check()
    watch.start()
    opened.callback(watch.stop)
    metrics.watch(lambda: watch.campaigns, lambda: len(watch.left_out))
    ads_pool = ThreadPoolExecutor(settings.ads.workers, "ads")
    opened.callback(ads_pool.shutdown)
    desk = AdsDesk(
        settings=settings.ads,
        serving=settings.serving,
        shop=bundles.storefront,
        server=_ad_server(settings, stores, watch, metrics),
        page_tokens=PageTokens(token_keys(settings), known_shop_id(settings) or ""),
        rules=shop_page_rules(settings.ads),
        organic_pool=organic_pool,
        ads_pool=ads_pool,
        now=now,
        keep=answers.append,
        degraded=degraded,
        metrics=metrics,
        turns=turns,
    )
    return OpenAds(
        desk, (*watch.tasks, predictors.task, stores.flusher.task), lambda: watch.problem, opened.close
    )


def _open_predictors(settings: Settings, bundles: BundleWatch) -> PredictorWatch:
    """What ads are chosen by, of the bundle that serves, now and from now on."""
    rates, folder = prior_predictor(settings.ads), settings.paths.bundles
    found = PredictorWatch(
        bundles,
        lambda bundle: open_click_predictor(settings, folder / bundle.manifest.bundle_id, bundle, rates),
        rates,
    )
    found.check()
    found.start(settings.serving.reload_seconds)
    return found


def _ad_server(settings: Settings, stores: AdsStores, watch: AdsWatch, metrics: AdsMetrics) -> AdServer:
    return AdServer(
        watch.current,
        stores.gate,
        stores.log,
        stores.counts,
        selection_rules(settings.ads),
        ImpressionTokens(token_keys(settings), known_shop_id(settings) or ""),
        lambda: uuid.uuid4().hex,
        time.monotonic,
        metrics.explored,
    )


class _Once:
    """Runs something with the first call."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self.done = False

    def run(self) -> None:
        """Runs it, unless that was done."""
        if not self.done:
            self.done = True
            self._act()


def _catalog_of(bundles: BundleWatch) -> Catalog | None:
    current = bundles.current
    return None if current is None else current.recommender.catalog
