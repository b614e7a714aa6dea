import json

import numpy as np
import pytest

from recsys import metrics
from recsys.errors import DataError
from recsys.evaluation.ctr.measure import ClickLog, compare_clicks, measure_clicks, measure_slices
from recsys.evaluation.ctr.resamples import METRICS, UserResamples
from recsys.evaluation.ctr.tables import measure_documents, measure_rows, reliability_rows


def world(users: int = 60, each: int = 30, seed: int = 0) -> tuple[np.ndarray, ClickLog]:
    """True probabilities, and clicks by them; users differ in how much they click."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), each)
    level = rng.normal(-1, 1, users)[user]
    p = 1 / (1 + np.exp(-level - rng.normal(0, 1, len(user))))
    log = ClickLog(rng.random(len(user)) < p, user * 7, {"first half": user < users // 2}, samples=200)
    return p, log


def test_every_metric_has_its_interval():
    p, log = world()
    found = measure_clicks(p, log)
    assert (found.impressions, found.users) == (1800, 60)
    assert found.predicted == pytest.approx(p.sum())
    assert tuple(found.metrics) == METRICS
    for name in ("auc", "gauc", "log_loss", "pcoc"):
        assert found.metrics[name].low < found.metrics[name].value < found.metrics[name].high
    assert found.metrics["auc"].value == metrics.auc(log.clicked, p)
    assert found.metrics["ece"].value == metrics.expected_calibration_error(log.clicked, p)


@pytest.mark.parametrize("metric", ["auc", "gauc", "log_loss", "pcoc"])  # ECE's bins would hold other rows
def test_a_resample_is_what_the_metric_is_on_copies_of_the_drawn_users(metric):
    p, log = world(users=8, each=12)
    resamples = UserResamples.of(log.user, samples=4)
    value, draws = resamples.estimate(metric, log.clicked, p)
    assert np.isfinite(draws).all()
    # The same users with all impressions twice over have the same metrics in every resample.
    twice = np.tile(np.arange(len(p)), 2)
    again = UserResamples.of(log.user[twice], samples=4).estimate(metric, log.clicked[twice], p[twice])
    assert again.value == pytest.approx(value)
    np.testing.assert_allclose(again.draws, draws)


def test_intervals_by_user_are_wider_where_rows_of_a_user_are_alike():
    p, log = world(users=20, each=50)
    alike = np.full(len(p), p.mean())  # a model that does not know how much each user clicks
    by_user = measure_clicks(alike, log).metrics["pcoc"]
    by_row = measure_clicks(alike, ClickLog(log.clicked, np.arange(len(p)), {}, samples=200)).metrics["pcoc"]
    assert by_user.high - by_user.low > 1.5 * (by_row.high - by_row.low)


def test_slices_are_measured_apart_and_empty_ones_left_out():
    p, log = world()
    log = ClickLog(log.clicked, log.user, {**log.slices, "none": np.zeros(len(p), bool)}, samples=50)
    found = measure_slices(p, log)
    assert list(found) == ["first half"]
    assert found["first half"].impressions == 900


def test_the_truth_is_better_than_noise_on_the_same_users():
    p, log = world()
    noisy = np.clip(p + np.random.default_rng(1).normal(0, 0.3, len(p)), 0.01, 0.99)
    found = compare_clicks(p, noisy, log)
    assert found["auc"].outcome == "better"
    assert found["log_loss"].outcome == "worse"  # less of it
    assert found["auc"].difference == pytest.approx(found["auc"].value - found["auc"].other)
    assert compare_clicks(p, p, log)["gauc"].outcome == "not told apart"


def test_tables_have_a_line_for_each_model_and_json_has_no_nan():
    p, log = world()
    none = ClickLog(np.zeros(len(p), bool), log.user, {}, samples=20)
    measured = {"truth": measure_clicks(p, log), "no clicks": measure_clicks(p, none)}
    rows = measure_rows(measured)
    assert [row["name"] for row in rows] == ["truth", "no clicks"]
    assert rows[1]["AUC"] == "-"
    assert "NaN" not in json.dumps(measure_documents(measured))
    assert len(reliability_rows(p, log.clicked)) == 15


@pytest.mark.parametrize("wrong", [1.2, -0.1, np.nan])
def test_scores_are_refused(wrong):
    p, log = world()
    p[3] = wrong
    with pytest.raises(DataError, match="impression 4 is not between 0 and 1"):
        measure_clicks(p, log)


def test_columns_of_other_lengths_and_empty_logs_are_refused():
    p, log = world()
    with pytest.raises(DataError, match="1799 probabilities"):
        measure_clicks(p[1:], log)
    with pytest.raises(DataError, match="user has 1 rows"):
        ClickLog(log.clicked, log.user[:1], {})
    with pytest.raises(DataError, match="no impressions"):
        ClickLog(np.zeros(0, bool), np.zeros(0, np.int64), {})
