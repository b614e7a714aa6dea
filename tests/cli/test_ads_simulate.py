"""`recsys ads simulate`: tables for people, JSON for programs, a picture, and one line where it cannot."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app, main

WORDS = ["ads", "simulate", "--days", "1", "--auctions", "600"]


def test_programs_get_one_document_and_the_picture_is_written(tmp_path: Path) -> None:
    picture = tmp_path / "simulation.png"
    result = CliRunner().invoke(app, [*WORDS, "--picture", str(picture), "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert [policy["name"] for policy in found["policies"]] == ["default", "simplest"]
    assert (found["auctions"], found["days"]) == (600, 1)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "2 policies: done" in result.stderr


def test_one_day_tells_no_policy_from_another_and_says_how_many_would() -> None:
    result = CliRunner().invoke(app, WORDS, catch_exceptions=False)
    assert "judged by its interval over days: simulate --days 2 or more" in result.stderr
    assert "better on" not in result.stderr
    assert "differences" not in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--days", "0"], "--days 0 is not between 1 and 60"),
        (["--auctions", "0"], "--auctions 0 is not between 1"),
        (["--seed", "-1"], "--seed -1 is below 0"),
        (["--policy", "none.toml"], "none.toml cannot be read"),
    ],
)
def test_what_cannot_be_simulated_is_said_in_one_line_before_the_work(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["recsys", "ads", "simulate", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert message in capsys.readouterr().err
