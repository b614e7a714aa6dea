"""Fusion learns the weights of the signals, and keeps its prior where nothing can be learnt."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys.config import FusionSettings
from recsys.models.fusion import Fusion, initial_fusion
from recsys.models.signals import ITEM_EVENTS, POPULARITY, SIGNALS
from recsys.training.curves import Curves
from recsys.training.fusion import train_fusion
from recsys.training.prior_weights import fit_prior_by_coordinate_ascent, is_significantly_better, ndcg_values

REQUESTS, CANDIDATES = 800, 20
SETTINGS = FusionSettings(hidden=8, epochs=4, batch_size=32, cold_weight=1.0)

World = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def world(right: str, seed: int = 0, requests: int = REQUESTS) -> World:
    """What comes true is the candidate with most of the signal `right`; the other signals are noise."""
    rng = np.random.default_rng(seed)
    signals = np.zeros((requests, CANDIDATES, len(SIGNALS)), np.float32)
    for name in ("together", "text", "words"):
        signals[..., SIGNALS.index(name)] = rng.random((requests, CANDIDATES))
    signals[..., SIGNALS.index("network")] = rng.uniform(-0.2, 0.2, (requests, CANDIDATES))
    signals[..., SIGNALS.index(ITEM_EVENTS)] = rng.integers(0, 50, (requests, CANDIDATES))
    labels = np.zeros((requests, CANDIDATES), bool)
    labels[np.arange(requests), signals[..., SIGNALS.index(right)].argmax(1)] = True
    return signals, labels, np.ones_like(labels), np.ones(requests, np.int64)


def trained(fusion: Fusion, world: World, settings: FusionSettings = SETTINGS) -> Curves:
    """Trains `fusion` on three quarters of the world; every fourth request is held out."""
    return train_fusion(fusion, *world, settings, np.arange(len(world[1])) % 4 == 0)


def quality(fusion: Fusion, world: World) -> float:
    signals, *rest = (torch.from_numpy(part) for part in world)
    with torch.inference_mode():
        return float(ndcg_values(fusion(signals), *rest).mean())


def test_the_expert_that_is_right_is_found() -> None:
    for right in ("text", "network"):
        fusion = initial_fusion(8)
        before = quality(fusion, world(right, seed=9))
        trained(fusion, world(right))
        after = quality(fusion, world(right, seed=9))
        assert after > before + 0.1, right


def test_from_what_never_comes_true_nothing_is_learned() -> None:
    signals, labels, mask, targets = world("together")
    fusion = initial_fusion(8)
    curves = trained(fusion, (signals, np.zeros_like(labels), mask, targets))
    assert not curves.epochs
    rows = signals.reshape(-1, len(SIGNALS))
    np.testing.assert_array_equal(fusion.score(rows), initial_fusion(8).score_by_prior(rows))


def test_targets_by_chance_leave_the_prior() -> None:
    signals, labels, mask, targets = world("together")
    labels = np.roll(labels, 1, axis=0)  # another request's targets
    fusion = initial_fusion(8)
    trained(fusion, (signals, labels, mask, targets))
    fresh = world("together", seed=9)
    assert abs(quality(fusion, fresh) - quality(initial_fusion(8), fresh)) < 0.15


def test_equal_seeds_give_equal_fusions() -> None:
    first, second = initial_fusion(8), initial_fusion(8)
    for fusion in (first, second):
        trained(fusion, world("text"))
    rows = world("text")[0].reshape(-1, len(SIGNALS))
    np.testing.assert_array_equal(first.score(rows), second.score(rows))


def test_an_expert_that_is_left_out_is_not_heard() -> None:
    fusion = initial_fusion(8, without=("text",))
    trained(fusion, world("text"))
    signals = world("text", seed=9)[0].reshape(-1, len(SIGNALS))
    other = signals.copy()
    other[:, [SIGNALS.index("text"), SIGNALS.index("text_now")]] += 3
    np.testing.assert_array_equal(fusion.score(signals), fusion.score(other))


def test_from_held_out_requests_nothing_is_learned() -> None:
    first, other = world("text"), world("network", seed=5)
    held = np.arange(REQUESTS) % 4 == 0
    mixed = [part.copy() for part in first]
    for part, foreign in zip(mixed, other, strict=True):
        part[held] = foreign[held]
    fusions, losses = [initial_fusion(8), initial_fusion(8)], []
    for fusion, data in zip(fusions, (first, tuple(mixed)), strict=True):
        curves = train_fusion(fusion, *data, SETTINGS, held)
        losses.append([epoch.loss for epoch in curves.epochs])
    assert losses[0] == losses[1]
    assert fusions[0].shape == fusions[1].shape  # the prior's weights
    assert torch.equal(fusions[0].mean, fusions[1].mean)


def test_where_nobody_is_held_out_the_prior_stays() -> None:
    fusion = initial_fusion(8)
    curves = train_fusion(fusion, *world("text"), SETTINGS, np.zeros(REQUESTS, bool))
    assert not curves.epochs
    assert fusion.shape == initial_fusion(8).shape


def cold_or_warm(
    cold_in_training: float, cold_held_out: float, popularity: float
) -> tuple[World, np.ndarray]:
    """Of two candidates, one without events and one with 100, the cold one comes true in such shares.

    Every fourth request is held out. Nothing else tells the two apart than the warm one's popularity lately.
    """
    rng = np.random.default_rng(0)
    held = np.arange(REQUESTS) % 4 == 0
    signals = np.zeros((REQUESTS, 2, len(SIGNALS)), np.float32)
    signals[:, 1, SIGNALS.index(ITEM_EVENTS)] = 100
    signals[:, 1, SIGNALS.index(POPULARITY)] = popularity
    cold = rng.random(REQUESTS) < np.where(held, cold_held_out, cold_in_training)
    labels = np.stack([cold, ~cold], axis=1)
    return (signals, labels, np.ones_like(labels), np.ones(REQUESTS, np.int64)), held


@pytest.mark.parametrize(
    ("cold_held_out", "popularity", "weights", "first"),
    [
        # The prior puts the cold item first, which is right in 4 of 10 cases. With weight 0 a cold answer
        # counts .4 and a warm one .6: warm first. With weight 1 it is .8 to .6: cold first.
        (0.4, 0.0, {0.0}, "warm"),
        # The prior puts the popular one first; of those held out the cold one is right in 6 of 10 cases.
        (0.6, 1000.0, {1.0, 3.0}, "cold"),
    ],
)
def test_the_cold_weight_with_the_better_plain_ndcg_of_held_out_users_wins(
    cold_held_out: float, popularity: float, weights: set[float], first: str
) -> None:
    data, held = cold_or_warm(0.4, cold_held_out, popularity)
    settings = SETTINGS.model_copy(update={"epochs": 8, "cold_weight": FusionSettings().cold_weight})
    fusion = initial_fusion(8)
    curves = train_fusion(fusion, *data, settings, held)
    assert [epoch.metrics["cold weight"] for epoch in curves.epochs] == [0.0] * 8 + [1.0] * 8 + [3.0] * 8
    best = next(epoch for epoch in curves.epochs if epoch.number == curves.best_epoch)
    assert best.metrics["cold weight"] in weights
    cold, warm = fusion.score(data[0][0])
    assert ("cold" if cold > warm else "warm") == first
    # 1 where it is first, 1 / log2(3) = .63 where it is second
    hits = data[1][held][:, 0 if first == "cold" else 1].mean()
    assert best.metrics["ndcg@10"] == pytest.approx(hits + (1 - hits) / np.log2(3))


def test_a_cold_weight_that_the_settings_name_is_the_only_one_tried() -> None:
    curves = trained(initial_fusion(8), world("text"), SETTINGS.model_copy(update={"cold_weight": 2.0}))
    assert {epoch.metrics["cold weight"] for epoch in curves.epochs} == {2.0}
    assert len(curves.epochs) == SETTINGS.epochs


def test_an_epoch_is_judged_by_users_not_by_requests() -> None:
    """A user with many requests that learning spoils counts once beside many users that it helps."""
    right, wrong = world("text", requests=600), world("text", seed=1, requests=400)
    spoiled = (wrong[0], np.roll(wrong[1], 1, axis=0), *wrong[2:])
    data = tuple(np.concatenate(parts) for parts in zip(right, spoiled, strict=True))
    held = np.append(np.arange(600) % 4 == 0, np.ones(400, bool))
    one = np.append(np.arange(600), np.full(400, 600))
    metrics = []
    for users in (one, None):
        curves = train_fusion(initial_fusion(8), *data, SETTINGS, held, users)
        metrics.append(curves.best)
    assert metrics[0] > metrics[1] + 0.2


def test_small_steps_find_a_weight_that_is_wrong() -> None:
    signals, labels, mask, targets = (torch.from_numpy(part) for part in world("words"))
    fusion = initial_fusion(8)
    shape = fit_prior_by_coordinate_ascent(fusion, signals, labels, mask, targets)
    assert shape.words > fusion.shape.words or shape.network < fusion.shape.network
    with torch.inference_mode():
        before = ndcg_values(fusion.prior_score(signals), labels, mask, targets)
        after = ndcg_values(Fusion(shape).prior_score(signals), labels, mask, targets)
    assert is_significantly_better(after, before)


@given(st.integers(1, 12), st.integers(0, 5))
def test_a_perfect_order_has_ndcg_one_and_a_miss_lowers_it(places: int, missed: int) -> None:
    scores = -torch.arange(12, dtype=torch.float32)[None]
    labels = torch.arange(12)[None] < places
    mask = torch.ones(1, 12, dtype=torch.bool)
    value = ndcg_values(scores, labels, mask, torch.tensor([places + missed]))[0]
    if missed == 0 or places >= 10:
        assert abs(value - 1) < 1e-9
    else:
        assert value < 1
