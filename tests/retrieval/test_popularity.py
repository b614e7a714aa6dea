"""Popularity that fades."""

import math

import numpy as np
import pytest

from recsys.dataset.interactions import Interactions, Vocabulary
from recsys.retrieval.popularity import decayed_popularity

DAY = 86_400_000_000


def actions(*rows: tuple[int, int, float]) -> Interactions:
    """item, day, weight; all of one user."""
    item, day, weight = (np.array(column) for column in zip(*rows, strict=True))
    users, items = Vocabulary(("", "u")), Vocabulary(("", "a", "b", "c"))
    ones = np.ones(len(item), np.int64)
    return Interactions(users, items, ones, item, ones, weight.astype(np.float32), day * DAY)


def test_an_action_counts_half_after_each_half_life() -> None:
    log = actions((1, 0, 1.0), (1, 7, 1.0), (2, 14, 3.0))
    # At day 14, with a half-life of 7 days: 1/4 + 1/2, and 0 because day 14 is not before day 14.
    assert decayed_popularity(log, 14 * DAY, 7).tolist() == pytest.approx([0, 0.75, 0, 0])
    assert decayed_popularity(log, 21 * DAY, 7).tolist() == pytest.approx([0, 0.375, 1.5, 0])


def test_an_endless_half_life_sums_the_weights() -> None:
    log = actions((1, 0, 1.0), (1, 7, 1.0), (2, 14, 3.0))
    assert decayed_popularity(log, 99 * DAY, math.inf).tolist() == [0, 2, 3, 0]
