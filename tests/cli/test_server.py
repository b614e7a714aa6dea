"""`recsys up`, `down` and `status` as a user types them, and `feast` beside them with nothing exported."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from recsys.cli import server
from recsys.config import load_settings
from recsys.stores.redis import server as redis_server

FEAST = str(Path(sys.executable).with_name("feast"))


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    server.register(app)
    return app


@pytest.fixture
def shop(home: Path) -> Iterator[Path]:
    """A home whose server is stopped afterwards."""
    yield home
    redis_server.stop_server(load_settings())


def test_up_status_down_and_their_exit_codes(app: typer.Typer, shop: Path) -> None:
    run = CliRunner().invoke
    before = run(app, ["status", "--json"])
    assert before.exit_code == 1
    assert json.loads(before.stdout)["running"] is False
    up = json.loads(run(app, ["up", "--json"]).stdout)
    again = json.loads(run(app, ["up", "--json"]).stdout)
    assert up["running"] is True
    assert again["pid"] == up["pid"]
    status = run(app, ["status", "--json"])
    assert status.exit_code == 0
    shown = json.loads(status.stdout)
    assert shown["address"] == up["address"]
    assert {"version", "keys", "memory_bytes", "pid", "folder"} <= set(shown)
    assert json.loads(run(app, ["down", "--json"]).stdout) == {"stopped": True}
    assert json.loads(run(app, ["down", "--json"]).stdout) == {"stopped": False}
    assert run(app, ["status"]).exit_code == 1


def test_a_table_for_people_shows_the_address_and_no_password(app: typer.Typer, shop: Path) -> None:
    up = CliRunner().invoke(app, ["up"])
    password = json.loads((shop / "redis" / "server.json").read_text())["password"]
    assert redis_server.server_status(load_settings()).address in up.stdout
    assert password not in up.output


def test_every_command_has_an_example(app: typer.Typer) -> None:
    for name in ("up", "down", "status"):
        help_text = CliRunner().invoke(app, [name, "--help"]).stdout
        assert f"recsys {name}" in help_text


DEFINITIONS = """
from datetime import timedelta
from pathlib import Path
from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType, types

item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
source = FileSource(
    name="prices_source",
    path=str(Path(__file__).parents[1] / "prices.parquet"),
    timestamp_field="event_timestamp",
)
prices = FeatureView(
    name="prices",
    entities=[item],
    ttl=timedelta(0),
    schema=[Field(name="item_id", dtype=types.String), Field(name="price", dtype=types.Int64)],
    source=source,
)
service = FeatureService(name="prices_v1", features=[prices])
"""

YAML = """
project: shop
provider: local
registry: registry.db
offline_store:
  type: duckdb
batch_engine:
  type: recsys.stores.packed.engine.PackedComputeEngine
online_store:
  type: recsys.stores.packed.online.PackedRedisOnlineStore
entity_key_serialization_version: 3
"""


@pytest.mark.slow
def test_the_feast_command_works_after_up_with_nothing_exported(tmp_path: Path) -> None:
    import pandas as pd

    repository = tmp_path / "shop" / "feature_repo"
    repository.mkdir(parents=True)
    (repository / "definitions.py").write_text(DEFINITIONS)
    (repository / "feature_store.yaml").write_text(YAML)
    rows = pd.DataFrame({"item_id": ["a", "b"], "price": [3, 4]})
    stamps = pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True).astype("datetime64[us, UTC]")
    rows.assign(event_timestamp=stamps).to_parquet(repository.parent / "prices.parquet")
    unset = ("RECSYS_", "REDIS_URL", "PYTHONWARNINGS")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(unset)}

    def call(*command: str, where: Path) -> str:
        answer = subprocess.run(command, cwd=where, env=clean, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    settings = load_settings({}, start=repository)
    assert settings.home == repository.parent / ".recsys"
    try:
        redis_server.start_server(settings)
        call(FEAST, "apply", where=repository)
        call(FEAST, "materialize-incremental", "2026-01-03T00:00:00", where=repository)
        call(FEAST, "-c", "shop/feature_repo", "materialize", "2025-12-01", "2026-01-03", where=tmp_path)
        entities = ("-e", "item_id=a", "-e", "item_id=b")
        read = call(FEAST, "get-online-features", "-f", "prices:price", *entities, where=repository)
        assert "3" in read
        assert "4" in read
    finally:
        redis_server.stop_server(settings)
