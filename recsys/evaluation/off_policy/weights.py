"""Importance weights, and how far the log covers what the target policy does."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray, IntArray
from recsys.errors import ConfigError, DataError
from recsys.evaluation.off_policy.log import PolicyLog
from recsys.evaluation.off_policy.policies import TargetPolicy

ALMOST_NONE = 0.01  # a logged propensity below it is almost no chance to learn of that arm
LEAST_WARNED = 0.01  # a share of the target's mass
SURE = 3.0  # standard errors, before a warning says that a share is more than chance
MIN_EFFECTIVE = 100.0  # units; below that a normal interval is not to be trusted
LARGE_SHARE = 0.05  # of all weight, on one row
_SHOWN = 5  # of the largest weights


@dataclass(frozen=True)
class Overlap:
    """How the target policy and the log meet.

    Attributes:
        little: the share of the target's mass where the log shows its arm with a propensity below
            `ALMOST_NONE`, or never; at least 0.
        little_error: its standard error.
        mean_weight: 1 but for chance, where the log can show all that the target wants.
        mean_weight_error: its standard error.
        effective_units: as many units of equal weight would say as much (Kish 1965).
        largest: (row from 0, weight), the largest first.
        largest_share: of all weight, that of the largest.
    """

    little: float
    little_error: float
    mean_weight: float
    mean_weight_error: float
    effective_units: float
    largest: tuple[tuple[int, float], ...]
    largest_share: float


def importance_weights(log: PolicyLog, policy: TargetPolicy, clip: float | None = None) -> DoubleArray:
    """(N,) the target's probability of the arm that was shown, divided by its propensity.

    Args:
        clip: larger weights count as this much, which trades variance for bias.

    Raises:
        ConfigError: `clip` is not above 0.
        DataError: no row of the log shows what the policy would show.
    """
    if clip is not None and not 0 < clip < np.inf:
        raise ConfigError(f"weights cannot be clipped at {clip:g}. Give a number above 0, such as 20.")
    weights = policy.probabilities[np.arange(len(log)), log.arm] / log.propensity
    if not weights.any():
        raise DataError(
            f"no row of the log shows what the policy {policy.name!r} would show: the log says nothing of "
            "its value. Check that rows and contexts of the two files meet."
        )
    return weights if clip is None else np.minimum(weights, clip)


def measure_overlap(log: PolicyLog, weights: DoubleArray) -> Overlap:
    """The overlap, by weights that are not clipped.

    The mean of w over rows whose propensity is at least `ALMOST_NONE` is an unbiased estimate of the share
    of the target's mass there, and no w of it is large; the rest of the mass has little overlap or none.
    """
    covered = np.where(log.propensity >= ALMOST_NONE, weights, 0.0)
    by_unit = np.bincount(log.unit, weights)
    order = np.argsort(-weights, kind="stable")[:_SHOWN]
    return Overlap(
        little=max(0.0, 1.0 - float(covered.mean())),
        little_error=mean_error(covered, log.unit),
        mean_weight=float(weights.mean()),
        mean_weight_error=mean_error(weights, log.unit),
        effective_units=float(by_unit.sum() ** 2 / (by_unit**2).sum()),
        largest=tuple((int(row), float(weights[row])) for row in order),
        largest_share=float(weights[order[0]] / weights.sum()),
    )


def overlap_warnings(overlap: Overlap, where: Callable[[int], str]) -> list[str]:
    """What a reader has to know before believing an estimate; empty where there is nothing.

    Args:
        where: the place of row i.
    """
    found = []
    if overlap.little > max(LEAST_WARNED, SURE * overlap.little_error):
        found.append(
            f"little overlap: {overlap.little:.1%} (standard error {overlap.little_error:.1%}) of the "
            f"policy's mass lies where the log shows its arm with a probability below {ALMOST_NONE:g} or "
            "never; of that part the log says almost nothing"
        )
    excess = overlap.mean_weight - 1
    if excess > max(LEAST_WARNED, SURE * overlap.mean_weight_error):
        found.append(
            f"weights average {overlap.mean_weight:.3f} (standard error {overlap.mean_weight_error:.3f}), "
            "not 1: the propensities are not the probabilities with which arms were shown"
        )
    if overlap.effective_units < MIN_EFFECTIVE:
        found.append(
            f"the weights leave {overlap.effective_units:.1f} effective units (fewer than "
            f"{MIN_EFFECTIVE:.0f}): intervals are bootstrapped, and still too narrow if rare rows matter"
        )
    if overlap.largest_share > LARGE_SHARE:
        row, weight = overlap.largest[0]
        found.append(
            f"{where(row)} alone, of weight {weight:.1f}, has {overlap.largest_share:.1%} of all weight"
        )
    return found


def mean_error(values: DoubleArray, unit: IntArray) -> float:
    """The standard error of the mean of (N,) values, rows of one unit together."""
    return ratio_error(values - values.mean(), float(len(values)), unit)


def ratio_error(deviation: DoubleArray, total: float, unit: IntArray) -> float:
    """The standard error of a ratio of sums, units drawn independently; NaN with one unit.

    sqrt(G / (G - 1) x sum over units of (sum of its deviations)^2) / total

    Args:
        deviation: (N,) above - ratio x below. total: the sum of what is below.

    Paper: Liang and Zeger 1986, Longitudinal data analysis using generalized linear models.
    """
    sums = np.bincount(unit, deviation)
    units = len(sums)
    if units < 2:
        return float("nan")
    return float(np.sqrt(units / (units - 1) * (sums**2).sum()) / total)
