"""What was shown at random, with which probability, and what came of it: the log that estimates read."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import DataError


def row_number(row: int) -> str:
    """`row n`, counted from 1.

    >>> row_number(0)
    'row 1'
    """
    return f"row {row + 1}"


@dataclass(frozen=True)
class PolicyLog:
    """N rows, each of one arm that was shown; checked, see `policy_log`.

    Attributes:
        arms: names of the A arms that were shown, in order of the name.
        arm: (N,) which of them. outcome: (N,) what came of it, a number of any unit.
        propensity: (N,) the probability with which this arm was shown in this context, above 0, at most 1.
        unit: (N,) from 0: rows of one unit, such as a user, are not independent of each other.
        features: (N, F) the context.
    """

    arms: tuple[str, ...]
    arm: IntArray
    outcome: DoubleArray
    propensity: DoubleArray
    unit: IntArray
    features: DoubleArray

    def __len__(self) -> int:
        return len(self.arm)

    @property
    def units(self) -> int:
        """How many units there are."""
        return int(self.unit.max()) + 1

    @property
    def binary(self) -> bool:
        """Whether every outcome is 0 or 1."""
        return bool(np.isin(self.outcome, (0.0, 1.0)).all())

    def with_features(self, features: DoubleArray) -> "PolicyLog":
        """The same rows with another context."""
        return replace(self, features=features)


@dataclass(frozen=True)
class Gap:
    """A span of time of which the log may lack rows; both ends are aware and belong to it."""

    name: str
    start: datetime
    end: datetime


def policy_log(
    arm: Sequence[str],
    outcome: DoubleArray,
    propensity: DoubleArray,
    unit: Sequence[Hashable] | None = None,
    features: DoubleArray | None = None,
    where: Callable[[int], str] = row_number,
) -> PolicyLog:
    """The log of N rows.

    Args:
        outcome, propensity: (N,); NaN where there is none, which is refused.
        unit: default: each row is a unit of its own.
        features: (N, F), default F = 0.
        where: the place of row i, for messages.

    Raises:
        DataError: fewer than 2 rows or units, an outcome or a propensity that is missing, a propensity that
            is not above 0 and at most 1, or columns of different lengths.
    """
    rows = len(arm)
    columns = {"outcome": outcome, "propensity": propensity, "features": features, "unit": unit}
    for name, column in columns.items():
        if column is not None and len(column) != rows:
            raise DataError(f"{rows} rows have {len(column)} of {name}. Give one for each row.")
    _refuse_rows(~np.isfinite(outcome), where, "has no outcome", "Write 0 where nothing came of it.")
    _check_propensities(propensity, where)
    names, index = np.unique(np.asarray(arm, np.str_), return_inverse=True)
    log = PolicyLog(
        arms=tuple(names.tolist()),
        arm=index.astype(np.int64),
        outcome=outcome,
        propensity=propensity,
        unit=np.arange(rows) if unit is None else _numbered(unit),
        features=np.zeros((rows, 0)) if features is None else features,
    )
    if rows < 2 or log.units < 2:
        raise DataError(
            f"{rows} rows of {len(set(log.unit.tolist()))} units say nothing. An interval needs two units; "
            "name another column for --unit, or none."
        )
    return log


def refuse_gaps(first_at: datetime, last_at: datetime, gaps: Sequence[Gap]) -> None:
    """Makes sure that rows from `first_at` to `last_at` do not reach across a gap of the log.

    Rows that lack are seldom those of a random sample: a log loses most when most is going on.

    Raises:
        DataError: they do; the message names the gap.
    """
    for gap in gaps:
        if gap.start <= last_at and gap.end >= first_at:
            raise DataError(
                f"the log has the gap {gap.name!r}, from {gap.start.isoformat()} to {gap.end.isoformat()}: "
                "off-policy estimates across it would be wrong. Use rows before it or after it."
            )


def _check_propensities(propensity: DoubleArray, where: Callable[[int], str]) -> None:
    remedy = "Log the probability with which the arm was shown; it cannot be made up afterwards."
    _refuse_rows(~np.isfinite(propensity), where, "has no propensity", remedy)
    zero = "has the propensity 0, yet its arm was shown"
    _refuse_rows(propensity == 0, where, zero, remedy)
    _refuse_rows(propensity < 0, where, "has a propensity below 0", remedy)
    _refuse_rows(
        propensity > 1, where, "has a propensity above 1", "Give a probability; 12% is written 0.12."
    )


def _refuse_rows(wrong: BoolArray, where: Callable[[int], str], problem: str, remedy: str) -> None:
    places = np.flatnonzero(wrong)
    if len(places):
        others = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        raise DataError(f"{where(int(places[0]))}{others} {problem}. {remedy}")


def _numbered(units: Sequence[Hashable]) -> IntArray:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(unit, len(numbers)) for unit in units], np.int64)
