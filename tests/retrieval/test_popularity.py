"""Popularity that fades."""

import math

import numpy as np
import pytest

from recsys.dataset.interactions import Interactions, Vocabulary
from recsys.instants import DAY
from recsys.retrieval.popularity import POPULARITY_ORIGIN, decayed_popularity, live_popularity


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


def test_live_scores_and_trained_ones_meet_at_one_instant() -> None:
    """An action counts the same whether training or the stream has seen it."""
    log = actions((1, 20_100, 1.0), (2, 20_100, 3.0), (1, 20_114, 2.0))
    trained = decayed_popularity(log.take(log.at < 20_110 * DAY), 20_110 * DAY, 14)
    now = 20_128 * DAY
    # Item 1 has an action that training did not see; item 2 has not, so that the feed lacks it.
    forward = 1.0 * 2 ** (100 / 14) + 2.0 * 2 ** (114 / 14)
    assert POPULARITY_ORIGIN == 20_000 * DAY
    live = live_popularity(trained, 20_110 * DAY, {1: forward}, now)
    assert live.tolist() == pytest.approx(decayed_popularity(log, now, 14).tolist())
    assert live.tolist() == pytest.approx([0, 1 / 4 + 2 / 2, 3 / 4, 0], rel=1e-6)


def test_the_order_of_what_was_trained_long_ago_survives() -> None:
    trained = np.array([0, 3, 2, 1], np.float32)
    live = live_popularity(trained, 18_800 * DAY, {3: 1e-9}, 20_700 * DAY)
    assert np.argsort(-live)[:3].tolist() == [3, 1, 2]
