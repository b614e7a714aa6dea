"""Fusion learns the weights of the signals, and keeps its prior where nothing can be learnt."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys.config import FusionSettings
from recsys.models.fusion import Fusion, initial_fusion
from recsys.models.signals import ITEM_EVENTS, SIGNALS
from recsys.training.fusion import train_fusion
from recsys.training.prior_weights import fit_prior_by_coordinate_ascent, is_significantly_better, ndcg_values

REQUESTS, CANDIDATES = 800, 20
SETTINGS = FusionSettings(hidden=8, epochs=4, batch_size=32)

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


def quality(fusion: Fusion, world: World) -> float:
    signals, *rest = (torch.from_numpy(part) for part in world)
    with torch.inference_mode():
        return float(ndcg_values(fusion(signals), *rest).mean())


def test_the_expert_that_is_right_is_found() -> None:
    for right in ("text", "network"):
        fusion = initial_fusion(8)
        before = quality(fusion, world(right, seed=9))
        train_fusion(fusion, *world(right), SETTINGS)
        after = quality(fusion, world(right, seed=9))
        assert after > before + 0.1, right


def test_from_what_never_comes_true_nothing_is_learned() -> None:
    signals, labels, mask, targets = world("together")
    fusion = initial_fusion(8)
    curves = train_fusion(fusion, signals, np.zeros_like(labels), mask, targets, SETTINGS)
    assert not curves.epochs
    rows = signals.reshape(-1, len(SIGNALS))
    np.testing.assert_array_equal(fusion.score(rows), initial_fusion(8).score_by_prior(rows))


def test_targets_by_chance_leave_the_prior() -> None:
    signals, labels, mask, targets = world("together")
    labels = np.roll(labels, 1, axis=0)  # another request's targets
    fusion = initial_fusion(8)
    train_fusion(fusion, signals, labels, mask, targets, SETTINGS)
    fresh = world("together", seed=9)
    assert abs(quality(fusion, fresh) - quality(initial_fusion(8), fresh)) < 0.15


def test_equal_seeds_give_equal_fusions() -> None:
    first, second = initial_fusion(8), initial_fusion(8)
    for fusion in (first, second):
        train_fusion(fusion, *world("text"), SETTINGS)
    rows = world("text")[0].reshape(-1, len(SIGNALS))
    np.testing.assert_array_equal(first.score(rows), second.score(rows))


def test_an_expert_that_is_left_out_is_not_heard() -> None:
    fusion = initial_fusion(8, without=("text",))
    train_fusion(fusion, *world("text"), SETTINGS)
    signals = world("text", seed=9)[0].reshape(-1, len(SIGNALS))
    other = signals.copy()
    other[:, [SIGNALS.index("text"), SIGNALS.index("text_now")]] += 3
    np.testing.assert_array_equal(fusion.score(signals), fusion.score(other))


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
