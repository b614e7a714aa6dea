"""`recsys init` makes a shop's folder, whole or not at all, in which the other commands work."""

import json
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.config import load_settings
from recsys.errors import ConfigError, DataError, StoreUnavailableError
from recsys.ingest.mapping.files import load_mapping, template_text
from recsys.jobs.init import init_shop
from tests.cli.test_not_in_a_shop import nowhere  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "example-shop"
FILES = [str(EXAMPLE / name) for name in ("events.csv", "items.csv")]
NOW = datetime(2026, 11, 27, tzinfo=UTC)
EVENTS = 621


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def written(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_has_all_that_the_other_commands_need(nowhere: Path) -> None:  # noqa: F811
    made = init_shop(nowhere / "shop", [Path(name) for name in FILES], NOW)
    repository = {f"feature_repo/{path.name}" for path in (ROOT / "feature_repo").glob("*.*")}
    assert written(nowhere / "shop") == repository | {
        "recsys.toml",
        "mapping.toml",
        "pyproject.toml",
        ".gitignore",
    }
    settings = load_settings({}, start=nowhere / "shop" / "feature_repo")
    assert settings.paths.home == nowhere / "shop" / ".recsys"
    assert (settings.import_.mapping, settings.import_.source) == ("mapping.toml", str(EXAMPLE))
    project = tomllib.loads((nowhere / "shop" / "pyproject.toml").read_text())
    assert project["tool"]["bentoml"]["build"]["service"] == "serving.service:Recommender"
    assert made.files == {"events.csv": "events", "items.csv": "items"}
    assert made.checked is not None
    assert (made.checked.events, made.checked.rejected, made.problem) == (EVENTS, {}, None)


def test_the_example_shop_is_imported_as_it_was_guessed(
    nowhere: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("init", "shop", "--from", *FILES).exit_code == 0
    monkeypatch.chdir(nowhere / "shop")
    source = ["--source", str(EXAMPLE)]
    imported = run("data", "import", "--mapping", "mapping.toml", *source, "--json")
    info = json.loads(imported.stdout)["info"]
    assert (info["name"], info["events"], info["users"], info["items"]) == ("shop", EVENTS, 40, 30)
    mapping = load_mapping("mapping.toml")
    assert mapping.label_kinds == ("view", "cart", "purchase")
    assert mapping.items.title is not None
    assert mapping.items.unavailable[0].is_in == ("false",)


def test_the_next_commands_are_printed(nowhere: Path) -> None:  # noqa: F811
    shown = run("init", "shop", "--from", str(EXAMPLE / "events.csv"))
    steps = ["cd shop", "recsys refresh", "recsys train --promote", "recsys start"]
    assert [line.strip() for line in shown.stdout.splitlines()[-4:]] == steps


def test_a_catalog_alone_is_made_searchable_next(nowhere: Path) -> None:  # noqa: F811
    shown = run("init", "shop", "--from", str(EXAMPLE / "items.csv"))
    steps = ["cd shop", "recsys refresh", "recsys train --search-only", "recsys start"]
    assert [line.strip() for line in shown.stdout.splitlines()[-4:]] == steps
    assert "no events: a catalog that can be searched" in shown.stderr
    assert "are events" not in shown.stderr


def test_rows_that_do_not_fit_are_counted_by_their_reasons(nowhere: Path) -> None:  # noqa: F811
    rows = "user_id,item_id,event,time\nu,1,view,2026-11-01\nu,1,gift,2026-11-01\n,1,view,2026-11-01\n"
    (nowhere / "log.csv").write_text(rows)
    document = json.loads(run("init", "shop", "--from", "log.csv", "--json").stdout)
    assert document["checked"]["events"] == 1
    assert document["checked"]["rejected"] == {"events: unknown_kind": 1, "events: missing_user": 1}


def test_files_of_several_folders_have_the_one_above_as_their_source(nowhere: Path) -> None:  # noqa: F811
    for name, text in (("a/log.csv", "user_id,item_id\nu,1\n"), ("b/items.csv", "item_id,title\n1,Tea\n")):
        (nowhere / name).parent.mkdir()
        (nowhere / name).write_text(text)
    made = init_shop(nowhere / "shop", [nowhere / "a", nowhere / "b" / "items.csv"], NOW)
    assert (made.source, set(made.files)) == (nowhere, {"a/log.csv", "b/items.csv"})
    assert made.problem is None


def test_a_mapping_that_lacks_something_is_told_and_left_to_fill_in(nowhere: Path) -> None:  # noqa: F811
    (nowhere / "log.csv").write_text("user_id,moment,what\nann,2026-11-01,tea\n")
    shown = run("init", "shop", "--from", "log.csv")
    assert shown.exit_code == 1
    assert "item: which column is the item? There are: user_id, moment, what" in shown.stderr
    assert "Next:" not in shown.stdout
    mapping = nowhere / "shop" / "mapping.toml"
    assert '# item = ""' in mapping.read_text()
    mapping.write_text(mapping.read_text().replace('# item = ""', 'item = "what"'))
    assert load_mapping(str(mapping)).events[0].item == "what"


def test_without_files_the_mapping_is_the_template(nowhere: Path) -> None:  # noqa: F811
    assert run("init", "shop").exit_code == 0
    assert (nowhere / "shop" / "mapping.toml").read_text() == template_text()
    assert load_settings({}, start=nowhere / "shop").import_.source == "files"
    assert (nowhere / "shop" / "files").is_dir()


def test_a_folder_that_is_not_empty_is_left_alone(nowhere: Path) -> None:  # noqa: F811
    (nowhere / "shop").mkdir()
    (nowhere / "shop" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"is not empty \(it has notes\.txt\)\. Name a folder"):
        init_shop(nowhere / "shop", [], NOW)
    assert written(nowhere) == {"shop/notes.txt"}
    with pytest.raises(ConfigError, match="is a file"):
        init_shop(nowhere / "shop" / "notes.txt", [], NOW)
    (nowhere / "empty").mkdir()
    assert init_shop(nowhere / "empty", [], NOW).folder == nowhere / "empty"


@pytest.mark.parametrize("content", [None, b"1,2,3\n4,5,6\n"])
def test_a_file_that_cannot_be_understood_leaves_no_folder(
    content: bytes | None,
    nowhere: Path,  # noqa: F811
) -> None:
    if content is not None:
        (nowhere / "log.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"log\.csv"):
        init_shop(nowhere / "shop", [nowhere / "log.csv"], NOW)
    assert not (nowhere / "shop").exists()


def test_a_place_that_cannot_be_written_is_told_in_one_line(nowhere: Path) -> None:  # noqa: F811
    (nowhere / "file").write_text("")
    with pytest.raises(StoreUnavailableError, match="disk failed to write"):
        init_shop(nowhere / "file" / "shop", [], NOW)


def test_further_files_need_the_option(nowhere: Path) -> None:  # noqa: F811
    assert run("init", "shop", FILES[0]).exit_code == 2
    assert not (nowhere / "shop").exists()


@pytest.mark.slow
def test_a_shop_is_refreshed_and_trained_without_a_server_left_behind(nowhere: Path) -> None:  # noqa: F811
    """Processes of their own, as a user types them; Redis is started for the time of the refresh."""
    recsys = [sys.executable, "-m", "recsys.cli.app"]
    subprocess.run([*recsys, "init", "shop", "--from", *FILES], check=True)
    shop = nowhere / "shop"
    done = subprocess.run([*recsys, "refresh", "--json"], cwd=shop, check=True, stdout=subprocess.PIPE)
    assert json.loads(done.stdout)["events"] == EVENTS
    assert subprocess.run([*recsys, "status"], cwd=shop, capture_output=True).returncode == 1
    subprocess.run([*recsys, "train", "--promote"], cwd=shop, check=True)
    listed = subprocess.run([*recsys, "models", "list", "--json"], cwd=shop, check=True, capture_output=True)
    assert [row["stage"] for row in json.loads(listed.stdout)] == ["production"]
