"""The ranker learns what the first stage does not know and how probable items are; not of held-out users."""

from typing import Any

import numpy as np
import pytest

from recsys.columns import PRICE_RATIO, RANKING_FEATURES, RETRIEVAL_SCORE, TIMES_IN_HISTORY
from recsys.config import RankerSettings
from recsys.errors import DataError
from recsys.models.calibration import fit_platt
from recsys.models.orders import NO_HISTORY, REPEATS_KEPT, REPEATS_REMOVED, REQUEST_KINDS
from recsys.models.ranker import CALIBRATED_KINDS
from recsys.training.ranker import ranker_obstacle, train_ranker
from recsys.training.requests import RankingData

REQUESTS, CANDIDATES = 600, 20
RETRIEVAL, TIMES, PRICE = (
    RANKING_FEATURES.index(name) for name in (RETRIEVAL_SCORE, TIMES_IN_HISTORY, PRICE_RATIO)
)
SETTINGS = RankerSettings(hidden=16, epochs=8, batch_size=32, learning_rate=1e-2)

World = tuple[np.ndarray, np.ndarray, np.ndarray]


def world(effect: float, seed: int = 0, requests: int = REQUESTS, level: float = -2) -> World:
    """Choices by sigmoid(retrieval + effect * bought before + level), a third of the prices missing."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((requests, CANDIDATES, len(RANKING_FEATURES))).astype(np.float32)
    features[..., TIMES] = rng.random((requests, CANDIDATES)) < 0.3
    features[..., PRICE][rng.random((requests, CANDIDATES)) < 0.33] = np.nan
    logits = features[..., RETRIEVAL] + effect * features[..., TIMES] + level
    labels = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    return features, labels, rng.random(logits.shape) < 0.9


def data_of(world: World, **changes: Any) -> RankingData:
    """Requests of as many users, every fourth of whom is held out to judge and to calibrate, of one kind."""
    count = len(world[1])
    held = changes.pop("held", np.arange(count) % 4 == 0)
    parts: dict[str, Any] = {
        "judges": held,
        "calibrates": held,
        "kinds": np.zeros(count, np.int64),
        "users": np.arange(count),
    }
    return RankingData(*world, **(parts | changes))


def first_is_positive(scores: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> float:
    best = np.where(mask, scores, -np.inf).argmax(1)
    return float((labels & mask)[np.arange(len(labels)), best].mean())


def best_by_retrieval(world: World) -> World:
    """The same requests, in which chosen is exactly what the first stage puts first."""
    features, labels, mask = world
    labels = np.zeros_like(labels)
    labels[np.arange(len(labels)), np.where(mask, features[..., RETRIEVAL], -np.inf).argmax(1)] = True
    return features, labels, mask


def test_it_learns_what_the_retriever_does_not_know() -> None:
    trained = train_ranker(data_of(world(effect=3.0)), SETTINGS)
    fresh, chosen, real = world(effect=3.0, seed=9)
    learnt = first_is_positive(trained.ranker.score(fresh), chosen, real)
    retrieved = first_is_positive(fresh[..., RETRIEVAL], chosen, real)
    assert learnt > retrieved + 0.1
    assert trained.curves.best > trained.curves.epochs[0].metrics["ndcg@10 of the first stage"]
    assert trained.better == {REPEATS_KEPT}
    assert trained.ranker.shape.orders


def test_probabilities_match_frequencies_on_fresh_requests() -> None:
    ranker = train_ranker(data_of(world(effect=2.0, requests=1500)), SETTINGS).ranker
    fresh, chosen, real = world(effect=2.0, seed=9, requests=1500)
    probability, outcome = ranker.probability(fresh)[real], chosen[real]
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.0)):
        inside = (probability >= low) & (probability < high)
        assert inside.sum() > 100
        assert probability[inside].mean() == pytest.approx(outcome[inside].mean(), abs=0.05)


def test_an_order_that_cannot_be_beaten_is_left() -> None:
    trained = train_ranker(data_of(best_by_retrieval(world(effect=0.0))), SETTINGS)
    assert trained.curves.epochs[0].metrics["ndcg@10 of the first stage"] == 1.0
    assert trained.better == frozenset()
    assert not trained.ranker.shape.orders


def test_a_kind_is_ordered_by_the_ranker_only_where_that_is_better() -> None:
    """In every second request, which asks for new items, the first stage's order is perfect."""
    learned, perfect = world(effect=3.0), best_by_retrieval(world(effect=0.0, seed=1))
    kinds = np.arange(2 * REQUESTS) // REQUESTS
    both = tuple(np.concatenate(parts) for parts in zip(learned, perfect, strict=True))
    trained = train_ranker(data_of(both, kinds=kinds), SETTINGS)
    assert trained.better == {REPEATS_KEPT}


def test_probabilities_tell_requests_apart_where_the_first_stages_scores_do_not() -> None:
    """Fused scores compare the candidates of one request; from request to request they mean nothing."""
    rng = np.random.default_rng(3)
    features, _, mask = world(effect=0.0, requests=600)
    buyers = rng.random(600) < 0.5
    features[..., TIMES] = buyers[:, None]
    labels = np.zeros_like(mask)
    best = np.where(mask, features[..., RETRIEVAL], -np.inf).argmax(1)
    labels[np.arange(600)[buyers], best[buyers]] = True
    features[buyers, :, RETRIEVAL] -= 4  # the less promising request has the higher scores
    ranker = train_ranker(data_of((features, labels, mask)), SETTINGS).ranker
    assert not ranker.shape.orders, "the first stage's order is perfect"
    chances = ranker.probability(features)
    chosen, others = chances[np.arange(600)[buyers], best[buyers]], chances[~buyers][mask[~buyers]]
    assert chosen.mean() > 3 * others.mean()


def test_from_held_out_requests_nothing_is_learned() -> None:
    first, other = world(effect=3.0), world(effect=-3.0, seed=5, level=1)
    held = np.arange(REQUESTS) % 4 == 0
    mixed = [part.copy() for part in first]
    for part, foreign in zip(mixed, other, strict=True):
        part[held] = foreign[held]
    settings = SETTINGS.model_copy(update={"epochs": 3})
    losses = [
        [epoch.loss for epoch in train_ranker(data_of(data), settings).curves.epochs]
        for data in (first, (mixed[0], mixed[1], mixed[2]))
    ]
    assert losses[0] == losses[1]


def test_two_requests_of_one_user_in_one_window_are_not_independent() -> None:
    """Labels that are a whim of each user, the same in all their requests and unknown from others'."""
    rng = np.random.default_rng(5)
    features, _, mask = world(effect=0.0, requests=400)
    features, mask = features[np.repeat(np.arange(80), 5)], mask[np.repeat(np.arange(80), 5)]
    labels = np.repeat(rng.random((80, CANDIDATES)) < 0.1, 5, axis=0)
    settings, users = SETTINGS.model_copy(update={"epochs": 20}), np.repeat(np.arange(80), 5)

    def gain(held: np.ndarray) -> float:
        data = data_of((features, labels, mask), users=users, held=held)
        metrics = train_ranker(data, settings).curves.epochs[-1].metrics
        return metrics["ndcg@10"] - metrics["ndcg@10 of the first stage"]

    assert gain(np.arange(400) % 5 == 0) > 0.2, "by requests, what was learned by heart looks like a gain"
    assert gain(users % 4 == 0) < 0.1


def test_the_calibration_of_each_kind_is_that_of_its_held_out_requests() -> None:
    """The second kind's answers are rarer for the same features: one calibration would be wrong for both."""
    often, rarely = world(effect=2.0, requests=1200), world(effect=2.0, seed=1, requests=1200, level=-4)
    kinds = np.arange(2400) // 1200
    features, labels, mask = (np.concatenate(parts) for parts in zip(often, rarely, strict=True))
    data = data_of((features, labels, mask), kinds=kinds)
    ranker = train_ranker(data, SETTINGS).ranker
    for kind in range(CALIBRATED_KINDS):  # of the third there is no request: all of them stand for it
        rows = data.held & ((kinds == kind) | (kind == 2))
        expected = fit_platt(ranker.score(features[rows])[mask[rows]], labels[rows][mask[rows]])
        np.testing.assert_allclose(ranker.calibration[kind].numpy(), expected, rtol=1e-4)
    for kind, level in ((0, -2), (1, -4)):
        fresh, chosen, real = world(effect=2.0, seed=9 + kind, requests=1000, level=level)
        own, others = (ranker.probability(fresh, each)[real].mean() for each in (kind, 1 - kind))
        assert own == pytest.approx(chosen[real].mean(), rel=0.2)
        assert others != pytest.approx(chosen[real].mean(), rel=0.5)
    assert REQUEST_KINDS[:CALIBRATED_KINDS] == (REPEATS_KEPT, REPEATS_REMOVED, NO_HISTORY)


def test_a_kind_without_requests_takes_the_calibration_of_all() -> None:
    ranker = train_ranker(data_of(world(effect=2.0), kinds=np.ones(REQUESTS, np.int64)), SETTINGS).ranker
    assert ranker.calibration[0].tolist() == ranker.calibration[1].tolist()


def test_a_window_that_is_cut_short_says_nothing_of_how_probable_an_item_is() -> None:
    """In half of the requests nearly nothing came true yet; the probability is that of the other half."""
    features, labels, mask = world(effect=2.0, requests=1200)
    whole = np.arange(1200) // 4 % 2 == 0
    labels[~whole] &= np.random.default_rng(1).random(labels[~whole].shape) < 0.1
    data = data_of((features, labels, mask), calibrates=(np.arange(1200) % 4 == 0) & whole)
    ranker = train_ranker(data, SETTINGS).ranker
    rows = data.held & whole
    expected = fit_platt(ranker.score(features[rows])[mask[rows]], labels[rows][mask[rows]])
    np.testing.assert_allclose(ranker.calibration[0].numpy(), expected, rtol=1e-4)


def test_the_same_seed_gives_the_same_ranker() -> None:
    scores = [
        train_ranker(data_of(world(effect=1.0, requests=100)), SETTINGS).ranker.score(world(1.0, 9)[0][0])
        for _ in range(2)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])


def test_too_few_choices_are_rejected_with_the_remedy() -> None:
    features, labels, mask = world(effect=1.0, requests=30)
    with pytest.raises(DataError, match=r"only 0 requests .* raise ranker.requests"):
        train_ranker(data_of((features, np.zeros_like(labels), mask)), SETTINGS)


def test_a_ranker_needs_requests_with_an_order_of_several_users() -> None:
    labels, mask = np.zeros((40, 3), bool), np.ones((40, 3), bool)
    labels[:25, 0] = True  # 25 requests with a chosen and an unchosen candidate
    features, users = np.zeros((40, 3, len(RANKING_FEATURES)), np.float32), np.arange(40)

    def obstacle(labels: np.ndarray, **changes: Any) -> str | None:
        return ranker_obstacle(data_of((features, labels, mask), **changes))

    assert obstacle(labels) is None
    assert obstacle(labels, users=users % 10) is None
    few = obstacle(labels, users=users % 9)
    assert few is not None
    assert "25 requests" in few
    assert "users: 9" in few
    for nobody_learned_from_or_held in (np.ones(40, bool), np.zeros(40, bool)):
        assert "25 requests" in (obstacle(labels, held=nobody_learned_from_or_held) or "")
    labels[19:] = False
    assert "19 requests" in (obstacle(labels) or "")
    assert "0 requests" in (obstacle(mask) or ""), "all chosen: no order"
