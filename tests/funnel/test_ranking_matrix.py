"""The ranker's matrix online holds what columns.RANKING_FEATURES names, in that order."""

from datetime import timedelta

import numpy as np

from recsys import columns
from recsys.funnel.online_features import Profile
from recsys.funnel.ranking import feature_matrix
from tests.fake_world import ITEMS, NOW, PRICES, regulars, shop_bundle


def column(matrix: np.ndarray, name: str) -> np.ndarray:
    return matrix[:, columns.RANKING_FEATURES.index(name)]


def test_each_feature_is_in_its_column() -> None:
    features = regulars()
    features.clicks = {"milk": 4}
    profile = Profile.of(features.read_user("ann"), shop_bundle().items.vocabulary, NOW)
    items = ["apple", "milk", "bread"]
    matrix = feature_matrix(profile, features.read_items(items), np.array([0.5, 0.25, 0.125], np.float32))
    assert matrix.shape == (3, len(columns.RANKING_FEATURES))
    assert matrix.dtype == np.float32
    assert column(matrix, "item_click_count_7d").tolist() == [0, 4, 0]
    prices = dict(zip(ITEMS, PRICES, strict=True))
    assert column(matrix, columns.PRICE_MICROS).tolist() == [prices[item] for item in items]
    assert column(matrix, columns.TIMES_IN_HISTORY).tolist() == [2, 1, 0]
    assert column(matrix, columns.SECONDS_SINCE_ITEM)[0] == timedelta(days=2).total_seconds()
    assert np.isnan(column(matrix, columns.SECONDS_SINCE_ITEM)[2])
    assert column(matrix, columns.RETRIEVAL_SCORE).tolist() == [0.5, 0.25, 0.125]
    assert not np.isnan(column(matrix, "view_count_7d")).any()


def test_what_is_missing_is_nan_and_a_visitor_is_like_an_unknown_user() -> None:
    features = regulars()
    features.without_row = {"milk"}
    vocabulary = shop_bundle().items.vocabulary
    rows, scores = features.read_items(["apple", "milk"]), np.zeros(2, np.float32)
    unknown = feature_matrix(Profile.of(features.read_user("nobody"), vocabulary, NOW), rows, scores)
    visitor = feature_matrix(Profile.of(None, vocabulary, NOW), rows, scores)
    np.testing.assert_array_equal(unknown, visitor)
    assert np.isnan(column(unknown, "view_count_7d")).all()
    assert np.isnan(column(unknown, columns.PRICE_MICROS)).tolist() == [False, True]
    assert column(unknown, columns.TIMES_IN_HISTORY).tolist() == [0, 0]
