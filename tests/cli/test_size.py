"""`recsys size`: tables for people, one document for programs, and the first limit in a sentence."""

import json

from typer.testing import CliRunner

from recsys.cli.app import app

SMALL = ["size", "--items", "20000", "--users", "20000", "--events", "400000"]
MACHINE = ["--memory-gb", "24", "--disk-gb", "40", "--cores", "2"]


def test_people_read_each_stage_the_sums_and_what_is_met_first() -> None:
    result = CliRunner().invoke(app, [*SMALL, *MACHINE, "--epochs", "3"], catch_exceptions=False)
    assert "train 3 epochs" in result.stdout
    assert "of 24.0 GB" in result.stdout
    assert "of 40.0 GB" in result.stdout
    assert "met first, at " in result.stderr


def test_programs_get_the_same_numbers_and_the_limits_that_are_exceeded() -> None:
    words = [*SMALL, *MACHINE, "--requests", "100000", "--json"]
    found = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)
    assert found["exceeded"] == ["cores"]
    assert (found["first_break"]["limit"], found["first_break"]["stage"]) == ("cores", "recommend")
    assert found["first_break"]["times"] < 1
    assert found["cores"] > 2


def test_more_texts_take_more_time_and_no_more_memory() -> None:
    def encoding(texts: int) -> dict[str, float]:
        words = [*SMALL, *MACHINE, "--texts", str(texts), "--json"]
        document = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)
        [stage] = [each for each in document["stages"] if each["stage"] == "text encoding"]
        return dict(stage)

    few, many = encoding(2000), encoding(20_000)
    assert many["hours"] > few["hours"]
    assert many["memory_mb"] == few["memory_mb"]
