"""Opens the catalogue's worker on the stores of a home."""

import time

from recsys.config import Settings
from recsys.stores.catalog.feed import CatalogueFeed
from recsys.stores.catalog.history import CatalogueHistory
from recsys.stores.encoders.upsert_texts import UpsertTexts
from recsys.stores.features.online_writer import OnlineRows
from recsys.stores.redis.client import connect
from recsys.stores.stream.open import TIMEOUT_SECONDS, open_progress, open_stream
from recsys.streaming.catalog_worker import CatalogueDoors, CatalogueWorker


def open_catalogue_worker(settings: Settings) -> CatalogueWorker:
    """The worker of the catalogue's partition; whoever owns that calls its `run` or `run_once`.

    Raises:
        DataError: nothing was imported.
        ConfigError: the feature repository was never applied.
        StoreUnavailableError: no Redis runs.
    """
    doors = CatalogueDoors(
        stream=open_stream(settings),
        log=CatalogueHistory(settings.paths),
        online=OnlineRows(settings),
        feed=CatalogueFeed(connect(settings, TIMEOUT_SECONDS), TIMEOUT_SECONDS),
        texts=UpsertTexts(settings),
        progress=open_progress(settings),
    )
    return CatalogueWorker(doors, clock=lambda: time.time_ns() // 1000)
