"""Serving scores as evaluation does: the real networks, with the bundle's ready item vectors and without."""

import numpy as np

from recsys import columns
from recsys.catalog import stable_key
from recsys.config import ServingSettings
from recsys.dataset.histories import histories_from_features
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from tests.fake_world import NOW, ShopFeatures, days_ago
from tests.tiny_bundle import tiny_bundle


def test_the_served_score_is_the_retrievers_own() -> None:
    bundle = tiny_bundle(ranker=None)
    features = ShopFeatures(
        {"ann": [("bread", columns.VIEW, days_ago(3)), ("wine", columns.PURCHASE, days_ago(1))]}
    )
    settings = ServingSettings(diversity=0.0)
    slate = Recommender(bundle, features, settings).recommend(RecommendRequest("r", "ann", k=3), NOW)

    histories = histories_from_features(
        [np.array([stable_key("bread"), stable_key("wine")])],
        [np.array([columns.KIND_CODES[columns.VIEW], columns.KIND_CODES[columns.PURCHASE]])],
        [np.array([int(days_ago(3).timestamp()), int(days_ago(1).timestamp())])],
        np.array([int(NOW.timestamp())]),
        bundle.items.vocabulary,
        columns.HISTORY_LENGTH,
    )
    scores = bundle.retriever.item_vectors() @ bundle.retriever.user_vectors(histories)[0]
    assert len(slate.items) >= 2
    for item in slate.items:
        expected = scores[bundle.items.vocabulary.index(item.item_id)]
        np.testing.assert_allclose(item.score, expected, atol=1e-6)
