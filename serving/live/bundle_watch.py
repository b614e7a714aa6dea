"""Keeps the production bundle in service: a promoted one is loaded aside and swapped in between requests."""

import logging
from collections.abc import Callable
from threading import Lock

from recsys.background_task import BackgroundTask
from recsys.errors import ArtifactNotFoundError, RecsysError
from recsys.funnel.recommender import Recommender
from recsys.jobs.recommend.loading import NO_BUNDLE
from recsys.search.storefront import Storefront
from recsys.stores.registry.records import BundleRecord

log = logging.getLogger("recsys.serving")

RETRY_REJECTED_SECONDS = 30.0


class BundleWatch:
    """Holds the storefront that serves; `current` is one reference that is replaced as a whole.

    A request takes the reference once and keeps it, so that a swap drops no request and mixes no two
    bundles. A bundle that cannot be loaded is rejected and the old one stays.

    Args:
        production: the bundle in production now, or None.
        load: makes a storefront that is warm, or raises RecsysError.
        clock: monotonic seconds. on_swap, on_rejected: called at each swap and each rejection.

    Attributes:
        problem: why the bundle in production is not in service, empty where it is.
        task: the looking, which outlives whatever goes wrong.
    """

    def __init__(
        self,
        production: Callable[[], BundleRecord | None],
        load: Callable[[BundleRecord], Storefront],
        clock: Callable[[], float],
        on_swap: Callable[[Storefront], None] = lambda storefront: None,
        on_rejected: Callable[[], None] = lambda: None,
    ) -> None:
        self._production = production
        self._load = load
        self._clock = clock
        self._on_swap = on_swap
        self._on_rejected = on_rejected
        self._rejected_id = ""
        self._retry_at = 0.0
        self._swap = Lock()
        self.task = BackgroundTask("bundle watch", self._look)
        self.current: Storefront | None = None
        self.problem = NO_BUNDLE

    def storefront(self) -> Storefront:
        """What serves: recommendation and search.

        Raises:
            ArtifactNotFoundError: there is none; the message says why and what to do.
        """
        current = self.current
        if current is None:
            raise ArtifactNotFoundError(self.problem)
        return current

    def recommender(self) -> Recommender:
        """The recommender that serves.

        Raises:
            ArtifactNotFoundError: there is none; the message says why and what to do.
        """
        return self.storefront().recommender

    def check(self) -> None:
        """One look at the registry; loads and swaps where another bundle is in production. Never raises."""
        self.task.attempt()

    def revise(self, revised: Callable[[Storefront], Storefront]) -> None:
        """Swaps in what `revised` makes of the storefront that serves.

        It may take its time: should another bundle have been promoted meanwhile, that one stays.
        """
        current = self.current
        if current is None:
            return
        revision = revised(current)
        with self._swap:
            if self.current is current:
                self.current = revision

    def start(self, seconds: float) -> None:
        """Looks every `seconds` from now on, in a thread of its own."""
        self.task.start(seconds, at_once=False)

    def stop(self) -> None:
        """Ends the thread; what serves stays."""
        self.task.stop()

    def _look(self) -> None:
        try:
            record = self._production()
            if record is None:
                self._log_problem(NO_BUNDLE)
            elif self._serves(record.bundle_id):
                self.problem = ""
            elif not self._rejected_lately(record.bundle_id):
                self._swap_in(record)
        except RecsysError as error:
            self._log_problem(str(error))
        except Exception:
            self.problem = "the bundle in production could not be loaded; the service's log says why."
            raise

    def _swap_in(self, record: BundleRecord) -> None:
        try:
            storefront = self._load(record)
        except Exception:
            self._rejected_id, self._retry_at = record.bundle_id, self._clock() + RETRY_REJECTED_SECONDS
            self._on_rejected()
            raise
        with self._swap:
            self.current, self.problem, self._rejected_id = storefront, "", ""
        self._on_swap(storefront)
        log.info("bundle %s is in service", record.bundle_id)

    def _serves(self, bundle_id: str) -> bool:
        return self.current is not None and self.current.bundle.manifest.bundle_id == bundle_id

    def _rejected_lately(self, bundle_id: str) -> bool:
        return bundle_id == self._rejected_id and self._clock() < self._retry_at

    def _log_problem(self, problem: str) -> None:
        """Logs a problem once, not every two seconds."""
        if problem != self.problem or (self.current is None and problem != NO_BUNDLE):
            log.warning("%s", problem)
        self.problem = problem
