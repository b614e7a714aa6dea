"""How a cost grows with a size: a fixed part, and a part that rises by a power of the size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LOWEST, HIGHEST = 0.1, 3.0  # exponents; what rises more slowly or faster is told as these
LEAST_RISE = 0.02  # of the largest cost: less is noise, and the cost is flat


@dataclass(frozen=True)
class GrowthCurve:
    """cost = fixed + rate * size^exponent."""

    fixed: float
    rate: float
    exponent: float

    def at(self, size: float) -> float:
        """The cost at a size.

        >>> GrowthCurve(5.0, 2.0, 1.0).at(10)
        25.0
        """
        return float(self.fixed + self.rate * size**self.exponent)


def growth_curve(sizes: Sequence[float], costs: Sequence[float]) -> GrowthCurve:
    """The curve through the first, the middle and the last of the sizes.

    A plain fit of logarithms would take a fixed cost, such as imports, for slow growth. Costs that do not
    rise are a fixed cost, the largest of them.

    Raises:
        ValueError: fewer than three sizes, or they do not rise.

    >>> growth_curve([1, 10, 100], [5 + 2, 5 + 20, 5 + 200])
    GrowthCurve(fixed=5.0, rate=2.0, exponent=1.0)
    >>> growth_curve([1, 10, 100], [7, 7, 7])
    GrowthCurve(fixed=7.0, rate=0.0, exponent=0.0)
    """
    check_sizes(sizes)
    if len(sizes) != len(costs):
        raise ValueError(f"three or more rising sizes and as many costs, not {sizes} and {costs}")
    middle = len(sizes) // 2
    first, between, last = float(costs[0]), float(costs[middle]), float(costs[-1])
    if last - first <= LEAST_RISE * abs(last):
        return GrowthCurve(max(map(float, costs)), 0.0, 0.0)
    share = (between - first) / (last - first)  # of the rise, that came by the middle size
    exponent = _exponent(np.log(sizes[middle] / sizes[0]), np.log(sizes[-1] / sizes[0]), share)
    rate = (last - first) / (sizes[-1] ** exponent - sizes[0] ** exponent)
    return GrowthCurve(round(first - rate * sizes[0] ** exponent, 6), float(f"{rate:.6g}"), exponent)


def check_sizes(sizes: Sequence[float]) -> None:
    """Whether a curve can be laid through these sizes, before the work of measuring them.

    Raises:
        ValueError: fewer than three sizes, or they do not rise.
    """
    if len(sizes) < 3 or list(sizes) != sorted(set(sizes)) or sizes[0] <= 0:
        raise ValueError(f"three or more rising sizes are needed for an exponent, not {sizes}")


def _exponent(middle: float, large: float, share: float) -> float:
    """k of (e^(k middle) - 1) / (e^(k large) - 1) = share, by bisection: the left side falls as k rises."""
    low, high = LOWEST, HIGHEST
    for _ in range(60):
        half = (low + high) / 2
        rises_later = np.expm1(half * middle) / np.expm1(half * large) < share
        low, high = (low, half) if rises_later else (half, high)
    return round(float(half), 3)
