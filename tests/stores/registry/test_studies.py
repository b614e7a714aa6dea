"""Studies by the real Optuna in real databases: they go on, give up what is bad, leave the registry alone."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.stores.registry.registry import Registry
from recsys.stores.registry.studies import Objective, Pruning, Report, Study, studies_url
from recsys.training.tuning.records import StudyRecord
from recsys.tuning_space import Range
from tests.postgres import fresh_database

SPACE = {"x": Range(low=0.0, high=1.0), "n": Range(low=1, high=4), "kind": Range(choices=("a", "b"))}


def parabola(values: Mapping[str, Any], report: Report) -> float:
    """Best at x = 0.3, whatever the rest."""
    return 1 - (float(values["x"]) - 0.3) ** 2


def run(
    settings: Settings, objective: Objective, trials: int, pruning: Pruning | None = None, **more: Any
) -> StudyRecord:
    with Study.open(settings, "shop-retrieval", "same", seed=5, pruning=pruning) as study:
        return study.run(SPACE, objective, trials, **more)


def test_a_study_that_stopped_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    whole = run(Settings(home=tmp_path / "one"), parabola, 6)
    parts = Settings(home=tmp_path / "two")
    run(parts, parabola, 2)
    resumed = run(parts, parabola, 4)
    assert [trial.values for trial in resumed.trials] == [trial.values for trial in whole.trials]
    assert [trial.score for trial in resumed.trials] == [trial.score for trial in whole.trials]
    assert len({trial.values["x"] for trial in whole.trials}) == 6


def test_the_first_trial_is_what_is_given_and_is_not_given_twice(tmp_path: Path) -> None:
    settings, first = Settings(home=tmp_path), {"x": 0.3, "n": 2, "kind": "b"}
    record = run(settings, parabola, 1, first=first)
    assert record.trials[0].values == first
    record = run(settings, parabola, 2, first=first)
    assert [trial.values == first for trial in record.trials] == [True, False, False]
    assert record.best is not None
    assert (record.best.number, record.best.score) == (0, 1.0)


def test_a_trial_that_was_cut_off_counts_for_nothing_and_is_made_again(tmp_path: Path) -> None:
    settings, first = Settings(home=tmp_path), {"x": 0.3, "n": 2, "kind": "b"}

    def cut_off(values: Mapping[str, Any], report: Report) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(settings, cut_off, 3, first=first)
    record = run(settings, parabola, 2, first=first)
    assert [trial.state == "complete" for trial in record.trials] == [False, True, True]
    assert record.trials[1].values == first
    assert record.best is not None
    assert record.best.number == 1


def test_values_are_of_their_range_and_kind(tmp_path: Path) -> None:
    for trial in run(Settings(home=tmp_path), parabola, 8).trials:
        assert 0 <= trial.values["x"] <= 1
        assert trial.values["n"] in (1, 2, 3, 4)
        assert isinstance(trial.values["n"], int)
        assert trial.values["kind"] in ("a", "b")


def test_a_trial_below_the_median_is_given_up_after_its_first_epochs(tmp_path: Path) -> None:
    worth = iter([0.5, 0.6, 0.1, 0.7])

    def learning(values: Mapping[str, Any], report: Report) -> float:
        end = next(worth)
        for epoch in range(1, 4):
            report(end * epoch / 3)
        return end

    record = run(Settings(home=tmp_path), learning, 4, Pruning(full_trials=2, full_epochs=1))
    assert [trial.state for trial in record.trials] == ["complete", "complete", "pruned", "complete"]
    assert record.trials[2].epochs == pytest.approx((0.1 / 3, 0.2 / 3))
    assert record.trials[2].score is None
    assert record.best is not None
    assert record.best.number == 3


def test_settings_that_do_not_go_together_fail_their_trial_only(tmp_path: Path) -> None:
    def picky(values: Mapping[str, Any], report: Report) -> float:
        if values["x"] > 0.5:
            raise ConfigError("too much x")
        return parabola(values, report)

    record = run(Settings(home=tmp_path), picky, 2, first={"x": 0.9, "n": 1, "kind": "a"})
    assert record.trials[0].state == "failed"
    assert len(record.trials) == 2


def test_scores_of_other_data_are_not_mixed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    run(settings, parabola, 1)
    with pytest.raises(ConfigError, match=r"other data, another split or other settings.*--study"):
        Study.open(settings, "shop-retrieval", "other", seed=5)


def test_no_trial_begins_after_the_time_is_up(tmp_path: Path) -> None:
    now = iter([0.0, 1.0, 9.0, 11.0])
    record = run(Settings(home=tmp_path), parabola, 5, timeout=10, clock=lambda: next(now))
    assert len(record.trials) == 2


def test_what_matters_is_said(tmp_path: Path) -> None:
    record = run(Settings(home=tmp_path), parabola, 25)
    assert next(iter(record.importance)) == "x"
    assert sum(record.importance.values()) == pytest.approx(1)


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(Settings(home=tmp_path), parabola, 2)
    assert capfd.readouterr() == ("", "")


def test_the_registry_beside_it_stays_as_it_is(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    run(settings, parabola, 1)
    with Registry.open(settings) as registry:
        registry.start_run("train", {})
    run(settings, parabola, 1)
    assert studies_url(settings).database == str(tmp_path.resolve() / "recsys-studies.db")
    with sqlite3.connect(tmp_path / "recsys.db") as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert "trials" not in names


def test_a_study_on_postgresql_has_a_schema_of_its_own(postgres: str, tmp_path: Path) -> None:
    url = fresh_database(postgres)
    settings = Settings.model_validate({"home": tmp_path, "database_url": url})
    with Registry.open(settings) as registry:
        registry.start_run("train", {})
    run(settings, parabola, 2)
    assert len(run(settings, parabola, 1).trials) == 3
    with Registry.open(settings) as registry:
        registry.start_run("train", {})
