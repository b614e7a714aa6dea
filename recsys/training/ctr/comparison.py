"""A click model beside what it has to beat, all fitted on the same impressions."""

import importlib.util
import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from recsys.arrays import DoubleArray
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.shape import CtrShape
from recsys.progress import Progress, silent
from recsys.training.ctr.baselines import BoostedTrees, ItemRate, LogisticRegression

OURS = "click model"

log = logging.getLogger(__name__)


def baseline_predictions(
    train: Impressions,
    held: Impressions,
    test: Impressions,
    shape: CtrShape,
    vectors: bool = True,
    progress: Progress = silent,
) -> dict[str, DoubleArray]:
    """Of each baseline its (n,) probabilities of `test`; boosted trees only where LightGBM is installed.

    Args:
        held: what the baselines' strength is chosen on.
        vectors: whether they read P_u, P_m and their cosine. They should not where the vectors have seen what
            happened in `train`: they would trust them more than they deserve later.
    """
    parts = [train, held, test] if vectors else [_without_vectors(each) for each in (train, held, test)]
    fits: dict[str, Callable[[], DoubleArray]] = {
        ItemRate.name: lambda: ItemRate(parts[0]).predict(parts[2]),
        LogisticRegression.name: lambda: LogisticRegression(parts[0], parts[1], shape).predict(parts[2]),
    }
    if importlib.util.find_spec("lightgbm") is None:
        log.info("lightgbm is not installed, so there is no row of boosted trees")
    else:
        fits[BoostedTrees.name] = lambda: BoostedTrees(parts[0], parts[1], shape, vectors=vectors).predict(
            parts[2]
        )
    found = {}
    for name, fit in fits.items():
        with progress(name, None):
            found[name] = fit()
    return found


def _without_vectors(impressions: Impressions) -> Impressions:
    return replace(impressions, user_vectors=np.zeros_like(impressions.user_vectors))
