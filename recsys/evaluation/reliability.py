"""Whether a probability of .1 comes true one time in ten."""

from dataclasses import dataclass

import numpy as np

from recsys import metrics
from recsys.arrays import BoolArray, FloatArray

BINS = 15  # as in `metrics.expected_calibration_error`
_Z = 1.96  # of a 95% interval


@dataclass(frozen=True)
class Bin:
    """Candidates of nearly equal probability.

    Attributes:
        predicted: their mean probability. observed: the share that came true.
        low, high: 95% interval of the share (Wilson's).
    """

    predicted: float
    observed: float
    low: float
    high: float
    candidates: int


@dataclass(frozen=True)
class Reliability:
    """Probabilities beside what came true.

    Attributes:
        error: expected calibration error, see `recsys.metrics`.
        predicted, observed: means over all candidates. auc, log_loss: see `recsys.metrics`.
        bins: from the least likely, each with about as many candidates.
    """

    error: float
    predicted: float
    observed: float
    auc: float
    log_loss: float
    candidates: int
    bins: tuple[Bin, ...]


def measure_reliability(probabilities: FloatArray, labels: BoolArray) -> Reliability | None:
    """How far probabilities (n,) are from what came true (n,); None for no candidates."""
    if not len(labels):
        return None
    order = np.argsort(probabilities, kind="stable")
    p, came_true = probabilities[order].astype(np.float64), labels[order]
    parts = zip(
        np.array_split(p, min(BINS, len(p))), np.array_split(came_true, min(BINS, len(p))), strict=True
    )
    return Reliability(
        error=metrics.expected_calibration_error(came_true, p, BINS),
        predicted=float(p.mean()),
        observed=float(came_true.mean()),
        auc=metrics.auc(came_true, p),
        log_loss=metrics.log_loss(came_true, p),
        candidates=len(p),
        bins=tuple(_bin(float(part.mean()), int(true.sum()), len(true)) for part, true in parts),
    )


def _bin(predicted: float, successes: int, count: int) -> Bin:
    low, high = wilson_interval(successes, count)
    return Bin(predicted, successes / count, low, high, count)


def wilson_interval(successes: int, count: int) -> tuple[float, float]:
    """The 95% interval of a share, which stays within 0 and 1 and is open where nothing came true.

    Paper: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> [round(edge, 4) for edge in wilson(1, 10)]
    [0.0179, 0.4042]
    """
    share, spare = successes / count, _Z**2 / count
    centre = (share + spare / 2) / (1 + spare)
    half = _Z / (1 + spare) * np.sqrt(share * (1 - share) / count + spare / (4 * count))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
