"""Opens the catalogue's worker on the stores of a home."""

import time

from recsys.config import Settings
from recsys.stores.catalogue_feed import CatalogueFeed
from recsys.stores.catalogue_history import CatalogueHistory
from recsys.stores.redis_connection import connect
from recsys.stores.upsert_texts import UpsertTexts
from recsys.streaming.catalogue_worker import CatalogueDoors, CatalogueWorker, OnlineRows
from recsys.streaming.stream import EventStream, Progress

FEED_SECONDS = 10.0


def open_catalogue_worker(
    settings: Settings, stream: EventStream, online: OnlineRows, progress: Progress
) -> CatalogueWorker:
    """The worker of the catalogue's partition; whoever owns that calls its `run` or `run_once`.

    Raises:
        DataError: nothing was imported.
        StoreUnavailableError: no Redis runs.
    """
    doors = CatalogueDoors(
        stream=stream,
        log=CatalogueHistory(settings.paths),
        online=online,
        feed=CatalogueFeed(connect(settings, FEED_SECONDS), FEED_SECONDS),
        texts=UpsertTexts(settings),
        progress=progress,
    )
    return CatalogueWorker(doors, clock=lambda: time.time_ns() // 1000)
