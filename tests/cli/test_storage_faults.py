"""A disk that takes nothing ends a command with one line; what it writes is for its owner alone."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.config import load_settings
from recsys.errors import ConfigError, StoreUnavailableError, storage_problem
from recsys.jobs.checks.machine import rights
from recsys.stores.lake.day import open_day
from recsys.stores.redis.client import open_url
from recsys.stores.registry.database import database_url
from recsys.stores.registry.registry import Registry
from recsys.stores.stream.state import SqliteStreamState
from tests.cli.test_commands_documented import COMMANDS
from tests.test_stored_home import unpack_home

ROOT = Path(__file__).parents[2]
RUNS_ON = {"stream run", "ads run"}  # they wait for Redis, and for an account
# How to make a folder that takes nothing, in a space of mounts of its own.
READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"'
FULL = (
    'cp -a "$1" "$1.full" && mount -t tmpfs -o size=24m full "$1" && cp -a "$1.full"/. "$1" '
    '&& { head -c 100M /dev/zero > "$1/.recsys/filler"; true; }'
)


def may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "probe", "/mnt"]
    return subprocess.run(probe, capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="this account may not mount file systems")
@pytest.mark.parametrize("fault", [READ_ONLY, FULL], ids=["read-only", "full"])
def test_no_command_ends_with_a_traceback_where_the_home_takes_nothing(fault: str, tmp_path: Path) -> None:
    folder = unpack_home(tmp_path / "shop")
    walk = f'cd "$1" && exec {sys.executable} -m tests.cli.command_walk "${{@:2}}"'
    done = subprocess.run(
        [
            *("unshare", "-rm", "bash", "-c", f"{fault} && {walk}", "walk", str(folder)),
            *sorted(set(COMMANDS) - RUNS_ON),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=550,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["name"] for each in found} == set(COMMANDS) - RUNS_ON, done.stderr[-2000:]
    for each in found:
        assert each["traceback"] == "", each["name"]
        assert each["code"] in (0, 1, 2), each
        if each["code"]:
            assert each["err"].strip(), each["name"]
    by_name = {each["name"]: each for each in found}
    for name in ("train", "features build", "up"):
        error = by_name[name]["err"].strip().splitlines()[-1]
        assert (by_name[name]["code"], error.startswith("error: ")) == (1, True), by_name[name]


def test_a_full_disk_is_one_line() -> None:
    assert storage_problem(OSError(28, "No space left on device", "/srv/a")) == (
        "/srv/a: No space left on device. Free some disk space."
    )
    assert storage_problem(OSError(2, "No such file")) is None


def test_what_a_command_writes_is_for_its_owner_alone(home: Path) -> None:
    home.rmdir()
    command = [str(Path(sys.executable).with_name("recsys")), "models", "list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, umask=0o022)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*") if path.is_file()} == {0o600}


def test_the_doctor_finds_a_home_that_others_can_read(home: Path) -> None:
    (home / "lake").mkdir()
    (home / "lake" / "events").write_text("who bought what")
    home.chmod(0o755)
    found = rights(load_settings())
    assert (found.state, f"chmod -R go= {home}" in found.remedy) == ("warning", True)
    subprocess.run(["chmod", "-R", "go=", str(home)], check=True)
    assert rights(load_settings()).state == "ok"


def test_a_damaged_state_says_that_it_may_be_deleted(home: Path) -> None:
    folder = home / "stream"
    folder.mkdir()
    (folder / "state.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(
        StoreUnavailableError, match=r"is damaged.*delete .*state\.db.*nothing is lost"
    ) as told:
        SqliteStreamState(folder)
    assert "disk space" not in str(told.value)


def test_a_damaged_registry_says_what_is_lost(home: Path) -> None:
    (home / "recsys.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreUnavailableError, match=r"is damaged.*back-up.*data and events stay") as told:
        Registry.open(load_settings())
    assert "Start that server" not in str(told.value)


@pytest.mark.parametrize(("lake", "remedy"), [("live", "no import brings them back"), ("events", "import")])
def test_a_damaged_file_of_the_lake_names_what_helps(tmp_path: Path, lake: str, remedy: str) -> None:
    day = tmp_path / "lake" / lake / "day=2026-01-31"
    day.mkdir(parents=True)
    (day / "1.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(Exception, match=remedy) as told, open_day(day):
        pass
    assert ("recsys data import" in str(told.value)) == (lake == "events")


@pytest.mark.parametrize("password", ["p@ss", "pa/ss", "pa#ss", "pa?ss", "p ss", "a@b/c#d"])
def test_no_piece_of_a_password_is_shown(home: Path, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://:{password}@127.0.0.1:1/0")
    monkeypatch.setenv("DATABASE_URL", f"postgresql://shop:{password}@127.0.0.1:1/db")
    with pytest.raises(ConfigError) as of_redis:
        open_url(f"redis://:{password}@127.0.0.1:1/0")
    with pytest.raises(ConfigError) as of_database:
        database_url(load_settings())
    for told in (str(of_redis.value), str(of_database.value)):
        assert "%40 for @" in told
        assert password not in told
        assert not any(f"{piece}@" in told for piece in ("ss", "d", "c#d"))
    for command in (["status"], ["up"], ["doctor"], ["models", "list"]):
        result = CliRunner().invoke(app, command)
        shown = f"{result.output} {result.exception}"
        assert password not in shown, command


def test_an_address_that_is_none_shows_no_password() -> None:
    with pytest.raises(ConfigError, match="not a valid address") as told:
        open_url("redis://:secret@host:not-a-port/0")
    assert "secret" not in str(told.value)


def test_a_redis_that_wants_a_password_is_not_to_be_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recsys.stores.redis.server import start_server, stop_server

    settings = load_settings()
    started = start_server(settings)
    try:
        monkeypatch.setenv("REDIS_URL", f"redis://{started.address}/0")
        for command in (["up"], ["doctor"]):
            result = CliRunner().invoke(app, command)
            shown = f"{result.output} {result.exception}"
            assert "user and password into REDIS_URL" in " ".join(shown.split()), shown
            assert "Start that server" not in shown
        monkeypatch.setenv("REDIS_URL", f"redis://:wrong@{started.address}/0")
        assert "user and password" in str(CliRunner().invoke(app, ["up"]).exception)
    finally:
        stop_server(settings)
