from dataclasses import replace

import numpy as np
import pytest

from recsys import metrics
from recsys.evaluation.ctr.simulated import SimulatedClicks, simulate_clicks
from recsys.models.ctr.impressions import Impressions
from recsys.training.ctr.baselines import BoostedTrees, ItemRate, LogisticRegression


@pytest.fixture(scope="module")
def world() -> SimulatedClicks:
    return simulate_clicks(requests=2500, users=60, items=40)


@pytest.fixture(scope="module")
def parts(world) -> list[Impressions]:
    days = (world.day < 6, world.day == 6, world.day == 7)
    return [world.impressions.take(np.flatnonzero(rows)) for rows in days]


def test_an_items_rate_is_drawn_to_that_of_all(parts):
    train = parts[0]
    one = train.item == 3
    expected = (train.clicked[one].sum() + 20 * train.clicked.mean()) / (one.sum() + 20)
    asked = train.take(np.flatnonzero(one)[:1])
    assert ItemRate(train).predict(asked) == pytest.approx(expected)


def test_logistic_regression_learns_slots_and_vectors(world, parts):
    train, held, test = parts
    p = LogisticRegression(train, held, world.shape).predict(test)
    assert metrics.auc(test.clicked, p) > metrics.auc(test.clicked, ItemRate(train).predict(test)) + 0.05
    assert p.sum() / test.clicked.sum() == pytest.approx(1, abs=0.15)


def test_trees_learn_and_undo_the_down_sampling(world, parts):
    pytest.importorskip("lightgbm")
    train, held, test = parts
    keep = train.clicked | (np.random.default_rng(0).random(len(train)) < 0.25)
    sampled = train.take(np.flatnonzero(keep))
    trees = BoostedTrees(sampled, held, world.shape, kept=0.25, most_trees=100)
    p = trees.predict(test)
    assert metrics.auc(test.clicked, p) > 0.7
    assert p.sum() / test.clicked.sum() == pytest.approx(1, abs=0.15)


def test_missing_numbers_are_no_obstacle(world, parts):
    train, held, test = parts
    numbers = train.numbers.copy()
    numbers[::3] = np.nan
    p = LogisticRegression(replace(train, numbers=numbers), held, world.shape, (5.0,)).predict(test)
    assert np.isfinite(p).all()
