import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import metrics
from recsys.evaluation.ctr.click_metrics import auc_by_user, grouped_auc, pcoc

sklearn_metrics = pytest.importorskip("sklearn.metrics")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(1, 6), st.integers(0, 1000))
def test_each_users_auc_is_scikit_learns(n, users, seed):
    rng = np.random.default_rng(seed)
    user, clicked = rng.integers(0, users, n), rng.random(n) < 0.4
    p = rng.integers(0, 5, n) / 5  # with ties
    auc, weight = auc_by_user(clicked, p, user)
    for each in range(int(user.max()) + 1):
        own = user == each
        if 0 < clicked[own].sum() < own.sum():
            assert weight[each] == own.sum()
            assert auc[each] == pytest.approx(sklearn_metrics.roc_auc_score(clicked[own], p[own]))
        else:
            assert weight[each] == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_auc_and_log_loss_are_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    clicked, p = rng.random(200) < 0.3, rng.integers(1, 20, 200) / 20
    clicked[:2] = [True, False]
    assert metrics.auc(clicked, p) == pytest.approx(sklearn_metrics.roc_auc_score(clicked, p))
    assert metrics.log_loss(clicked, p) == pytest.approx(sklearn_metrics.log_loss(clicked, p, labels=[0, 1]))


def test_users_count_by_their_impressions():
    clicked = np.array([True, False, True, False, False, False])
    user = np.array([1, 1, 2, 2, 2, 2])
    p = np.array([0.2, 0.1, 0.1, 0.2, 0.3, 0.4])  # AUC 1 of two impressions, 0 of four
    assert grouped_auc(clicked, p, user) == pytest.approx((2 * 1 + 4 * 0) / 6)


def test_of_users_with_one_kind_of_label_alone_there_is_no_gauc():
    assert np.isnan(grouped_auc(np.array([True, True]), np.array([0.1, 0.2]), np.array([1, 1])))


def test_pcoc_is_expected_clicks_over_clicks():
    assert pcoc(np.array([True, False, True]), np.array([0.5, 0.5, 0.2])) == pytest.approx(0.6)  # 1.2 / 2
    assert np.isnan(pcoc(np.array([False]), np.array([0.5])))
