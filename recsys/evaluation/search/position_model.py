"""The position-based click model: a click is an item that was looked at and that attracts.

P(click at p) = examination(p) x attraction(query, item), examination(1) = 1.

Paper: Richardson et al. 2007, Predicting Clicks; Chuklin et al. 2015, Click Models for Web Search, ch. 3, 4.
"""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray
from recsys.errors import DataError
from recsys.evaluation.search.shown_items import Cells, ShownItems

_HIGHEST = 1 - 1e-9
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class PositionModel:
    """A fitted model of P positions and M pairs.

    Attributes:
        examination: (P,) how likely a position is looked at, 1 at the first.
        attraction: (M,) how likely a pair is clicked where it is looked at; low, high: its 95% interval,
            given the examination.
        steps: of EM; 0 where the examination was given.
    """

    examination: DoubleArray
    attraction: DoubleArray
    low: DoubleArray
    high: DoubleArray
    steps: int


def fit_position_model(
    cells: Cells,
    examination: DoubleArray | None = None,
    prior: float = 4.0,
    steps: int = 2000,
    tolerance: float = 1e-6,
) -> PositionModel:
    """Fits attraction and, where it is not given, examination by expectation maximisation.

    Args:
        examination: (P,) known, for example by `random_examination`.
        prior: how many items shown and looked at the prior of an attraction is worth; its mean is that of all
            pairs, so a pair that was hardly shown stays near the mean.
        tolerance: EM ends when no examination changes by more.

    Raises:
        DataError: nothing was shown or clicked, or the examination does not fit the positions.
    """
    if not cells.clicks.sum():
        raise DataError("no item that was shown was clicked, so nothing can be learned from clicks.")
    if examination is not None:
        _check_examination(examination, cells.places)
    known = examination
    # Not from 1: a position that is surely looked at stays so in every step.
    looked = 1 / np.sqrt(np.arange(1.0, cells.places + 1)) if known is None else np.asarray(known, np.float64)
    attraction = np.full(cells.pairs, min(0.5, 2 * cells.clicks.sum() / cells.shown.sum()))
    done = 0
    for step in range(1, steps + 1):
        before = looked, attraction
        looked, attraction = _em_step(cells, looked, attraction, prior, known is None)
        done = step
        if max(np.abs(looked - before[0]).max(), np.abs(attraction - before[1]).max()) < tolerance:
            break
    low, high = _intervals(cells, looked, attraction, prior)
    return PositionModel(looked, attraction, low, high, 0 if known is not None else done)


def random_examination(shown: ShownItems, prior: float = 20.0) -> DoubleArray:
    """(P,) examination from items that chance put where they were: click rates, each by its propensity.

    examination(p) = (sum of clicks / propensity at p) / (sum of 1 / propensity at p), over the same at 1:
    what chance put at a position attracts, on average, as at any other. A position where it put nothing has
    the value of the one before.

    Args:
        prior: items shown, with the click rate of the position before, that a position's rate is mixed with.

    Raises:
        DataError: chance put nothing at the first position, or nothing there was clicked.
    """
    places = int(shown.position.max(initial=0))
    chance = np.zeros(len(shown), np.bool_) if shown.propensity is None else np.isfinite(shown.propensity)
    weight = np.zeros(len(shown))
    if shown.propensity is not None:
        weight[chance] = 1 / shown.propensity[chance]
    place = shown.position - 1
    total = np.bincount(place, weight, places)
    clicks = np.bincount(place, weight * shown.clicked, places)
    if not places or not clicks[0]:
        raise DataError(
            "no item that chance put at position 1 was clicked, so chance says nothing of examination. Let "
            "it be estimated from all clicks, or let chance place more."
        )
    count = np.bincount(place, chance, places)
    share = np.divide(total, count, out=np.zeros(places), where=count > 0)  # mean weight of an item there
    rates = np.full(places, clicks[0] / total[0])
    for at in range(1, places):
        if count[at]:
            mixed = prior * share[at]
            rates[at] = (clicks[at] + mixed * rates[at - 1]) / (total[at] + mixed)
        else:
            rates[at] = rates[at - 1]
    return np.asarray(np.clip(rates / rates[0], 1e-4, 1.0), np.float64)


def _em_step(
    cells: Cells, looked: DoubleArray, attraction: DoubleArray, prior: float, fit_examination: bool
) -> tuple[DoubleArray, DoubleArray]:
    """Examination and attraction after one step; the first position stays at 1."""
    e, a = looked[cells.place], attraction[cells.pair]
    missed = (cells.shown - cells.clicks) * e * (1 - a) / np.maximum(1 - e * a, 1e-12)
    seen = cells.clicks + missed  # expected number of looks, of which `missed` without a click
    mean = float(cells.clicks.sum() / seen.sum())
    new_attraction = (cells.by_pair(cells.clicks) + prior * mean) / (cells.by_pair(seen) + prior)
    if not fit_examination:
        return looked, np.minimum(new_attraction, _HIGHEST)
    count = cells.by_place(cells.shown)
    new_looked = np.where(count > 0, cells.by_place(seen) / np.maximum(count, 1), looked)
    first = float(new_looked[0]) if count[0] else 1.0
    # Only the product is known of both: what the first position loses, the attractions take.
    return np.clip(new_looked / first, 1e-6, 1.0), np.minimum(new_attraction * first, _HIGHEST)


def _intervals(
    cells: Cells, looked: DoubleArray, attraction: DoubleArray, prior: float
) -> tuple[DoubleArray, DoubleArray]:
    """95% intervals from the information about each attraction, on the scale of log odds."""
    e, a = looked[cells.place], attraction[cells.pair]
    information = cells.by_pair(cells.shown * e / (a * np.maximum(1 - e * a, 1e-12)))
    information = information + prior / (attraction * (1 - attraction))
    spread = _NORMAL_95 / np.sqrt(information) / (attraction * (1 - attraction))
    odds = np.log(attraction / (1 - attraction))
    return 1 / (1 + np.exp(spread - odds)), 1 / (1 + np.exp(-spread - odds))


def _check_examination(examination: DoubleArray, places: int) -> None:
    if (
        len(examination) < places
        or examination[0] != 1
        or not (0 < examination.min() <= examination.max() <= 1)
    ):
        raise DataError(
            f"the examination of {len(examination)} positions does not fit: {places} positions were shown. "
            "The first must be 1, and all above 0 and at most 1."
        )
