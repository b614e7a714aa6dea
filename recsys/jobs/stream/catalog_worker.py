"""Opens the catalog's worker on the stores of a home."""

from recsys.config import Settings
from recsys.stores.catalog.feed import CatalogFeed
from recsys.stores.catalog.history import CatalogHistory
from recsys.stores.encoders.upsert_texts import UpsertTexts
from recsys.stores.features.online_writer import OnlineRows
from recsys.stores.redis.clock import BoundedClock
from recsys.stores.redis.shop_claim import connect
from recsys.stores.stream.open import TIMEOUT_SECONDS, open_progress, open_stream
from recsys.streaming.catalog_worker import CatalogDeps, CatalogWorker


def open_catalog_worker(settings: Settings) -> CatalogWorker:
    """The worker of the catalog's partition; whoever owns that calls its `run` or `run_once`.

    Raises:
        DataError: nothing was imported.
        ConfigError: the feature repository was never applied.
        StoreUnavailableError: no Redis runs.
    """
    client = connect(settings, TIMEOUT_SECONDS)
    deps = CatalogDeps(
        stream=open_stream(settings),
        log=CatalogHistory(settings.paths),
        online=OnlineRows(settings),
        feed=CatalogFeed(client, TIMEOUT_SECONDS),
        texts=UpsertTexts(settings),
        progress=open_progress(settings),
    )
    return CatalogWorker(deps, clock=BoundedClock(client))
