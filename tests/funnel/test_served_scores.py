"""Serving scores as evaluation does: the same first stage for one user online and for many at once."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.catalog import stable_key
from recsys.dataset.interactions import Histories, histories_from_features
from recsys.funnel.candidates import CandidateSources
from recsys.funnel.catalog import Catalog
from recsys.funnel.offline import candidate_lists, candidate_signals, fused_scores
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from recsys.models.bundle import Bundle
from recsys.models.signals import SIGNALS
from recsys.retrieval.dense_index import DenseIndex
from recsys.service_settings import ServingSettings
from tests.fake_world import NOW, ShopFeatures, days_ago
from tests.tiny_bundle import tiny_bundle

PAST = [
    ("bread", columns.VIEW, days_ago(9)),
    ("wine", columns.PURCHASE, days_ago(3)),
    ("bread", columns.PURCHASE, days_ago(1)),
]


def histories(bundle: Bundle, past: Sequence[tuple[str, str, object]] = PAST) -> Histories:
    return histories_from_features(
        [np.array([stable_key(item) for item, _, _ in past])],
        [np.array([columns.KIND_CODES[kind] for _, kind, _ in past])],
        [np.array([int(at.timestamp()) for _, _, at in past])],  # type: ignore[attr-defined]
        np.array([int(NOW.timestamp())]),
        bundle.items.vocabulary,
        columns.HISTORY_LENGTH,
    )


def trained_bundle() -> Bundle:
    """A bundle whose fusion says something of its own, as after training."""
    bundle = tiny_bundle(ranker=None)
    rng = np.random.default_rng(3)
    signals = rng.random((50, len(SIGNALS))).astype(np.float32)
    bundle.fusion.fit_statistics(torch.from_numpy(signals))
    with torch.no_grad():
        torch.manual_seed(0)
        bundle.fusion.layers[-1].weight.normal_()
    return bundle


@pytest.mark.parametrize("repeats", [True, False])
def test_every_served_score_is_the_evaluated_one(repeats: bool) -> None:
    bundle = trained_bundle()
    features = ShopFeatures({"ann": PAST})
    request = RecommendRequest("r", "ann", k=4, allow_repeats=repeats)
    slate = Recommender(bundle, features, ServingSettings(diversity=0.0)).recommend(request, NOW)

    own = bundle.items.vocabulary.indexes(["bread", "wine"])
    found, scores = candidate_lists(bundle, histories(bundle), None if repeats else [own], 4)
    evaluated = dict(zip(found[0].tolist(), scores[0].tolist(), strict=True))
    assert len(slate.items) == (4 if repeats else 2)
    for item in slate.items:
        expected = evaluated[bundle.items.vocabulary.index(item.item_id)]
        np.testing.assert_allclose(item.score, expected, atol=1e-5)


def test_the_order_served_is_the_order_evaluated() -> None:
    bundle = trained_bundle()
    shop = Recommender(bundle, ShopFeatures({"ann": PAST}), ServingSettings(diversity=0.0))
    slate = shop.recommend(RecommendRequest("r", "ann", k=4), NOW)
    found, scores = candidate_lists(bundle, histories(bundle), None, 4)
    evaluated = [bundle.items.vocabulary.ids[i] for i in found[0][np.argsort(-scores[0])] if i]
    assert [item.item_id for item in slate.items] == evaluated


def test_an_unknown_user_has_no_fused_score() -> None:
    bundle = tiny_bundle()
    found, scores = candidate_lists(bundle, histories(bundle, []), None, 3)
    assert found[0].tolist() == [1, 2, 3]  # by popularity
    assert np.isnan(scores).all()


ORDERS = st.lists(st.sampled_from(["bread", "butter", "cheese", "wine"]), max_size=6)


@settings(deadline=None)
@given(st.lists(ORDERS, min_size=1, max_size=5), st.booleans(), st.integers(1, 4))
def test_many_requests_at_once_are_each_answered_as_if_alone(
    orders: list[list[str]], repeats: bool, count: int
) -> None:
    bundle = trained_bundle()
    asked = [
        histories(bundle, [(item, columns.PURCHASE, days_ago(20 - day)) for day, item in enumerate(order)])
        for order in orders
    ]
    together = Histories(
        *(np.concatenate([getattr(one, field.name) for one in asked]) for field in fields(Histories))
    )
    had = None if repeats else [bundle.items.vocabulary.indexes(order) for order in orders]
    found, scores = candidate_lists(bundle, together, had, count)
    (again, signals), (other, _) = candidate_signals(bundle, together, (had, None), count)
    given_scores = fused_scores(bundle, together, found)
    for row, one in enumerate(asked):
        alone, alone_scores = candidate_lists(bundle, one, had and [had[row]], count)
        assert found[row].tolist() == alone[0].tolist()
        np.testing.assert_allclose(scores[row], alone_scores[0], atol=1e-5)
        np.testing.assert_allclose(given_scores[row], alone_scores[0], atol=1e-5)
        assert again[row].tolist() == (alone[0].tolist() if orders[row] else [0] * count)
        assert signals[row].any(axis=1).tolist() == (again[row] > 0).tolist()
    if repeats:
        assert other.tolist() == again.tolist()


def test_a_catalog_too_large_to_multiply_gives_the_same_candidates() -> None:
    bundle = trained_bundle()
    asked, catalog = histories(bundle), Catalog(bundle)
    vectors = bundle.retriever.user_vectors(asked)
    allowed = np.array([[False, True, True, False, True]])
    chosen = []
    for index in (
        DenseIndex(bundle.item_vectors),
        DenseIndex(bundle.item_vectors, exact_up_to=0),
    ):
        sources = CandidateSources(bundle, catalog, index)
        chosen.append(sources.fused(sources.user_signals(asked, vectors), allowed, 2, repeats=True))
    assert chosen[0].flat.tolist() == chosen[1].flat.tolist()
    assert chosen[0].source.tolist() == chosen[1].source.tolist()
    np.testing.assert_allclose(chosen[0].signals, chosen[1].signals, atol=1e-6)
