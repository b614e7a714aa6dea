"""Recommendation and search brought up with the catalog and with what is popular by now."""

import logging
from collections.abc import Callable
from datetime import datetime

import redis

from recsys.config import Settings
from recsys.errors import ConfigError, RecsysError, StoreUnavailableError
from recsys.instants import to_micros, utc_now
from recsys.retrieval.popularity import LivePopularity
from recsys.search.storefront import Storefront
from recsys.stores.catalog.feed import CatalogChanges, CatalogFeed
from recsys.stores.catalog.popularity_feed import PopularityFeed
from recsys.stores.reconnecting import Reconnecting
from recsys.stores.redis.shop_claim import connect

log = logging.getLogger("recsys.serving")

POPULAR = 5000  # items whose live score is read
PROBLEM = "changes of the catalog cannot be read, what is known serves on: %s"

FEED_SECONDS = 5.0  # for an answer: a service that has just started reads much

Changes = Callable[[int, str], CatalogChanges]
Scores = Callable[[int], dict[str, float]]


class LiveFeeds:
    """The feeds of the home's Redis, which need not be up yet and may come back elsewhere."""

    def __init__(self, settings: Settings) -> None:
        self._redis: Reconnecting[redis.Redis] = Reconnecting(
            lambda: connect(settings, FEED_SECONDS), lambda client: client.close()
        )

    def changes(self, version: int, encoder: str) -> CatalogChanges:
        """As `CatalogFeed.since`."""
        return self._redis.call(lambda client: CatalogFeed(client, FEED_SECONDS).since(version, encoder))

    def scores(self, count: int) -> dict[str, float]:
        """As `PopularityFeed.top`."""
        return self._redis.call(lambda client: PopularityFeed(client, FEED_SECONDS).top(count))

    def close(self) -> None:
        """Closes the connection, if there is one."""
        self._redis.close()


class LiveCatalog:
    """Makes storefronts that know what changed; where that cannot be read they stay as they are.

    Args:
        changes: what came after a version, with vectors of an encoder; see `CatalogFeed.since`.
        scores: the most popular items, see `PopularityFeed.top`.
        now: the clock.
    """

    def __init__(self, changes: Changes, scores: Scores, now: Callable[[], datetime] = utc_now) -> None:
        self._changes = changes
        self._scores = scores
        self._now = now
        self._away = False

    def apply_changes(self, storefront: Storefront) -> Storefront:
        """`storefront` with all that has changed since what it knows; itself if that cannot be read."""
        try:
            while True:
                encoder = storefront.bundle.manifest.text_vectors_of
                found = self._changes(storefront.version, encoder)
                if found.version == storefront.version:
                    self._away = False
                    return storefront
                storefront = storefront.with_changes(found.items, found.version)
        except (StoreUnavailableError, ConfigError) as error:  # the latter: another shop's
            self._log_away(error)
            return storefront

    def apply_popularity(self, storefront: Storefront) -> Storefront:
        """`storefront` with the popularity of now; itself where nothing is known of it."""
        try:
            scores = self._scores(POPULAR)
        except (StoreUnavailableError, ConfigError) as error:  # the latter: another shop's
            self._log_away(error)
            return storefront
        if not scores:
            return storefront
        bundle = storefront.bundle
        index = bundle.items.vocabulary.indexes(list(scores))
        live = {place: score for place, score in zip(index.tolist(), scores.values(), strict=True) if place}
        trained_at = to_micros(bundle.manifest.data_end)
        now = to_micros(self._now())
        return storefront.with_popularity(LivePopularity.at(trained_at, live, now))

    def _log_away(self, error: RecsysError) -> None:
        """Logs a store that is away once, not every second."""
        if not self._away:
            log.warning(PROBLEM, error)
        self._away = True
