"""When shoppers come: Poisson by the hour, quiet at night, busy in the evening and at the weekend (UTC)."""

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.instants import DAY

HOUR = DAY // 24
# Relative rates, each with mean 1. Hours from midnight, days from Monday.
_HOURS = np.array([3, 2, 1, 1, 1, 2, 5, 9, 12, 14, 15, 16, 17, 16, 15, 15, 17, 20, 24, 27, 26, 20, 12, 6])
HOUR_SHAPE = _HOURS / _HOURS.mean()
WEEK_SHAPE = np.array([0.9, 0.9, 0.95, 0.95, 1.05, 1.2, 1.05])
_MONDAY = 4 * DAY  # 1970-01-05


def rate_at(at: int) -> float:
    """The rate of sessions at an instant, 1 = the mean of a week."""
    weekday = (at - _MONDAY) // DAY % 7
    return float(HOUR_SHAPE[at % DAY // HOUR] * WEEK_SHAPE[weekday])


def draw_arrivals(rates: FloatArray, start: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Who comes when in the hour from `start` on, in the order of time.

    Args:
        rates: (S,) sessions a day of each shopper, on average.
        start: microseconds, a whole hour.

    Returns:
        (V,) shoppers and (V,) instants.
    """
    visits = rng.poisson(rates / 24 * rate_at(start))
    shoppers = np.repeat(np.arange(len(rates)), visits)
    at = start + rng.integers(0, HOUR, len(shoppers))
    order = np.argsort(at, kind="stable")
    return shoppers[order], at[order]
