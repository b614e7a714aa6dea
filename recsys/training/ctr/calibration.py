"""Chooses how attraction is calibrated, by log loss on users that the choice was not fitted on."""

from collections.abc import Callable

import numpy as np

from recsys import metrics
from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.models.ctr.calibration import AttractionCalibration, fit_examined_platt, fit_isotonic
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.model import is_new_item, predict_raw
from recsys.models.ctr.network import CtrNetwork

MIN_CLICKS = 200  # of a surface, for a calibration of its own
_FOLDS = 5

Calibrations = tuple[AttractionCalibration, ...]
Fit = Callable[[DoubleArray, DoubleArray, BoolArray], AttractionCalibration]


def choose_calibrations(network: CtrNetwork, held: Impressions) -> Calibrations:
    """A calibration of attraction for each surface; one with few clicks takes that of all."""
    raw = predict_raw(network, held)
    every = choose_calibration(raw.log_odds, raw.examination, held.clicked, held.users)
    found = []
    for surface in range(network.shape.surfaces):
        rows = held.surfaces == surface
        enough = network.shape.surfaces > 1 and held.clicked[rows].sum() >= MIN_CLICKS
        parts = raw.log_odds[rows], raw.examination[rows], held.clicked[rows], held.users[rows]
        found.append(choose_calibration(*parts) if enough else every)
    return tuple(found)


def choose_calibrations_by_age(
    network: CtrNetwork, held: Impressions, shown: IntArray
) -> tuple[Calibrations, Calibrations]:
    """Of items that training knew, and of those that were new to it; the same where either has few clicks.

    Args:
        shown: (N + 1,) impressions of each item in training.
    """
    new = is_new_item(shown, held.item)
    if min(held.clicked[new].sum(), held.clicked[~new].sum()) < MIN_CLICKS:
        every = choose_calibrations(network, held)
        return every, every
    old_rows, new_rows = np.flatnonzero(~new), np.flatnonzero(new)
    return choose_calibrations(network, held.take(old_rows)), choose_calibrations(
        network, held.take(new_rows)
    )


def choose_calibration(
    log_odds: DoubleArray, examination: DoubleArray, clicked: BoolArray, user: IntArray
) -> AttractionCalibration:
    """None, Platt's line or isotonic steps: whichever has the least log loss on users left out, five folds.

    The chosen one is then fitted on all. The plainer one is kept where the log losses are equal.

    Args:
        log_odds: (n,) of attraction. examination, clicked: (n,). user: (n,) whose impressions they are.
    """
    fold = np.unique(user, return_inverse=True)[1] % _FOLDS
    best: tuple[float, Fit] = (np.inf, _leave)
    for fit in (_leave, fit_examined_platt, fit_isotonic):
        p = np.empty(len(clicked))
        for each in range(_FOLDS):
            rest, out = fold != each, fold == each
            fitted = fit(log_odds[rest], examination[rest], clicked[rest])
            p[out] = examination[out] * fitted.probabilities(log_odds[out])
        loss = metrics.log_loss(clicked, p)
        if loss < best[0]:
            best = loss, fit
    return best[1](log_odds, examination, clicked)


def _leave(log_odds: DoubleArray, examination: DoubleArray, clicked: BoolArray) -> AttractionCalibration:
    return AttractionCalibration()
