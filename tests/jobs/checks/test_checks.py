"""Each check of the doctor: what it finds, in which state, and with which remedy."""

import socket
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from recsys.config import Settings, TextSettings
from recsys.jobs.ads.charging.charge_status import ChargeStatus
from recsys.jobs.checks import machine, packages, servers, shop
from recsys.jobs.checks.check import Check, ok
from recsys.jobs.checks.examine import run_checks
from recsys.models.manifest import NO_CLOCK
from recsys.service_settings import RedisSettings, StreamSettings
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.shop_claim import connect
from recsys.stores.registry.migrations import downgrade_database
from recsys.stores.registry.registry import Registry
from tests.tiny_bundle import tiny_bundle


def test_a_check_that_breaks_does_not_hide_the_others() -> None:
    def broken(settings: Settings) -> Check:
        raise RuntimeError("odd")

    found = run_checks(Settings(), [("one", broken), ("two", lambda settings: ok("two", "fine"))])
    assert [(check.name, check.state) for check in found] == [("one", "warning"), ("two", "ok")]
    assert "RuntimeError: odd" in found[0].detail


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


def test_a_redis_without_a_memory_bound_is_a_warning(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, redis=RedisSettings(memory_bytes=64_000_000))
    assert servers.redis_memory(settings) == []  # not up: `redis` says so
    redis_server.start_server(settings)
    try:
        (bounded,) = servers.redis_memory(settings)
        assert (bounded.state, bounded.detail.partition(" of ")[2]) == ("ok", "64 MB")
        with connect(settings) as client:
            client.config_set("maxmemory", "0")
        (unbounded,) = servers.redis_memory(settings)
        assert unbounded.state == "warning"
        assert "recsys up" in unbounded.remedy
    finally:
        redis_server.stop_server(settings)
    assert "maxmemory" in servers.judge_memory(1, 0, external=True).remedy


def test_a_database_that_is_away_is_missing_without_its_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url = "postgresql://ada:hunter2@127.0.0.1:1/shop"
    found = servers.database(Settings.model_validate({"home": tmp_path, "database_url": url}))
    assert found.state == "missing"
    assert "hunter2" not in found.detail


def test_a_database_behind_the_code_is_a_warning(tmp_path: Path) -> None:
    from recsys.stores.registry.database import database_url
    from recsys.stores.registry.migrations import read_revisions

    settings = Settings(home=tmp_path)
    assert servers.database(settings).state == "ok"  # made on first use
    Registry.open(settings).close()
    newest = read_revisions(database_url(settings)).head
    assert servers.database(settings).detail.endswith(f"revision {newest}")
    downgrade_database(database_url(settings), "base")
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


@pytest.mark.parametrize(("reason", "state"), [("only 3 requests", "warning"), (NO_CLOCK, "ok")])
def test_a_bundle_without_a_ranker_says_why(tmp_path: Path, reason: str, state: str) -> None:
    manifest = tiny_bundle(services={}).manifest.model_copy(update={"no_ranker": reason})
    found = shop.production_bundle(production(tmp_path, manifest=manifest, ranker=None))
    assert (found.state, f"it has no ranker: {reason}" in found.detail) == (state, True)


def test_a_bundle_whose_features_were_never_applied_is_a_warning(tmp_path: Path) -> None:
    assert shop.production_bundle(production(tmp_path)).state == "warning"


def test_a_damaged_bundle_is_missing(tmp_path: Path) -> None:
    settings = production(tmp_path)
    (settings.paths.bundles / "shop-1" / "items.parquet").unlink()
    found = shop.production_bundle(settings)
    assert found.state == "missing"
    assert "items.parquet" in found.detail


@pytest.mark.parametrize(
    ("seconds", "failing", "state", "told"),
    [
        (3.0, (), "ok", "7 events wait"),
        (3.0, ("budgets",), "warning", "budgets fails"),
        (61.0, (), "warning", "none runs, and 7 events wait"),
        (None, (), "warning", "none runs"),
    ],
)
def test_a_charge_worker_that_is_away_or_fails_is_told_with_what_waits(
    seconds: float | None, failing: tuple[str, ...], state: str, told: str
) -> None:
    found = servers.judge_charging(ChargeStatus(1, 7, seconds, failing), worker_seconds=60.0)
    assert (found.name, found.state) == ("charge worker", state)
    assert told in found.detail


def test_a_shop_without_advertisers_has_no_check_of_charging(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    assert servers.charge_worker(settings) == []
    with Registry.open(settings):
        assert servers.charge_worker(settings) == []
