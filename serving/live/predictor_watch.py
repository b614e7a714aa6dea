"""Keeps the click model of the bundle that serves in service for ads; without one, rates of the settings."""

import logging
from collections.abc import Callable

from recsys.ads.selection.prediction import ClickPredictor, WithPrior
from recsys.background_task import BackgroundTask
from recsys.models.bundle import Bundle
from serving.live.bundle_watch import BundleWatch

log = logging.getLogger("recsys.serving")


class PredictorWatch:
    """Opens the click model of a bundle once it serves; requests in flight keep the one before.

    Args:
        load: the predictor of a bundle; None = it has no click model.
        prior: where there is none, or where what it reads is away.

    Attributes:
        current: the predictor now, replaced as a whole.
        task: the looking, which outlives whatever goes wrong.
    """

    def __init__(
        self, bundles: BundleWatch, load: Callable[[Bundle], ClickPredictor | None], prior: ClickPredictor
    ) -> None:
        self._bundles = bundles
        self._load = load
        self._prior = prior
        self._bundle_id = ""
        self.current: ClickPredictor = prior
        self.task = BackgroundTask("click model watch", self._look)

    def check(self) -> None:
        """One look. Never raises."""
        self.task.attempt()

    def start(self, seconds: float) -> None:
        """Looks every `seconds` from now on, in a thread of its own."""
        self.task.start(seconds, at_once=False)

    def stop(self) -> None:
        """Ends the thread; what serves stays."""
        self.task.stop()

    def _look(self) -> None:
        current = self._bundles.current
        if current is None or current.bundle.manifest.bundle_id == self._bundle_id:
            return
        found = self._load(current.bundle)
        self.current = self._prior if found is None else WithPrior(found, self._prior)
        self._bundle_id = current.bundle.manifest.bundle_id
        log.info("ads are chosen by %s", self.current.version)
