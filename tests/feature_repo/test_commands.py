"""Feast's own commands as typed, with nothing but RECSYS_HOME, and our command around them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsys import columns
from recsys.cli.app import app as recsys
from recsys.config import Settings
from recsys.instants import to_micros
from tests.feature_repo.worlds import START, write_world

ROOT = Path(__file__).parents[2]
FEAST = Path(sys.executable).with_name("feast")
LATER = START + timedelta(days=30)


@pytest.fixture(scope="module")
def served(shop: Settings) -> Iterator[Settings]:
    """The shop with its embedded Redis running."""
    from recsys.stores.redis.server import start_server, stop_server

    write_world(shop.paths, seed=21)
    start_server(shop)
    yield shop
    stop_server(shop)


def feast(settings: Settings, *arguments: str, folder: Path) -> str:
    """Runs `feast`, with RECSYS_HOME as the only setting; returns what it printed."""
    import os

    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RECSYS", "REDIS"))}
    environment = kept | {"RECSYS_HOME": str(settings.home)}
    done = subprocess.run(
        [str(FEAST), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.slow
def test_plan_after_apply_finds_nothing_to_do_from_either_folder(served: Settings) -> None:
    assert "No changes to registry" in feast(served, "plan", folder=ROOT / "feature_repo")
    assert "No changes to registry" in feast(served, "-c", "feature_repo", "plan", folder=ROOT)


@pytest.mark.slow
def test_materialize_and_materialize_incremental_bring_rows_online(served: Settings) -> None:
    from recsys.stores.features.online_reader import FeatureReader

    day = timedelta(days=1)
    feast(
        served,
        "materialize",
        f"{START - day:%FT%T}",
        f"{START + 3 * day:%FT%T}",
        folder=ROOT / "feature_repo",
    )
    reader = FeatureReader.open(served, columns.RETRIEVAL_SERVICE)
    early = int(reader.read_user("u1").event_at[columns.USER_HISTORY][0])
    feast(served, "-c", "feature_repo", "materialize-incremental", f"{LATER:%FT%T}", folder=ROOT)
    late = int(reader.read_user("u1").event_at[columns.USER_HISTORY][0])
    assert early <= to_micros(START + 3 * day) < late


@pytest.mark.slow
def test_apply_without_rows_says_what_builds_them(tmp_path: Path, shop: Settings) -> None:
    empty = shop.model_copy(update={"home": tmp_path})
    assert "recsys features build" in feast(empty, "apply", folder=ROOT / "feature_repo")
    assert empty.paths.feast_registry.exists()


def test_show_lists_a_service(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_HOME", str(shop.home))
    monkeypatch.chdir(ROOT)
    shown = CliRunner().invoke(recsys, ["features", "show", columns.RETRIEVAL_SERVICE, "--json"])
    assert shown.exit_code == 0, shown.output
    document = json.loads(shown.stdout)
    assert [feature["name"] for feature in document["features"]] == [
        columns.HISTORY_ITEMS,
        columns.HISTORY_KINDS,
        columns.HISTORY_AT,
    ]
    assert len(document["schema_hash"]) == 64


def test_a_second_apply_of_the_same_declarations_writes_nothing(shop: Settings) -> None:
    from recsys.stores.features.offline import OfflineFeatures

    OfflineFeatures(shop).apply()
    written = shop.paths.feast_registry.stat().st_mtime_ns
    OfflineFeatures(shop).apply()
    assert shop.paths.feast_registry.stat().st_mtime_ns == written
