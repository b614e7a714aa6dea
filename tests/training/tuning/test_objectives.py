"""A trial is scored on users that it did not learn from, and a search leaves the test alone."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.config import Settings
from recsys.errors import ConfigError, DataError
from recsys.training.tuning.cached_features import CachedFeatures
from recsys.training.tuning.objectives import (
    check_space,
    current_values,
    first_stage_objective,
    open_trials,
    ranker_objective,
    with_values,
)
from recsys.tuning_space import FIRST_STAGE, RANKER, Range, space_of
from tests.training.test_pipeline import DAY, DAYS, USERS, job, two_tastes


@pytest.mark.parametrize("protocol", ["time-split", "leave-one-out"])
def test_what_trials_are_scored_on_and_all_of_the_test_is_unknown_to_them(
    protocol: str, tmp_path: Path
) -> None:
    shop = two_tastes()
    work, _ = job(shop, protocol, tmp_path)
    trials = open_trials(work, sample=1.0, seed=0)
    known = trials.job.shop.interactions
    last = np.full(len(known.users), -1)
    np.maximum.at(last, known.user_index, known.at)
    assert (last[trials.cases.user_index] < trials.cases.at).all()
    tests_at = dict(zip(work.split.test.user_index, work.split.test.at, strict=True))
    assert all(last[user] < at for user, at in tests_at.items())
    trained_on = set(trials.job.split.validation.user_index)
    assert trained_on.isdisjoint(trials.cases.user_index)
    assert len(trained_on) + len(trials.cases) == USERS


def test_a_sample_trains_on_its_share_of_users_and_asks_all(tmp_path: Path) -> None:
    work, _ = job(two_tastes(), "time-split", tmp_path)
    trials = open_trials(work, sample=0.25, seed=3)
    assert len(np.unique(trials.job.split.train.user_index)) == USERS / 4
    assert len(trials.cases) + len(trials.job.split.validation) == USERS
    again = open_trials(work, sample=0.25, seed=3)
    assert again.cases.user_index.tolist() == trials.cases.user_index.tolist()
    other = open_trials(work, sample=0.25, seed=4)
    assert other.cases.user_index.tolist() != trials.cases.user_index.tolist()
    assert trials.job.settings.fusion.requests == work.settings.fusion.requests / 4


def test_a_trial_reports_each_epoch_and_leaves_nothing_behind(tmp_path: Path) -> None:
    work, _ = job(two_tastes(), "time-split", tmp_path / "run")
    objective = first_stage_objective(open_trials(work, 1.0, 0))
    epochs: list[float] = []
    score = objective({"retriever.width": 8, "retriever.epochs": 2}, epochs.append)
    assert len(epochs) == 2
    assert 0.3 < score <= 1  # ten of twenty items, and they are the right half
    assert list((tmp_path / "run").iterdir()) == []


def test_what_a_report_raises_ends_the_trial(tmp_path: Path) -> None:
    work, _ = job(two_tastes(), "time-split", tmp_path / "run")

    def give_up(value: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        first_stage_objective(open_trials(work, 1.0, 0))({}, give_up)
    assert list((tmp_path / "run").iterdir()) == []


def test_a_ranker_is_tried_over_one_first_stage(tmp_path: Path) -> None:
    work, features = job(two_tastes(), "time-split", tmp_path)
    objective = ranker_objective(open_trials(work, 1.0, 0))
    reads = len(features.asked)
    scores = [objective({"ranker.hidden": hidden}, lambda value: None) for hidden in (4, 8, 8)]
    assert len(features.asked) == reads
    assert scores[1] == scores[2]
    assert min(scores) > 0.3


def test_equal_training_sets_are_read_from_the_store_once(tmp_path: Path) -> None:
    work, features = job(two_tastes(), "time-split", tmp_path)
    cached = CachedFeatures(features)
    objective = first_stage_objective(open_trials(replace(work, features=cached), 1.0, 0))
    first = objective({}, lambda value: None)
    reads = len(features.asked)
    assert objective({}, lambda value: None) == first
    assert len(features.asked) == reads


def test_too_few_users_are_rejected(tmp_path: Path) -> None:
    work, _ = job(two_tastes(), "time-split", tmp_path)
    alone = replace(work, split=replace(work.split, validation=work.split.validation.take(np.array([0]))))
    with pytest.raises(DataError, match="1 validation users"):
        open_trials(alone, 1.0, 0)
    assert work.split.test.at[0] < DAYS * DAY


def test_every_range_declared_is_one_that_settings_take() -> None:
    check_space(Settings(), FIRST_STAGE)
    check_space(Settings(), RANKER)


def test_the_settings_as_shipped_are_within_the_ranges_declared() -> None:
    for space in (FIRST_STAGE, RANKER):
        assert set(current_values(Settings(), space)) == set(space)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"retriever.widht": Range(low=8, high=16)}, "no setting 'retriever.widht'"),
        ({"home.of": Range(low=8, high=16)}, "no setting 'home.of'"),
        ({"retriever.dropout": Range(low=0.0, high=1.5)}, r"'retriever.dropout' cannot be 1\.5"),
        ({"retriever.width": Range(choices=("wide",))}, "'retriever.width' cannot be 'wide'"),
        ({}, "nothing to tune"),
    ],
)
def test_a_range_that_does_not_fit_its_setting_is_named(space: Mapping[str, Range], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_space(Settings(), space)


def test_a_shop_may_change_add_and_drop_ranges_of_a_stage() -> None:
    own = {
        "retriever.width": Range(choices=(8, 16)),
        "retriever.history_length": Range(low=20, high=80),
        "fusion.hidden": False,
        "ranker.hidden": Range(choices=(4,)),
    }
    space = space_of(own, FIRST_STAGE)
    assert space["retriever.width"].choices == (8, 16)
    assert set(space) == (set(FIRST_STAGE) | {"retriever.history_length"}) - {"fusion.hidden"}
    assert space_of(own, RANKER)["ranker.hidden"].choices == (4,)


@pytest.mark.parametrize(
    "wrong", [{}, {"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}, {"choices": []}, {"low": 1}]
)
def test_a_range_without_sense_is_rejected(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"low|choices"):
        Range.model_validate(wrong)


def test_the_loss_is_tuned_where_a_shop_says_so() -> None:
    own = {
        "retriever.loss": Range(choices=("sampled-softmax", "gbce")),
        "retriever.gbce_t": Range(low=0.0, high=1.0),
    }
    assert "retriever.loss" not in FIRST_STAGE
    space = space_of(own, FIRST_STAGE)
    check_space(Settings(), space)
    assert current_values(Settings(), space)["retriever.loss"] == "sampled-softmax"
    with pytest.raises(ConfigError, match=r"retriever\.loss.*hinge"):
        check_space(Settings(), {"retriever.loss": Range(choices=("hinge",))})


def test_values_by_name_leave_other_settings_alone() -> None:
    changed = with_values(Settings(), {"retriever.width": 96, "ranker.learning_rate": 0.01})
    assert (changed.retriever.width, changed.ranker.learning_rate) == (96, 0.01)
    assert changed.fusion == Settings().fusion
