"""The catalog follows what changes while the service runs."""

import time

from recsys.background_task import BackgroundTask
from recsys.jobs.recommend.live_catalog import LiveCatalog
from serving.live.bundle_watch import BundleWatch


class CatalogWatch:
    """Looks for changed items and swaps in a recommender that knows them; requests in flight keep theirs.

    Attributes:
        tasks: the looking, which outlives whatever goes wrong; empty until `start`.
    """

    def __init__(self, live: LiveCatalog) -> None:
        self._live = live
        self.tasks: tuple[BackgroundTask, ...] = ()

    def start(self, watch: BundleWatch, seconds: float, popularity_seconds: float) -> None:
        """Looks every `seconds` from now on, and for popularity less often, in a thread of its own."""
        popularity = BackgroundTask("popularity feed", lambda: watch.revise(self._live.apply_popularity))
        due_at = float("-inf")

        def look() -> None:
            nonlocal due_at
            if time.monotonic() >= due_at:
                popularity.attempt()
                due_at = time.monotonic() + popularity_seconds
            watch.revise(self._live.apply_changes)

        # One thread for both: two revisions at a time would undo each other.
        catalog = BackgroundTask("catalog watch", look)
        self.tasks = (catalog, popularity)
        catalog.start(seconds, at_once=False)

    def stop(self) -> None:
        """Ends the thread; what serves stays."""
        for task in self.tasks:
            task.stop()
