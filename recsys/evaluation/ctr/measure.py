"""Click probabilities beside what was clicked, with intervals by user."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import DataError
from recsys.evaluation.ctr.resamples import METRICS, UserResamples
from recsys.evaluation.intervals import PairedDifference


@dataclass(frozen=True)
class Interval:
    """A value and its 95% interval over resampled users; NaN where it means nothing."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClickMeasures:
    """How good the probabilities of n impressions are.

    Attributes:
        impressions, clicks, users: counts. predicted: the clicks that the probabilities expect.
        metrics: each of `METRICS`, see `recsys.evaluation.ctr.resamples`.
    """

    impressions: int
    clicks: int
    users: int
    predicted: float
    metrics: Mapping[str, Interval]


@dataclass(frozen=True)
class ClickLog:
    """What was clicked, the same for all models that are compared.

    Attributes:
        clicked: (n,). user: (n,) any integers.
        slices: name of a slice -> (n,) which impressions are in it.
        samples: resamples of users. seed: of them.
    """

    clicked: BoolArray
    user: IntArray
    slices: Mapping[str, BoolArray]
    samples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises DataError where a column has another length, or there is nothing to measure."""
        lengths = {"user": len(self.user)} | {name: len(rows) for name, rows in self.slices.items()}
        for name, length in lengths.items():
            if length != len(self.clicked):
                raise DataError(f"{name} has {length} rows and the clicks {len(self.clicked)}.")
        if not len(self.clicked):
            raise DataError("there are no impressions to measure. Take a longer test period.")


def measure_clicks(probabilities: DoubleArray, log: ClickLog) -> ClickMeasures:
    """All metrics of (n,) probabilities of a click.

    Raises:
        DataError: a probability is not between 0 and 1.
    """
    _check(probabilities, log)
    return _measure(probabilities, log, np.ones(len(log.clicked), bool))


def measure_slices(probabilities: DoubleArray, log: ClickLog) -> Mapping[str, ClickMeasures]:
    """The same for each slice of the log that has impressions.

    Raises:
        DataError: a probability is not between 0 and 1.
    """
    _check(probabilities, log)
    return {name: _measure(probabilities, log, rows) for name, rows in log.slices.items() if rows.any()}


def compare_clicks(
    probabilities: DoubleArray, others: DoubleArray, log: ClickLog
) -> Mapping[str, PairedDifference]:
    """Of each metric the first probabilities less the others, on the same resampled users.

    Raises:
        DataError: a probability is not between 0 and 1.
    """
    _check(probabilities, log)
    _check(others, log)
    resamples = UserResamples.of(log.user, log.samples, log.seed)
    found = {}
    for name in METRICS:
        value, draws = resamples.estimate(name, log.clicked, probabilities)
        other, other_draws = resamples.estimate(name, log.clicked, others)
        low, high = _tails(draws - other_draws)
        found[name] = PairedDifference(value, other, value - other, low, high, resamples.users)
    return found


def _check(probabilities: DoubleArray, log: ClickLog) -> None:
    if len(probabilities) != len(log.clicked):
        raise DataError(f"there are {len(probabilities)} probabilities of {len(log.clicked)} impressions.")
    wrong = np.flatnonzero(~((probabilities >= 0) & (probabilities <= 1)))
    if len(wrong):
        raise DataError(
            f"probability {probabilities[wrong[0]]} of impression {wrong[0] + 1} is not between 0 and 1. "
            "Give calibrated probabilities, not scores."
        )


def _measure(probabilities: DoubleArray, log: ClickLog, rows: BoolArray) -> ClickMeasures:
    clicked, p, user = log.clicked[rows], probabilities[rows], log.user[rows]
    resamples = UserResamples.of(user, log.samples, log.seed)
    found = {}
    for name in METRICS:
        value, draws = resamples.estimate(name, clicked, p)
        found[name] = Interval(value, *_tails(draws))
    return ClickMeasures(len(p), int(clicked.sum()), resamples.users, float(p.sum()), found)


def _tails(draws: DoubleArray) -> tuple[float, float]:
    known = draws[np.isfinite(draws)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)
