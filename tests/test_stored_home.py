"""A home made by the code of 7722d12 opens, serves, streams and trains: see stored_home/README.md."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import redis
from click.testing import Result
from feast import FeatureStore
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.config import load_settings
from recsys.dataset.catalog_rows import items_of
from recsys.instants import to_micros
from recsys.stores.bundles.bundles import load_bundle
from recsys.stores.lake.dataset_files import load_item_versions
from tests.stored_home.answers import Question, file_names, key_paths, metric_names, service_answers

ROOT = Path(__file__).parent.parent
STORED = Path(__file__).parent / "stored_home"
EXPECTED: dict[str, Any] = json.loads((STORED / "expected.json").read_text("utf-8"))
SECOND, FIRST = EXPECTED["bundles"]
QUESTIONS: list[Question] = [tuple(question) for question in EXPECTED["questions"]]
AT = datetime.fromisoformat(EXPECTED["at"])
CLOSE = 1e-5  # of scores: another processor adds up in another order


def run_command(*words: str) -> Result:
    """What a command did; fails with its output where the command failed."""
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def json_of(*words: str) -> Any:
    """What a command printed with --json."""
    return json.loads(run_command(*words, "--json").stdout)


def unpack_home(folder: Path) -> Path:
    """A user's folder after an upgrade: stored settings, encoder and home, today's feature_repo."""
    with tarfile.open(STORED / "home-7722d12.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    shutil.copytree(
        ROOT / "feature_repo", folder / "feature_repo", ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder


def enter_folder(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Makes `folder` the working directory, with no settings from the environment."""
    for name in list(os.environ):
        if name.startswith("RECSYS_") or name in ("REDIS_URL", "DATABASE_URL"):
            patch.delenv(name)
    patch.chdir(folder)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home as it was copied, nothing done to it yet."""
    enter_folder(monkeypatch, unpack_home(tmp_path))
    return tmp_path


@contextmanager
def running_home(folder: Path) -> Iterator[Path]:
    """The home with its Redis, after what docs/features.md asks for once a home was copied and upgraded.

    The rows of `item_content` have more fields than they had, so they are brought online again; as of the
    stored instant, which is the clock of the stored answers.
    """
    unpack_home(folder)
    with pytest.MonkeyPatch.context() as patch:
        enter_folder(patch, folder)
        run_command("features", "build")
        run_command("up")
        store = FeatureStore(folder / "feature_repo")
        store.materialize(AT - timedelta(days=3650), AT, feature_views=["item_content"])
    try:
        yield folder
    finally:
        with pytest.MonkeyPatch.context() as patch:
            enter_folder(patch, folder)
            run_command("down")


@pytest.fixture(scope="module")
def shared_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with running_home(tmp_path_factory.mktemp("stored")) as folder:
        yield folder


@pytest.fixture
def shop(shared_shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A running home, whose events and bundles stay as they were stored."""
    enter_folder(monkeypatch, shared_shop)
    return shared_shop


@pytest.fixture
def own_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running home to change."""
    with running_home(tmp_path):
        enter_folder(monkeypatch, tmp_path)
        yield tmp_path


def test_its_bundles_are_listed_with_their_stages(copied: Path) -> None:
    stages = [(row["bundle_id"], row["stage"]) for row in json_of("models", "list")]
    assert stages == [(SECOND, "production"), (FIRST, "archived")]
    shown = json_of("models", "show", FIRST)
    assert shown["history"] == EXPECTED["history"]
    assert shown["services"] == EXPECTED["services"]
    assert Path(shown["path"]).is_relative_to(copied)


def test_its_bundles_are_promoted_and_rolled_back(copied: Path) -> None:
    assert json_of("models", "promote", FIRST, "--force")["replaced"] == SECOND
    assert json_of("models", "rollback", "--force")["bundle_id"] == SECOND


def test_a_copied_home_knows_its_features_at_once(copied: Path) -> None:
    assert json_of("features", "show", "ranking_v1")["schema_hash"] == EXPECTED["services"]["ranking_v1"]


@pytest.mark.parametrize(
    "command", ["config", "data stats", "models list", f"models show {FIRST}", f"models card {FIRST}"]
)
def test_programs_find_the_stored_keys(copied: Path, command: str) -> None:
    words = command.split()
    assert_keys(" ".join(word for word in words if word != FIRST), json_of(*words))


def assert_keys(command: str, printed: Any) -> None:
    """The keys of `command --json` are the stored ones; stored_home/README.md tells how to add one."""
    assert sorted(key_paths(printed)) == EXPECTED["keys"][command]


@pytest.mark.slow
def test_the_stored_feast_registry_serves_what_the_stored_redis_holds(copied: Path) -> None:
    run_command("up")
    try:
        asked = {"user_id": "u0", "item_id": "i3", "request_at_seconds": int(AT.timestamp())}
        names = ["user_item_cross:times_in_history", "item_content:title"]
        found = FeatureStore(copied / "feature_repo").get_online_features(names, [asked]).to_dict()
    finally:
        run_command("down")
    [history] = [answer["entries"] for answer in EXPECTED["answers"] if "entries" in answer]
    assert found["times_in_history"][0] >= sum(entry["item_id"] == "i3" for entry in history) > 0
    assert found["title"] == ["Fine tea 3"]


@pytest.mark.slow
def test_features_have_the_schemas_that_its_bundles_were_trained_on(shop: Path) -> None:
    for service, trained_on in EXPECTED["services"].items():
        shown = json_of("features", "show", service)
        assert shown["schema_hash"] == trained_on
        assert_keys("features show", shown)


def test_its_catalog_and_bundles_are_read_without_the_fields_that_came_later(copied: Path) -> None:
    items = items_of(load_item_versions(load_settings(start=copied).paths))
    assert {(item.product_id, item.category_path, item.first_at) for item in items} == {(None, None, None)}
    table = load_bundle(copied / ".recsys/bundles" / FIRST, None).items
    assert set(table.products) == set(table.category_paths) == {""}
    assert table.first_at.tolist() == [0] * len(table)


@pytest.mark.slow
def test_an_upsert_brings_those_fields_in(own_shop: Path) -> None:
    at = datetime.now(UTC) - timedelta(seconds=5)
    new = {"product_id": "p1", "category_path": "Home/Tea", "first_at": "2026-01-01T00:00:00Z"}
    upsert = {"kind": "item_upsert", "event_id": "n1", "item_id": "i3", "at": at.isoformat(), **new}
    wanted = {"filters": {"category_paths": ["Home"], "product_ids": ["p1"]}, "k": 3}
    [accepted] = service_answers(AT, [("POST", "/v1/events", [upsert])])
    assert accepted["accepted"] == 1
    run_command("stream", "run", "--once", "--json")
    [slate] = service_answers(datetime.now(UTC), [("POST", "/v1/recommend", wanted)])
    assert [item["item_id"] for item in slate["items"]] == ["i3"]
    run_command("features", "build")
    [stored] = (
        FeatureStore(own_shop / "feature_repo")
        .get_online_features(
            ["item_content:product_id", "item_content:category_path", "item_content:first_at"],
            [{"item_id": "i3"}],
        )
        .to_df()
        .to_dict("records")
    )
    first_at = to_micros(datetime(2026, 1, 1, tzinfo=UTC))
    assert (stored["product_id"], stored["category_path"], stored["first_at"]) == ("p1", "Home/Tea", first_at)


@pytest.mark.slow
def test_texts_are_not_encoded_again(shop: Path) -> None:
    with tarfile.open(STORED / "home-7722d12.tar.xz") as packed:
        stored = {Path(name).name for name in packed.getnames() if "/text_vectors/" in name}
    assert {file.name for file in (shop / ".recsys/text_vectors").glob("*/*")} == stored


@pytest.mark.slow
def test_the_service_gives_the_stored_answers(shop: Path) -> None:
    pages: list[Question] = [("GET", "/metrics", None), ("GET", "/openapi.json", None)]
    *answers, metrics, description = service_answers(AT, [*QUESTIONS, *pages])
    assert_answers(answers)
    assert metric_names(metrics) == EXPECTED["metrics"]
    assert sorted(description["paths"]) == EXPECTED["routes"]


@pytest.mark.slow
def test_an_evaluation_finds_the_stored_scores(shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "rankings.parquet"
    assert_keys("evaluate", json_of("evaluate", "--bundle", FIRST, "--rankings", str(file)))
    rows = [row for row in pq.read_table(file).to_pylist() if row["rank"] <= 10]
    assert_same(rows[: len(EXPECTED["rankings"])], EXPECTED["rankings"])
    assert_file_names(shop)


@pytest.mark.slow
def test_its_bundles_are_compared_on_what_neither_has_seen(shop: Path, tmp_path: Path) -> None:
    page = tmp_path / "compared.html"
    found = json_of("models", "compare", FIRST, SECOND, "--users", "3", "--out", str(page))
    assert_keys("models compare", found)
    assert len(found["slates"]) == 3
    assert found["verdict"] in page.read_text("utf-8")


@pytest.mark.slow
def test_features_that_were_served_pass_an_audit(shop: Path) -> None:
    report = json_of("features", "audit")
    assert_keys("features audit", report)
    assert (report["passed"], report["mismatched"], report["unknown"], report["damaged"]) == (True, 0, 0, 0)
    assert report["compared"] > 1000


@pytest.mark.slow
def test_a_worker_goes_on_from_the_stored_state(own_shop: Path) -> None:
    assert_keys("stream status", json_of("stream", "status"))
    keys, log = redis_keys(own_shop), user_log(own_shop, "u0")
    at = datetime.now(UTC) - timedelta(seconds=5)
    views = [
        {"kind": "view", "event_id": f"new-{n}", "user_id": "u0", "item_id": f"i{n}", "at": at.isoformat()}
        for n in range(3)
    ]
    [accepted] = service_answers(AT, [("POST", "/v1/events", views)])
    assert accepted["accepted"] == len(views)
    done = run_command("stream", "run", "--once", "--json")
    assert json.loads(done.stdout) == {"events": len(views)}
    assert "begun" not in done.stderr, "the stored state was not taken up"
    assert user_log(own_shop, "u0").startswith(log)

    [history] = service_answers(datetime.now(UTC), [("GET", "/v1/history?user_id=u0", None)])
    [before] = [answer for answer in EXPECTED["answers"] if "entries" in answer]
    assert {entry["item_id"] for entry in history["entries"][:3]} == {"i0", "i1", "i2"}
    assert history["entries"][3:] == before["entries"][:-3]
    new = {re.sub(rb"\d+", b"MINUTE", key) for key in redis_keys(own_shop) ^ keys}
    counts = {b"recsys:{progress}:waited:MINUTE", b"recsys:{progress}:counted:MINUTE"}
    own = {*counts, b"recsys:events:partitions"}
    assert new <= own, "known users and items keep their keys"
    assert_file_names(own_shop)


def redis_keys(shop: Path) -> set[bytes]:
    """The keys in the home's Redis."""
    address = json.loads((shop / ".recsys/redis/server.json").read_text("utf-8"))
    with redis.Redis(port=address["port"], password=address["password"]) as client:
        return set(client.keys())


def user_log(shop: Path, user_id: str) -> bytes:
    """What the workers remember of a user."""
    with closing(sqlite3.connect(shop / ".recsys/stream/state.db")) as state:
        [[log]] = state.execute("SELECT log FROM users WHERE user_id = ?", (user_id,))
    return bytes(log)


@pytest.mark.slow
def test_training_goes_on_from_the_stored_bundle(own_shop: Path) -> None:
    trained = json_of("train", "--incremental")
    assert_keys("train --incremental", trained)
    assert (trained["parent"], trained["stage"]) == (SECOND, "candidate")
    assert_keys("train", json_of("train", "--protocol", "time-split"))
    bundles = own_shop / ".recsys/bundles"
    old, new = ({file.name for file in (bundles / name).iterdir()} for name in (SECOND, trained["bundle"]))
    assert old <= new
    assert_file_names(own_shop)


def assert_file_names(shop: Path) -> None:
    """No file has a name that the old code would not have given it."""
    assert set(file_names(shop / ".recsys")) <= set(EXPECTED["files"])


@pytest.fixture
def old_repository(shop: Path, tmp_path: Path) -> Path:
    """A root whose feature_store.yaml names classes by the modules of 7722d12."""
    shutil.copytree(shop / "feature_repo", tmp_path / "feature_repo")
    shutil.copy(STORED / "feature_store.yaml", tmp_path / "feature_repo")
    shutil.copy(shop / "recsys.toml", tmp_path)
    return tmp_path


@pytest.mark.slow
def test_feast_finds_the_classes_that_an_old_feature_store_yaml_names(
    shop: Path, old_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_HOME", str(shop / ".recsys"))
    repository = old_repository / "feature_repo"
    feast = [sys.executable, "-c", "from feast.cli.cli import cli; cli()", "-c", str(repository), "apply"]
    applied = subprocess.run(feast, capture_output=True, text=True)
    assert applied.returncode == 0, applied.stderr
    old, today = FeatureStore(repository), FeatureStore(shop / "feature_repo")
    rows = pd.DataFrame({"user_id": ["u0", "u1"], "item_id": ["i4", "i5"], "event_timestamp": [AT, AT]})
    features = [
        "user_activity:purchase_count_90d",
        "item_engagement:item_view_count_90d",
        "item_content:title",
    ]
    found = old.get_historical_features(rows, features).to_df()
    assert found.notna().all(axis=None)
    pd.testing.assert_frame_equal(found, today.get_historical_features(rows, features).to_df())

    old.materialize(AT - timedelta(days=365), AT, feature_views=["item_content"])
    online = old.get_online_features(["item_content:title"], [{"item_id": "i4"}]).to_dict()
    assert online["title"] == ["Fine tools 4"]
    for of_old, of_today in (
        (old.config.offline_store, today.config.offline_store),
        (old.config.online_store, today.config.online_store),
        (old.config.batch_engine, today.config.batch_engine),
        (old.registry._registry_store, today.registry._registry_store),
    ):
        assert type(of_old) is type(of_today)


@pytest.mark.slow
def test_the_service_finds_its_home_with_an_old_feature_store_yaml(
    shop: Path, old_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings({"RECSYS_HOME": str(shop / ".recsys")}, start=old_repository)
    monkeypatch.setenv("RECSYS_HOME", str(old_repository / "another"))
    assert_answers(service_answers(AT, QUESTIONS, settings))


def assert_answers(found: list[Any]) -> None:
    """The stored answers, but for what tells of the machine's clock and not of the stored one's.

    Freshness was the age of a row and is the lag of the store, and the stored shop is old today.
    """
    for answer, stored in zip(found, EXPECTED["answers"], strict=True):
        kept, told = dict(answer), dict(stored)
        if "features" in stored and "freshness_seconds" in stored["features"]:
            kept["features"], told["features"] = dict(kept["features"]), dict(told["features"])
            del kept["features"]["freshness_seconds"], told["features"]["freshness_seconds"]
            assert "data_older_than_windows" in kept.pop("degraded")
            assert told.pop("degraded") == []
        assert_same(kept, told)


def assert_same(found: Any, expected: Any, place: str = "") -> None:
    """Equal documents, floats apart, which are close."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for name, value in expected.items():
            assert_same(found[name], value, f"{place}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for number, value in enumerate(expected):
            assert_same(found[number], value, f"{place}[{number}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=CLOSE, abs=CLOSE), place
    else:
        assert found == expected, place
