"""`recsys tune` on the world of two tastes: real trials, a real study, and a file that settings load from."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.config import Settings, load_settings
from recsys.errors import ConfigError, DataError
from recsys.jobs.training import tune as job_module
from recsys.training.job import TrainingJob
from tests.training.test_pipeline import job, two_tastes

FIXED = {"retriever.width": {"choices": [8, 16]}, "fusion.hidden": False}


def tiny_job(settings: Settings, run_dir: Path, clock: str = "time") -> TrainingJob:
    work, _ = job(two_tastes(clock), "time-split" if clock == "time" else "leave-one-out", run_dir)
    sections = {name: getattr(work.settings, name) for name in ("retriever", "ranker", "evaluation")}
    return replace(work, settings=settings.model_copy(update=sections))


@pytest.fixture
def shop(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose settings file has an encoder of its own and a space of its own."""
    file = home / "recsys.toml"
    file.write_text(
        '[text]\nencoder = "some/encoder"\n[tune]\nfull_trials = 1\n[tune.space]\n'
        '"retriever.width" = { choices = [8, 16] }\n"fusion.hidden" = false\n'
    )
    monkeypatch.setenv("RECSYS_CONFIG", str(file))
    # The composition root opens Feast and a shop; what follows is all real.
    monkeypatch.setattr(job_module, "build_feature_rows", lambda settings, progress: None)
    monkeypatch.setattr(
        job_module, "open_tuning_job", lambda settings, protocol: tiny_job(settings, home / "runs")
    )
    return home


def answer(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["tune", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_study_begins_with_today_goes_on_and_ends_in_a_file_and_a_report(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = shop / "tuned.toml"
    first = answer("--trials", "1")
    assert first["study"] == "two-tastes-retrieval"
    assert first["trials"][0]["values"]["retriever.dropout"] == Settings().retriever.dropout
    second = answer("--trials", "2", "--out", str(tuned))
    assert [trial["number"] for trial in second["trials"]] == [0, 1, 2]
    assert second["trials"][0] == first["trials"][0]
    assert "fusion.hidden" not in second["trials"][1]["values"]
    assert {trial["values"]["retriever.width"] for trial in second["trials"]} <= {8, 16}
    names = {Path(path).name for path in second["report"]}
    assert names >= {"report.md", "report.html", "history.png"}

    best = second["best"]
    assert best["score"] == max(t["score"] for t in second["trials"] if t["state"] == "complete")
    monkeypatch.setenv("RECSYS_CONFIG", str(tuned))
    settings = load_settings()
    assert settings.retriever.width == best["settings"]["retriever.width"]
    assert settings.retriever.learning_rate == best["settings"]["retriever.learning_rate"]
    assert settings.text.encoder == "some/encoder"
    assert settings.tune.space["fusion.hidden"] is False
    assert not list((shop / "tuning").iterdir())


def test_the_screen_shows_trials_and_the_best_settings(shop: Path) -> None:
    result = CliRunner().invoke(app, ["tune", "--trials", "1"], catch_exceptions=False)
    assert "complete" in result.stdout
    assert "retriever.learning_rate" in result.stdout


def test_a_ranker_is_tuned_on_its_own(shop: Path) -> None:
    found = answer("--trials", "2", "--stage", "ranking", "--study", "second-stage")
    assert found["study"] == "second-stage"
    assert all(name.startswith("ranker.") for name in found["best"]["settings"])


def test_a_study_of_other_settings_is_not_mixed_with_these(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer("--trials", "1")
    with pytest.raises(ConfigError, match="cannot be compared"):
        CliRunner().invoke(app, ["tune", "--trials", "1", "--sample", "0.5"], catch_exceptions=False)


def test_a_variable_that_would_win_over_the_file_is_named(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_RETRIEVER__DROPOUT", "0.4")
    arguments = ["tune", "--trials", "1", "--out", str(shop / "tuned.toml")]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "RECSYS_RETRIEVER__DROPOUT wins over" in result.stderr
    assert tomllib.loads((shop / "tuned.toml").read_text())["retriever"]["dropout"] == 0.4


def test_without_a_clock_there_is_no_ranker_to_tune(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        job_module, "open_tuning_job", lambda settings, protocol: tiny_job(settings, shop, "order")
    )
    with pytest.raises(DataError, match=r"no ranker\. Use --stage retrieval"):
        CliRunner().invoke(app, ["tune", "--stage", "ranking"], catch_exceptions=False)


@pytest.mark.parametrize("arguments", [("--stage", "third"), ("--study", "../away")])
def test_wrong_use_exits_2(shop: Path, arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["tune", *arguments]).exit_code == 2
