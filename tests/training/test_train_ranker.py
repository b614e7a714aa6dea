import numpy as np
import pytest

from recsys.columns import PRICE_RATIO, RANKING_FEATURES, RETRIEVAL_SCORE, TIMES_IN_HISTORY
from recsys.config import RankerSettings
from recsys.errors import DataError
from recsys.training.ranker import ranker_obstacle, train_ranker
from recsys.training.requests import choose_held_out

REQUESTS, CANDIDATES = 600, 20
RETRIEVAL, TIMES, PRICE = (
    RANKING_FEATURES.index(name) for name in (RETRIEVAL_SCORE, TIMES_IN_HISTORY, PRICE_RATIO)
)
SETTINGS = RankerSettings(hidden=16, epochs=8, batch_size=32, learning_rate=1e-2)

World = tuple[np.ndarray, np.ndarray, np.ndarray]


def world(effect: float, seed: int = 0, requests: int = REQUESTS) -> World:
    """Choices by sigmoid(retrieval + effect * bought before - 2), a third of the prices missing."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((requests, CANDIDATES, len(RANKING_FEATURES))).astype(np.float32)
    features[..., TIMES] = rng.random((requests, CANDIDATES)) < 0.3
    features[..., PRICE][rng.random((requests, CANDIDATES)) < 0.33] = np.nan
    logits = features[..., RETRIEVAL] + effect * features[..., TIMES] - 2
    labels = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    return features, labels, rng.random(logits.shape) < 0.9


def first_is_positive(scores: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> float:
    best = np.where(mask, scores, -np.inf).argmax(1)
    return float((labels & mask)[np.arange(len(labels)), best].mean())


def test_it_learns_what_the_retriever_does_not_know():
    features, labels, mask = world(effect=3.0)
    ranker, curves = train_ranker(features, labels, mask, SETTINGS)
    fresh, chosen, real = world(effect=3.0, seed=9)
    learnt = first_is_positive(ranker.score(fresh), chosen, real)
    retrieved = first_is_positive(fresh[..., RETRIEVAL], chosen, real)
    assert learnt > retrieved + 0.1
    assert curves.best > curves.epochs[0].metrics["ndcg@10 of the first stage"]


def test_probabilities_match_frequencies_on_fresh_requests():
    ranker, _ = train_ranker(*world(effect=2.0, requests=1500), SETTINGS)
    fresh, chosen, real = world(effect=2.0, seed=9, requests=1500)
    probability, outcome = ranker.probability(fresh)[real], chosen[real]
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.0)):
        inside = (probability >= low) & (probability < high)
        assert inside.sum() > 100
        assert probability[inside].mean() == pytest.approx(outcome[inside].mean(), abs=0.05)


def test_an_order_that_cannot_be_beaten_is_left():
    features, labels, mask = world(effect=0.0)
    labels = np.zeros_like(labels)
    # Chosen is exactly what the retriever puts first: nothing can beat its order.
    labels[np.arange(REQUESTS), np.where(mask, features[..., RETRIEVAL], -np.inf).argmax(1)] = True
    ranker, curves = train_ranker(features, labels, mask, SETTINGS)
    assert curves.epochs[0].metrics["ndcg@10 of the first stage"] == 1.0
    assert not ranker.shape.orders
    np.testing.assert_array_equal(
        ranker.ordering(features[0, :, RETRIEVAL], ranker.score(features[0])), features[0, :, RETRIEVAL]
    )


def test_probabilities_tell_requests_apart_where_the_first_stages_scores_do_not():
    """Fused scores compare the candidates of one request; from request to request they mean nothing."""
    rng = np.random.default_rng(3)
    features, _, mask = world(effect=0.0, requests=600)
    buyers = rng.random(600) < 0.5
    features[..., TIMES] = buyers[:, None]
    labels = np.zeros_like(mask)
    best = np.where(mask, features[..., RETRIEVAL], -np.inf).argmax(1)
    labels[np.arange(600)[buyers], best[buyers]] = True
    features[buyers, :, RETRIEVAL] -= 4  # the less promising request has the higher scores
    ranker, _ = train_ranker(features, labels, mask, SETTINGS)
    assert not ranker.shape.orders, "the first stage's order is perfect"
    chances = ranker.probability(features)
    chosen, others = chances[np.arange(600)[buyers], best[buyers]], chances[~buyers][mask[~buyers]]
    assert chosen.mean() > 3 * others.mean()


def test_no_user_is_both_held_out_and_learned_from():
    users = np.repeat(np.arange(100), 3)
    useful = np.flatnonzero(np.arange(300) % 7 > 0)
    held = choose_held_out(users, useful, 0.15, np.random.default_rng(0))
    assert len(np.unique(users[held])) == 15
    assert not np.isin(users[np.setdiff1d(useful, held)], users[held]).any()


def test_two_requests_of_one_user_in_one_window_are_not_independent():
    """Labels that are a whim of each user, the same in all their requests and unknown from others'."""
    rng = np.random.default_rng(5)
    features, _, mask = world(effect=0.0, requests=400)
    features, mask = features[np.repeat(np.arange(80), 5)], mask[np.repeat(np.arange(80), 5)]
    labels = np.repeat(rng.random((80, CANDIDATES)) < 0.1, 5, axis=0)
    settings = SETTINGS.model_copy(update={"epochs": 20})

    def gain(users: np.ndarray | None) -> float:
        _, curves = train_ranker(features, labels, mask, settings, users)
        return curves.epochs[-1].metrics["ndcg@10"] - curves.epochs[-1].metrics["ndcg@10 of the first stage"]

    assert gain(None) > 0.2, "by requests, what was learned by heart looks like a gain"
    assert gain(np.repeat(np.arange(80), 5)) < 0.1


def test_the_same_seed_gives_the_same_ranker():
    scores = [
        train_ranker(*world(effect=1.0, requests=100), SETTINGS)[0].score(world(1.0, 9)[0][0])
        for _ in range(2)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])


def test_too_few_choices_are_rejected_with_the_remedy():
    features, labels, mask = world(effect=1.0, requests=30)
    with pytest.raises(DataError, match=r"only 0 requests .* raise ranker.requests"):
        train_ranker(features, np.zeros_like(labels), mask, SETTINGS)


def test_a_ranker_needs_requests_with_an_order_of_several_users():
    labels, mask = np.zeros((40, 3), bool), np.ones((40, 3), bool)
    labels[:25, 0] = True  # 25 requests with a chosen and an unchosen candidate
    users = np.arange(40)
    assert ranker_obstacle(labels, mask, users) is None
    assert ranker_obstacle(labels, mask, users % 14) is None
    few = ranker_obstacle(labels, mask, users % 13)
    assert few is not None
    assert "25 requests" in few
    assert "users: 13" in few
    labels[19:] = False
    assert "19 requests" in (ranker_obstacle(labels, mask, users) or "")
    assert "0 requests" in (ranker_obstacle(mask, mask, users) or ""), "all chosen: no order"
