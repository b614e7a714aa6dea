"""A click predictor that errs by a stated amount, and less about ads that were viewed more."""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray
from recsys.simulation.ads.market import Logits, Market
from recsys.simulation.ads.policy import AdPolicy
from recsys.simulation.ads.traffic import Requests


@dataclass(frozen=True, eq=False)
class Predicted:
    """What is true of a block of requests, and what is predicted.

    Attributes:
        true, expected: (B, A) probability of a click where a slot is looked at.
        spread: (A,) standard deviation of the log-odds of what is expected. viewed: (A,) how often so far.
    """

    true: DoubleArray
    expected: DoubleArray
    spread: DoubleArray
    viewed: DoubleArray


class ErringPredictor:
    """The truth with an error in log-odds: one of all ads, and one of each ad, which views make smaller.

    After `policy.predictor_views` views of an ad half of the variance of its error is left, as if a rate had
    been counted that began with so many views.
    """

    def __init__(self, market: Market, policy: AdPolicy) -> None:
        self._market, self._policy = market, policy
        self._views = np.zeros(len(market.ads))

    def saw(self, viewed: list[int]) -> None:
        """Counts views of ads, one an entry."""
        self._views += np.bincount(np.array(viewed, np.int64), minlength=len(self._views))

    @property
    def spread(self) -> DoubleArray:
        """(A,) standard deviation of the error of each ad in log-odds."""
        half = self._policy.predictor_views
        kept = half / (half + self._views) if half else np.ones(len(self._views))
        return self._policy.predictor_noise * np.sqrt(kept)

    def predict(self, requests: Requests) -> Predicted:
        """The probabilities of a block of requests."""
        logits = self._market.truth.logits(requests.shopper, requests.page)
        spread = self.spread
        shift = np.log(self._policy.predictor_bias) + spread * self._market.errors
        expected = logits + shift.astype(np.float32)
        return Predicted(_probabilities(logits), _probabilities(expected), spread, self._views.copy())


def _probabilities(logits: Logits) -> DoubleArray:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float64)
