"""The bootstrap over weighted queries against the unweighted one, scipy and exact weights."""

import numpy as np
import pytest
from scipy import stats

from recsys import metrics
from recsys.evaluation.intervals import paired_bootstrap
from recsys.evaluation.search.bootstrap import QueryBootstrap, paired


def plain(queries: int, samples: int = 200, weights: list[float] | None = None) -> QueryBootstrap:
    given = np.ones(queries) if weights is None else np.array(weights)
    return QueryBootstrap(given, np.zeros(queries, np.int64), samples)


def test_with_equal_weights_it_is_the_paired_bootstrap_of_recommendation() -> None:
    values = np.random.default_rng(1).random((60, 2))
    found = paired_bootstrap(values, np.array([0, 0]), 4000, np.random.default_rng(0))
    other, one = (plain(60, 4000).mean(values[:, column]) for column in (0, 1))
    assert one.value == pytest.approx(found.mean[1])
    assert one.interval == pytest.approx((found.low[1], found.high[1]), abs=0.004)
    ours = paired(one, other)
    assert ours.difference == pytest.approx(found.difference[1])
    assert (ours.low, ours.high) == pytest.approx(
        (found.difference_low[1], found.difference_high[1]), abs=0.004
    )


def test_a_weighted_query_counts_as_so_many_equal_ones() -> None:
    assert plain(2, weights=[3, 1]).mean(np.array([1.0, 0.0])).value == pytest.approx(3 / 4)


def test_queries_without_a_value_do_not_count() -> None:
    found = plain(3).mean(np.array([1.0, np.nan, 0.0]))
    assert (found.value, found.cases) == (0.5, 2)
    assert np.isnan(plain(2).mean(np.array([np.nan, np.nan])).value)


def test_a_head_that_was_taken_whole_is_resampled_apart_from_the_tail() -> None:
    strata = np.array([0] + [1] * 40)
    values = np.concatenate([[1.0], np.random.default_rng(0).random(40)])
    weights = np.array([100.0] + [1.0] * 40)
    together = QueryBootstrap(weights, np.zeros(41, np.int64), 500).mean(values)
    apart = QueryBootstrap(weights, strata, 500).mean(values)
    low, high = apart.interval
    assert high - low < 0.15 * (together.interval[1] - together.interval[0])  # the one head query is certain


def test_rank_correlation_and_auc_of_all_pairs_are_those_of_scipy_and_of_metrics() -> None:
    rng = np.random.default_rng(3)
    query = np.repeat(np.arange(30), 5)
    grades, scores = rng.integers(0, 3, 150).astype(float), rng.integers(0, 6, 150).astype(float)
    found = plain(30).spearman(scores, grades, query)
    assert found.value == pytest.approx(stats.spearmanr(scores, grades).statistic)
    assert found.interval[0] < found.value < found.interval[1]
    area = plain(30).auc(scores, grades >= 2, query)
    assert area.value == pytest.approx(metrics.auc(grades >= 2, scores))


def test_a_weight_of_two_is_a_pair_that_stands_twice() -> None:
    scores, grades = np.array([3.0, 1.0, 2.0, 2.0]), np.array([2.0, 0.0, 1.0, 2.0])
    query = np.array([0, 0, 1, 1])
    weighted = plain(2, weights=[2, 1])
    twice = np.r_[scores[:2], scores], np.r_[grades[:2], grades]
    assert weighted.spearman(scores, grades, query).value == pytest.approx(stats.spearmanr(*twice).statistic)
    assert weighted.auc(scores, grades > 1, query).value == pytest.approx(metrics.auc(twice[1] > 1, twice[0]))


def test_scores_that_are_all_equal_have_no_correlation() -> None:
    found = plain(3).spearman(np.ones(6), np.arange(6.0), np.repeat(np.arange(3), 2))
    assert found.value == 0
    assert not found.draws.any()


def test_draws_do_not_depend_on_how_many_are_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(30)
    first = plain(30).mean(values)
    monkeypatch.setattr("recsys.evaluation.search.bootstrap._CELLS_AT_ONCE", 70)
    assert plain(30).mean(values).draws.tolist() == pytest.approx(first.draws.tolist())


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), 0
    for trial in range(200):
        values = rng.random(40) < 0.5
        low, high = (
            QueryBootstrap(np.ones(40), np.zeros(40, np.int64), 200, trial).mean(values * 1.0).interval
        )
        held += low <= 0.5 <= high
    assert 0.90 <= held / 200 <= 0.98
