"""From the network's log-odds of attraction to probabilities that come true as often as they say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from recsys.arrays import BoolArray, DoubleArray
from recsys.documents import JsonObject

Method = Literal["none", "platt", "isotonic"]
_RANGE = 30.0  # log-odds; beyond it a probability is 0 or 1 in float32
_LEAST = 1e-6  # of an isotonic step, whose share may be 0


@dataclass(frozen=True)
class AttractionCalibration:
    """A rising map of log-odds: slope * x + offset, then through the points, linearly between them.

    Attributes:
        points, values: (K,) log-odds before and after, rising; empty where only the line counts.
    """

    method: Method = "none"
    slope: float = 1.0
    offset: float = 0.0
    points: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def probabilities(self, log_odds: DoubleArray) -> DoubleArray:
        """(n,) attraction of raw log-odds (n,)."""
        moved = self.slope * log_odds + self.offset
        if self.points:
            moved = np.interp(moved, self.points, self.values)
        return _sigmoid(moved)

    def describe(self) -> JsonObject:
        """As JSON; `rebuild` reads it back."""
        return asdict(self)

    @classmethod
    def rebuild(cls, description: Mapping[str, Any]) -> "AttractionCalibration":
        """The calibration that `describe` wrote."""
        lists = {name: tuple(description[name]) for name in ("points", "values")}
        return cls(**(dict(description) | lists))


def fit_examined_platt(
    log_odds: DoubleArray, examination: DoubleArray, clicked: BoolArray
) -> AttractionCalibration:
    """The line that maximises the likelihood of clicks at p = examination x sigmoid(slope x + offset).

    `recsys.models.calibration.fit_platt` is the same where all is examined; its smoothed labels have no
    counterpart here, so that a small penalty keeps the slope near 1 where clicks are few.

    Paper: Platt 1999, "Probabilistic outputs for support vector machines", section 2.2.
    """
    if not clicked.any() or clicked.all():
        return AttractionCalibration()
    from scipy import optimize  # takes a second, and a service fits nothing

    def loss(at: DoubleArray) -> tuple[float, DoubleArray]:
        slope = np.exp(at[0])
        attraction = _sigmoid(slope * log_odds + at[1])
        p = np.clip(examination * attraction, 1e-12, 1 - 1e-12)
        by_p = np.where(clicked, -1 / p, 1 / (1 - p)) * examination * attraction * (1 - attraction)
        value = -np.where(clicked, np.log(p), np.log1p(-p)).sum() + at[0] ** 2 / 2
        return float(value), np.array([(by_p * log_odds).sum() * slope + at[0], by_p.sum()])

    found = optimize.minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-3, 3), (-20, 20)])
    return AttractionCalibration("platt", float(np.exp(found.x[0])), float(found.x[1]))


def fit_isotonic(
    log_odds: DoubleArray, examination: DoubleArray, clicked: BoolArray, most_points: int = 200
) -> AttractionCalibration:
    """Steps that rise with the log-odds, each the clicks over the examination of its impressions.

    Pooling adjacent violators with weights `examination` minimises sum(e f - y log f) over rising f, the
    Poisson likelihood; with all examined it is the isotonic regression of the labels. Between the middles of
    the steps the map is linear in log-odds, so that it has few ties.

    Paper: Zadrozny and Elkan 2002, Transforming classifier scores (KDD), section 3.2.
    """
    if not clicked.any() or clicked.all():
        return AttractionCalibration()
    from scipy import optimize

    order = np.argsort(log_odds, kind="stable")
    # Equal counts first: steps of one impression would be noise, and too many to keep.
    parts = np.array_split(order, min(most_points, max(2, len(order) // 50)))
    weight = np.array([examination[part].sum() for part in parts])
    rate = np.array([clicked[part].sum() for part in parts]) / weight
    middle = np.array([np.average(log_odds[part], weights=examination[part]) for part in parts])
    found = optimize.isotonic_regression(rate, weights=weight)
    starts = found.blocks[:-1]
    total = np.add.reduceat(weight, starts)
    points = np.add.reduceat(weight * middle, starts) / total
    share = np.clip(found.x[starts], _LEAST, 1 - _LEAST)
    distinct = np.concatenate([[True], np.diff(points) > 0])
    values = np.log(share) - np.log1p(-share)
    return AttractionCalibration(
        "isotonic", points=tuple(points[distinct].tolist()), values=tuple(values[distinct].tolist())
    )


def _sigmoid(log_odds: DoubleArray) -> DoubleArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -_RANGE, _RANGE))), np.float64)
