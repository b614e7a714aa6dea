"""Judging by the truth: who knows tastes ranks better than who knows what is popular, than who guesses."""

from pathlib import Path

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.simulation.judge import Oracle, calibration_curve, served_calibration
from recsys.simulation.truth import Truth, read_truth
from tests.simulation.logs import Log


@pytest.fixture(scope="module")
def oracle(tidy: Log) -> Oracle:
    return Oracle(tidy.truth)


def test_the_oracle_knows_the_chances_that_the_log_was_made_with(tidy: Log, oracle: Oracle) -> None:
    place = {item: number for number, item in enumerate(oracle.item_ids)}
    for row in tidy.truth.shown.slice(0, 200).to_pylist():
        known = oracle.attraction(row["user_id"], row["day"])[place[row["item_id"]]]
        assert known == pytest.approx(row["attraction"], rel=1e-4)


def test_the_best_slate_has_no_regret_and_its_reverse_has(oracle: Oracle) -> None:
    best = oracle.best("sim-shopper-000001", 0, 10)
    assert oracle.regret("sim-shopper-000001", 0, best) == 0
    assert oracle.regret("sim-shopper-000001", 0, best[::-1]) > 0  # the best item is where nobody looks


def test_tastes_rank_better_than_popularity_and_popularity_better_than_chance(
    tidy: Log, oracle: Oracle
) -> None:
    clicks: dict[str, int] = {}
    for row in tidy.truth.shown.filter(tidy.truth.shown["clicked"]).to_pylist():
        clicks[row["item_id"]] = clicks.get(row["item_id"], 0) + 1
    popular = sorted(clicks, key=lambda item: -clicks[item])[:10]
    rng = np.random.default_rng(0)
    users = [f"sim-shopper-{shopper:06d}" for shopper in range(100)]
    of_popular = np.mean([oracle.regret(user, 6, popular) for user in users])
    of_chance = np.mean(
        [oracle.regret(user, 6, rng.choice(oracle.item_ids, 10, replace=False).tolist()) for user in users]
    )
    yesterday = np.mean([oracle.regret(user, 6, oracle.best(user, 0, 10)) for user in users])
    assert 0 < yesterday < of_popular < of_chance


def test_categories_that_people_like_are_clicked_more(tidy: Log) -> None:
    """What is learned from clicks alone: a shopper's favourite category by clicks is the true one."""
    tastes = {(row["user_id"], row["day"]): row["top_categories"] for row in tidy.truth.tastes.to_pylist()}
    rates: dict[bool, list[bool]] = {True: [], False: []}
    for row in tidy.truth.shown.to_pylist():
        liked = row["item_id"].split("-")[0] == tastes[row["user_id"], row["day"]][0]
        rates[liked].append(row["clicked"])
    assert np.mean(rates[True]) > 2 * np.mean(rates[False])


def test_the_truth_is_perfectly_calibrated_to_itself_and_half_of_it_is_not(tidy: Log) -> None:
    true = tidy.truth.shown["p_click"].to_numpy()
    assert calibration_curve(true, true).error == 0
    assert calibration_curve(true / 2, true).error == pytest.approx(true.mean() / 2)
    assert calibration_curve(np.full_like(true, true.mean()), true, bins=1).error == pytest.approx(
        0, abs=1e-12
    )


def test_a_log_without_a_service_has_no_predictions_to_judge(tidy: Log) -> None:
    with pytest.raises(DataError, match="p_click"):
        served_calibration(tidy.truth)


def test_strangers_are_refused_by_name(oracle: Oracle) -> None:
    with pytest.raises(DataError, match="household-1"):
        oracle.attraction("household-1", 0)
    with pytest.raises(DataError, match="anvil"):
        oracle.expected_clicks("sim-shopper-000001", 0, ["anvil"])


def test_a_file_that_is_no_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--truth"):
        read_truth(tmp_path / "nothing.parquet")


def test_the_truth_remembers_how_it_was_made(tidy: Log) -> None:
    assert isinstance(tidy.truth, Truth)
    assert tidy.truth.habits == tidy.world.habits
