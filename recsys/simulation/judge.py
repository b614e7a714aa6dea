"""Judges predictions and rankings by the truth, instead of by what happened to be clicked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.errors import DataError
from recsys.simulation.tastes import examination
from recsys.simulation.truth import DAY, P_CLICK, PREDICTED, PRICE_LEVEL, VECTOR, Truth

_BINS = 15


@dataclass(frozen=True)
class Calibration:
    """How near predicted probabilities of a click are to the true ones.

    Attributes:
        rows: that were compared.
        error: sum over bins of n_b / n |mean predicted - mean true|, bins of equal size by prediction.
        mean_predicted, mean_true: over all rows.
        rmse: root of the mean squared difference.
    """

    rows: int
    error: float
    mean_predicted: float
    mean_true: float
    rmse: float


def calibration_curve(predicted: DoubleArray, true: DoubleArray, bins: int = _BINS) -> Calibration:
    """Compares probabilities with probabilities: without the noise of single clicks.

    >>> calibration_curve(np.array([0.1, 0.3]), np.array([0.2, 0.2]), bins=1).error
    0.0
    >>> round(calibration_curve(np.array([0.1, 0.3]), np.array([0.2, 0.2]), bins=2).error, 6)
    0.1

    Raises:
        DataError: there is nothing to compare.
    """
    if not len(predicted):
        raise DataError("no prediction to judge. Simulate against a service that answers with p_click.")
    difference = predicted - true
    order = np.argsort(predicted, kind="stable")
    parts = np.array_split(difference[order], min(bins, len(order)))
    return Calibration(
        rows=len(predicted),
        error=float(sum(abs(part.sum()) for part in parts) / len(predicted)),
        mean_predicted=float(predicted.mean()),
        mean_true=float(true.mean()),
        rmse=float(np.sqrt((difference**2).mean())),
    )


def served_calibration(truth: Truth) -> Calibration:
    """Of the probabilities that a service gave for the places where it showed items.

    Raises:
        DataError: no service gave the pages, or it gave none.
    """
    shown = truth.shown.filter(truth.shown[PREDICTED].is_valid())
    return calibration_curve(shown[PREDICTED].to_numpy(), shown[P_CLICK].to_numpy())


class Oracle:
    """Knows what every shopper likes on every day, out of the truth's files.

    Attributes:
        item_ids: (N,) in the order of the columns of `attraction`.
    """

    def __init__(self, truth: Truth) -> None:
        self._habits = truth.habits
        self.item_ids: list[str] = truth.items[columns.ITEM_ID].to_pylist()
        self._number = {item: number for number, item in enumerate(self.item_ids)}
        self._vectors = _matrix(truth.items, VECTOR)
        self._appeal = truth.items["appeal"].to_numpy()
        self._levels = truth.items[PRICE_LEVEL].to_numpy()
        self._exposed = truth.items["exposure"].to_numpy() > 0
        keys = zip(truth.tastes[columns.USER_ID].to_pylist(), truth.tastes[DAY].to_pylist(), strict=True)
        self._rows = {key: row for row, key in enumerate(keys)}
        self._tastes = _matrix(truth.tastes, VECTOR)
        self._prices = truth.tastes[PRICE_LEVEL].to_numpy()

    def attraction(self, user_id: str, day: int) -> DoubleArray:
        """(N,): the true chance that this user clicks each item when it is examined.

        Raises:
            DataError: the truth does not know the user on that day.
        """
        row = self._rows.get((user_id, day))
        if row is None:
            raise DataError(f"the truth knows no {user_id!r} on day {day}. Was it simulated in another run?")
        gap = (self._levels - self._prices[row]) / 2
        logit = self._habits.taste_slope * (self._vectors @ self._tastes[row]) - 3.5 + self._appeal - gap**2
        return np.asarray(1 / (1 + np.exp(-logit.astype(np.float64))))

    def expected_clicks(self, user_id: str, day: int, slate: list[str]) -> float:
        """The true mean number of clicks on `slate`, its first item in position 1."""
        chances = self.attraction(user_id, day)[self._numbers(slate)]
        return float(chances @ examination(self._habits, len(slate)))

    def best(self, user_id: str, day: int, size: int) -> list[str]:
        """The slate of available items with the most expected clicks."""
        chances = np.where(self._exposed, self.attraction(user_id, day), -1.0)
        top = np.argsort(-chances, kind="stable")[:size]
        return [self.item_ids[number] for number in top.tolist()]

    def regret(self, user_id: str, day: int, slate: list[str]) -> float:
        """Expected clicks that `slate` leaves to the best slate of its length; 0 = nothing better."""
        best = self.best(user_id, day, len(slate))
        return self.expected_clicks(user_id, day, best) - self.expected_clicks(user_id, day, slate)

    def _numbers(self, slate: list[str]) -> IntArray:
        unknown = [item for item in slate if item not in self._number]
        if unknown:
            raise DataError(f"the truth knows no item {unknown[0]!r}. Was it simulated over another shop?")
        return np.array([self._number[item] for item in slate], np.int64)


def _matrix(table: pa.Table, name: str) -> FloatArray:
    lists: Any = table[name].combine_chunks()
    return np.asarray(lists.flatten().to_numpy().reshape(len(lists), -1), np.float32)
