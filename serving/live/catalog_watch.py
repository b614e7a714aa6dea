"""Keeps what serves up with the catalog and with what is popular, between promotions of bundles."""

import logging
import time
from threading import Event, Thread

from recsys.jobs.recommend.live_catalog import LiveCatalog
from serving.live.bundle_watch import BundleWatch

log = logging.getLogger("recsys.serving")


class CatalogWatch:
    """Looks for changed items and swaps in a recommender that knows them; requests in flight keep theirs."""

    def __init__(self, live: LiveCatalog) -> None:
        self._live = live
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self, watch: BundleWatch, seconds: float, popularity_seconds: float) -> None:
        """Looks every `seconds` from now on, in a thread of its own."""
        self._thread = Thread(
            target=self._run, args=(watch, seconds, popularity_seconds), name="live-catalog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; what serves stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self, watch: BundleWatch, seconds: float, popularity_seconds: float) -> None:
        popular_at = time.monotonic()
        while not self._stop.wait(seconds):
            try:
                watch.revise(self._live.apply_changes)
                if time.monotonic() >= popular_at:
                    watch.revise(self._live.apply_popularity)
                    popular_at = time.monotonic() + popularity_seconds
            except Exception:  # the thread must live: whatever it was may pass
                log.exception("looking for changes of the catalog failed")
