"""Keeps the newest learned order of search in service: one that was learned is taken up without a restart."""

import logging
from pathlib import Path

from recsys.background_task import BackgroundTask
from recsys.jobs.indexes.learned_orders import changed_rows, newest_order, open_order
from recsys.search.storefront import Storefront
from serving.live.bundle_watch import BundleWatch

log = logging.getLogger("recsys.serving")


class OrderWatch:
    """Looks for an order that was learned after the one that serves; requests in flight keep theirs.

    While the newest order cannot be read the one before serves on, and `task` fails with the reason.

    Args:
        folder: where orders are kept.

    Attributes:
        task: the looking, which outlives whatever goes wrong.
    """

    def __init__(self, folder: Path, bundles: BundleWatch) -> None:
        self._folder = folder
        self._bundles = bundles
        self.task = BackgroundTask("search order watch", self._look)

    def start(self, seconds: float) -> None:
        """Looks every `seconds` from now on, in a thread of its own."""
        self.task.start(seconds, at_once=False)

    def stop(self) -> None:
        """Ends the thread; what serves stays."""
        self.task.stop()

    def check(self) -> None:
        """One look; swaps the order where a newer one is there. Never raises."""
        self.task.attempt()

    def _look(self) -> None:
        path, current = newest_order(self._folder), self._bundles.current
        search = None if current is None else current.search
        if path is None or search is None or path.name == search.order_id:
            return
        items = search.recommender.catalog.items
        order = open_order(path, items, search.knowledge.analyzer)

        def revised(shop: Storefront) -> Storefront:
            now = shop.recommender.catalog.items
            return shop.with_order(order.with_items(now, changed_rows(items, now)))

        self._bundles.revise(revised)
        log.info("search is ordered by %s", path.name)
