"""`recsys ads evaluate-policy`: tables for people, JSON for programs, one line where it cannot answer."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app, main
from tests.ads.delivery.served_slots import served_slot
from tests.jobs.ads.served_home import ServedHome


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """400 rows at even odds: of the 200 of `a` every fourth is clicked, of the 200 of `b` every second."""
    path = tmp_path / "test.csv"
    rows = [f"{arm},{clicked},0.5" for arm, clicked in zip("abab" * 100, "11000100" * 50, strict=True)]
    path.write_text("\n".join(["banner,clicked,p", *rows, ""]))
    return path


def words(experiment: Path, *more: str) -> list[str]:
    given = ["--experiment", str(experiment), "--arm", "banner", "--outcome", "clicked", "--propensity", "p"]
    return ["ads", "evaluate-policy", *given, *more]


def test_people_see_values_differences_and_overlap(experiment: Path) -> None:
    result = CliRunner().invoke(app, words(experiment), catch_exceptions=False)
    assert result.exit_code == 0
    for text in ("doubly robust", "always a", "differences, on the same rows", "200.0 of 400"):
        assert text in result.stdout
    assert "test.csv: 400 rows of 400 units, 2 arms" in result.stderr


def test_programs_get_one_json_document_and_nothing_else(experiment: Path) -> None:
    result = CliRunner().invoke(app, words(experiment, "--always", "a", "--json"), catch_exceptions=False)
    found = json.loads(result.stdout)
    assert found["policies"][1]["estimates"]["snips"]["value"] == 0.25
    assert found["differences"][0]["estimates"]["dr"]["value"] == pytest.approx(0.25 - 0.375, abs=0.002)


def test_a_warning_is_said_on_stderr(experiment: Path) -> None:
    few = experiment.read_text().splitlines()[:41]
    experiment.write_text("\n".join([*few, ""]))
    result = CliRunner().invoke(app, words(experiment), catch_exceptions=False)
    assert "warning: always a: the weights leave 20.0 effective units" in result.stderr


def test_what_cannot_be_answered_ends_with_1_and_one_line(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["recsys", *words(experiment, "--always", "c")])
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: always c: the log never shows the arm 'c'")
    assert output.err.count("\n") == 1


def test_columns_have_to_be_named() -> None:
    result = CliRunner().invoke(app, ["ads", "evaluate-policy", "--experiment", "test.csv"])
    assert result.exit_code == 2
    assert "--arm" in result.output


@pytest.mark.parametrize("options", [[], ["--experiment", "test.csv", "--from-log"]])
def test_either_a_file_or_the_log_is_asked(options: list[str]) -> None:
    result = CliRunner().invoke(app, ["ads", "evaluate-policy", *options])
    assert result.exit_code == 2
    assert "name one of --experiment and --from-log" in " ".join(result.output.split())


def test_the_homes_log_of_served_ads_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_HOME", str(tmp_path / "home"))
    home = ServedHome(tmp_path / "home")
    for number in range(40):
        slot = served_slot(f"s{number}", item_id="ab"[number % 2], propensity=0.5, unit=f"u{number}")
        home.serve(slot, *(["click"] if number % 4 == 0 else []))
    home.flush()
    asked = ["--from-log", "--from", "2026-03-01", "--to", "2026-03-02", "--json"]
    result = CliRunner().invoke(app, ["ads", "evaluate-policy", *asked], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert (found["experiment"], found["arms"]) == ("the ad log", {"a": 20, "b": 20})
    assert found["policies"][1]["estimates"]["snips"]["value"] == 0.5


def test_it_needs_no_shop(experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RECSYS_HOME", "RECSYS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, words(experiment, "--json"), catch_exceptions=False)
    assert json.loads(result.stdout)["rows"] == 400
    assert not (tmp_path / ".recsys").exists()
