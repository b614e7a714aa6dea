"""Touches and purchases by hand."""

from collections.abc import Sequence

import numpy as np

from recsys.ads.attribution.records import ItemGroups, Purchases, Touches
from recsys.ads.attribution.rule import DAY_MICROS

# Brand 1 has items 0, 1 and 2, brand 2 has 3; category 1 has 0 and 3, category 2 has 1 and 4; 5 has neither.
GROUPS = ItemGroups(brand=np.array([1, 1, 1, 2, 0, 0]), category=np.array([1, 2, 0, 1, 2, 0]))


def touches(*rows: tuple[int, int, int, float, bool]) -> Touches:
    """(campaign, user, item, day, clicked) each; the slot is the number of the row."""
    columns = list(zip(*rows, strict=True)) or [()] * 5
    campaign, user, item, day, clicked = columns
    return Touches(
        np.arange(len(rows)), whole(campaign), whole(user), whole(item), micros(day), np.array(clicked, bool)
    )


def purchases(*rows: tuple[int, int, float]) -> Purchases:
    """(user, item, day) each, one piece of 2.00."""
    user, item, day = list(zip(*rows, strict=True)) or [()] * 3
    one = np.ones(len(rows), np.int64)
    return Purchases(whole(user), whole(item), micros(day), 1000 * one, 2_000_000 * one, 0 * one)


def micros(days: Sequence[float]) -> np.ndarray:
    return np.array([round(day * DAY_MICROS) for day in days], np.int64)


def whole(values: Sequence[int]) -> np.ndarray:
    return np.array(values, np.int64)
