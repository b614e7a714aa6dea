"""Keeps what ads are chosen by in service: the predictor of the bundle that serves."""

import logging
from collections.abc import Callable

from recsys.ads.selection.prediction import ClickPredictor, WithPrior
from recsys.background_task import BackgroundTask
from recsys.models.bundle import Bundle
from serving.live.bundle_watch import BundleWatch

log = logging.getLogger("recsys.serving")


class PredictorWatch:
    """Opens the predictor of a bundle once it serves; requests in flight keep the one before.

    Args:
        load: the predictor of a bundle.
        prior: until a bundle serves, and where what its predictor reads is away.

    Attributes:
        current: the predictor now, replaced as a whole.
        task: the looking, which outlives whatever goes wrong.
    """

    def __init__(
        self, bundles: BundleWatch, load: Callable[[Bundle], ClickPredictor], prior: ClickPredictor
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
        self.current = WithPrior(self._load(current.bundle), self._prior)
        self._bundle_id = current.bundle.manifest.bundle_id
        log.info("ads are chosen by %s", self.current.version)
