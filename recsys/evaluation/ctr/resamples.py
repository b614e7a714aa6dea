"""Metrics of click probabilities with their values on resampled users."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recsys import metrics
from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.evaluation.ctr.click_metrics import auc_by_user, grouped_auc, pcoc
from recsys.evaluation.off_policy.estimators import RatioOfSums
from recsys.evaluation.off_policy.intervals import bootstrap_draws
from recsys.evaluation.reliability import BINS
from recsys.evaluation.search.bootstrap import QueryBootstrap

METRICS = ("auc", "gauc", "log_loss", "ece", "pcoc")


class Resampled(NamedTuple):
    """A metric, and (S,) what it is on resampled users; NaN where it means nothing."""

    value: float
    draws: DoubleArray


@dataclass(frozen=True)
class UserResamples:
    """Resamples of users, each with all impressions; metrics of one instance see the same resamples.

    Attributes:
        user: (n,) codes 0 to U - 1.
    """

    user: IntArray
    samples: int
    seed: int

    @classmethod
    def of(cls, user: IntArray, samples: int, seed: int = 0) -> "UserResamples":
        """For (n,) users of any integers."""
        return cls(np.unique(user, return_inverse=True)[1], samples, seed)

    @property
    def users(self) -> int:
        """How many there are."""
        return int(self.user.max(initial=-1)) + 1

    def estimate(self, metric: str, clicked: BoolArray, p: DoubleArray) -> Resampled:
        """One of METRICS of (n,) probabilities.

        ECE keeps its bins in all resamples. It is a sum of absolute values, so that its draws lie above its
        value where that is near 0, and the interval may not contain it.
        """
        if metric == "auc":
            bootstrap = QueryBootstrap(
                np.ones(self.users), np.zeros(self.users, np.int64), self.samples, self.seed
            )
            return Resampled(metrics.auc(clicked, p), bootstrap.auc(p, clicked, self.user).draws)
        one = np.ones(len(p))
        if metric == "log_loss":
            kept = np.clip(p, 1e-15, 1 - 1e-15)
            losses = -np.where(clicked, np.log(kept), np.log1p(-kept))
            return Resampled(metrics.log_loss(clicked, p), self._ratios([(losses, one, self.user)])[0])
        if metric == "pcoc":
            draws = self._ratios([(p, clicked.astype(np.float64), self.user)])[0]
            return Resampled(pcoc(clicked, p), draws)
        if metric == "gauc":
            auc, weight = auc_by_user(clicked, p, self.user)
            draws = self._ratios([(auc * weight, weight, np.arange(self.users))])[0]
            return Resampled(grouped_auc(clicked, p, self.user), draws)
        residuals = _residuals_by_bin(clicked, p)
        draws = np.abs(self._ratios([(each, one, self.user) for each in residuals])).sum(0)
        return Resampled(metrics.expected_calibration_error(clicked, p, BINS), draws)

    def _ratios(self, sums: list[tuple[DoubleArray, DoubleArray, IntArray]]) -> DoubleArray:
        """(len(sums), S) of above / below, all by the same unit."""
        ratios = [RatioOfSums(above, below) for above, below, _ in sums]
        return bootstrap_draws(ratios, sums[0][2], self.samples, self.seed)


def _residuals_by_bin(clicked: BoolArray, p: DoubleArray) -> list[DoubleArray]:
    """For each bin (n,) probability less label of its impressions, 0 of all others."""
    order = np.argsort(p, kind="stable")
    found = []
    for part in np.array_split(order, min(BINS, len(p))):
        residual = np.zeros(len(p))
        residual[part] = p[part] - clicked[part]
        found.append(residual)
    return found
