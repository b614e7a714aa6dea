"""`recsys doctor` tells what is missing and how to mend it, and leaves everything as it is."""

import json
import socket
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from recsys.cli.doctor import doctor, examine, folded
from recsys.config import Settings, StreamSettings, TextSettings, load_settings
from recsys.jobs.checks import machine, packages, servers, shop
from recsys.jobs.checks.check import Check, missing, ok
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.server import connect
from recsys.stores.registry.migrations import downgrade_database
from recsys.stores.registry.registry import Registry
from tests.tiny_bundle import tiny_bundle

app = typer.Typer(rich_markup_mode=None)
app.command()(doctor)


def report(home: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    result = CliRunner().invoke(app, ["--json"], catch_exceptions=False)
    document = json.loads(result.stdout)
    assert document["ok"] == (result.exit_code == 0)
    return result.exit_code, {check["name"]: check for check in document["checks"]}


def files(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_an_empty_home_lacks_what_recommending_needs_and_exits_1(home: Path) -> None:
    code, checks = report(home)
    assert code == 1
    lacking = {name for name, check in checks.items() if check["state"] == "missing"}
    assert lacking == {"data", "features", "feature registry", "production bundle"}
    assert all(checks[name]["remedy"] for name in lacking)
    assert checks["python"]["state"] == checks["package torch"]["state"] == "ok"


def test_nothing_is_made_or_changed(home: Path) -> None:
    settings = load_settings()
    bundle = tiny_bundle()
    with Registry.open(settings) as registry:
        registry.register(bundle.manifest, save_bundle(bundle, settings.paths.bundles))
        registry.promote(bundle.manifest.bundle_id)
    before = files(home)
    report(home)
    assert files(home) == before


def test_people_get_a_table_and_a_count_on_stderr(home: Path) -> None:
    result = CliRunner().invoke(app, [], catch_exceptions=False)
    assert "recsys data import" in result.stdout
    assert "4 missing" in result.stderr


def test_a_check_that_breaks_does_not_hide_the_others() -> None:
    def broken(settings: Settings) -> Check:
        raise RuntimeError("odd")

    found = examine(Settings(), [("one", broken), ("two", lambda settings: ok("two", "fine"))])
    assert [(check.name, check.state) for check in found] == [("one", "warning"), ("two", "ok")]
    assert "RuntimeError: odd" in found[0].detail


def test_packages_that_fit_are_one_row_and_others_stand_out() -> None:
    rows = folded(
        [ok("python", "3.11"), ok("package a", "1"), ok("package b", "2"), missing("package c", "", "run")]
    )
    assert [(row.name, row.detail) for row in rows] == [
        ("python", "3.11"),
        ("packages", "2 as asked"),
        ("package c", ""),
    ]


def test_a_package_is_held_against_what_is_asked() -> None:
    versions = {"fits": "2.5.1", "old": "1.0"}

    def installed(name: str) -> str:
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    found = packages.check_packages(
        ["fits>=2,<3", "old>=2", "gone", 'other; sys_platform == "nowhere"', 'extra; extra == "dev"'],
        installed,
    )
    assert [(check.name, check.state) for check in found] == [
        ("package fits", "ok"),
        ("package old", "missing"),
        ("package gone", "missing"),
    ]
    assert found[1].detail == "1.0, asked for >=2"


def test_an_old_python_is_missing() -> None:
    assert packages.check_python(">=3.11", "3.10.2").state == "missing"
    assert packages.check_python(">=3.11", "3.12.0rc1").state == "ok"


@pytest.mark.parametrize(
    ("host", "key", "state"),
    [
        ("127.0.0.1", None, "ok"),
        ("::1", None, "ok"),
        ("localhost", None, "ok"),
        ("0.0.0.0", None, "missing"),
        ("shop.example", None, "missing"),
        ("0.0.0.0", "secret", "ok"),
    ],
)
def test_beyond_loopback_a_key_is_needed(host: str, key: str | None, state: str) -> None:
    settings = Settings.model_validate({"api_key": key, "serving": {"host": host}})
    assert machine.api_key(settings).state == state


def test_a_port_that_answers_is_a_warning() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        settings = Settings.model_validate({"serving": {"port": taken}})
        assert machine.port(settings).state == "warning"
    assert machine.port(settings).state == "ok"


@pytest.mark.parametrize(("free", "state"), [(10**8, "missing"), (10**9, "warning"), (10**10, "ok")])
def test_free_disk_is_judged_in_steps(free: int, state: str) -> None:
    assert machine.judge_free_disk(free).state == state


def test_a_home_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = machine.home_writable(Settings(home=tmp_path / "file" / "home"))
    assert found.state == "missing"
    assert "RECSYS_HOME" in found.remedy


def test_an_encoder_is_a_wheel_a_folder_or_a_download(tmp_path: Path) -> None:
    def state(encoder: str) -> str:
        return machine.text_encoder(Settings(text=TextSettings(encoder=encoder))).state

    assert state("minilm") == "ok"
    assert state(str(tmp_path)) == "ok"
    assert state("nobody/no-such-model") == "warning"


def test_a_redis_that_can_be_started_is_a_warning_and_one_that_is_away_is_missing(tmp_path: Path) -> None:
    found = servers.redis(Settings(home=tmp_path))
    assert (found.state, found.remedy) == ("warning", "run `recsys up`")
    away = Settings.model_validate({"home": tmp_path, "redis_url": "redis://:hunter2@127.0.0.1:1/0"})
    found = servers.redis(away)
    assert found.state == "missing"
    assert "hunter2" not in found.detail


@pytest.mark.parametrize(
    ("append_only", "sync", "major", "external", "state", "mend"),
    [
        (True, "always", 7, True, "ok", ""),
        (True, "", 7, True, "ok", ""),  # a hosted server that does not tell
        (False, "always", 7, True, "warning", "appendonly yes"),
        (True, "everysec", 7, True, "warning", "appendfsync always"),
        (True, "everysec", 8, False, "warning", "recsys down"),
        (True, "always", 6, True, "warning", "Redis 7"),
    ],
)
def test_a_redis_that_may_lose_accepted_events_is_a_warning(
    append_only: bool, sync: str, major: int, external: bool, state: str, mend: str
) -> None:
    check = servers.judge_durability(append_only, sync, major, external)
    assert check.state == state
    assert mend in check.remedy


def test_the_embedded_server_keeps_what_it_accepts(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert servers.event_stream(settings) == []  # not up: `redis` says so
    status = redis_server.start_server(settings)
    try:
        assert [check.state for check in servers.event_stream(settings)] == ["ok"]
        kafka = StreamSettings(transport="kafka")
        assert servers.event_stream(settings.model_copy(update={"stream": kafka})) == []
        with connect(settings) as client:
            client.config_set("appendonly", "no")
        external = Settings.model_validate(
            {"home": tmp_path / "b", "redis_url": redis_server.redis_url(settings)}
        )
        (check,) = servers.event_stream(external)
        assert (check.state, status.running) == ("warning", True)
        assert "no append-only file" in check.detail
    finally:
        redis_server.stop_server(settings)


def test_a_database_that_is_away_is_missing_without_its_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url = "postgresql://ada:hunter2@127.0.0.1:1/shop"
    found = servers.database(Settings.model_validate({"home": tmp_path, "database_url": url}))
    assert found.state == "missing"
    assert "hunter2" not in found.detail


def test_a_database_behind_the_code_is_a_warning(tmp_path: Path) -> None:
    from recsys.stores.registry.database import database_url

    settings = Settings(home=tmp_path)
    assert servers.database(settings).state == "ok"  # made on first use
    Registry.open(settings).close()
    assert servers.database(settings).detail.endswith("revision 0001")
    downgrade_database(database_url(settings), settings, "base")
    assert servers.database(settings).state == "warning"


def production(home: Path, **changes: Any) -> Settings:
    settings = Settings(home=home)
    bundle = tiny_bundle(**changes)
    with Registry.open(settings) as registry:
        registry.register(bundle.manifest, save_bundle(bundle, settings.paths.bundles))
        registry.promote(bundle.manifest.bundle_id)
    return settings


def test_a_bundle_that_serves_and_fits_is_ok(tmp_path: Path) -> None:
    assert shop.production_bundle(production(tmp_path, services={})).state == "ok"


def test_a_bundle_whose_features_were_never_applied_is_a_warning(tmp_path: Path) -> None:
    assert shop.production_bundle(production(tmp_path)).state == "warning"


def test_a_damaged_bundle_is_missing(tmp_path: Path) -> None:
    settings = production(tmp_path)
    (settings.paths.bundles / "shop-1" / "items.parquet").unlink()
    found = shop.production_bundle(settings)
    assert found.state == "missing"
    assert "items.parquet" in found.detail
