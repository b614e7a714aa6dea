"""The real thing: `recsys start` on a small shop, killed piece by piece, full of disk, and stopped."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from recsys.config import Settings
from recsys.stores.locks import is_locked
from recsys.stores.redis.server import LOCK, start_server, stop_server
from scripts.benchmarks.online.random_shop import user_id
from tests.running_home import make_running_home
from tests.started_process import Started, command_line, listening, started, wait_until

pytestmark = pytest.mark.slow

KEY = "a-key-that-no-log-shows"
EVENT = {"kind": "view", "event_id": "seen-once", "user_id": user_id(1), "item_id": "i1"}
SERVICE, WORKER, CHARGE_WORKER = "serving.main", "stream run", "ads run"


@pytest.fixture(scope="module")
def shop_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_running_home(tmp_path_factory.mktemp("shop") / "home")


@pytest.fixture
def settings(shop_settings: Settings) -> Iterator[Settings]:
    """A home whose Redis does not run, before and after."""
    yield shop_settings
    stop_server(shop_settings)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started_shop(home: Path, port: int, *options: str) -> Iterator[Started]:
    command = ["recsys", "start", "--port", str(port), *options]
    with started(home, command, RECSYS_API_KEY=KEY) as shop:
        yield shop


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def redis_lives(settings: Settings) -> bool:
    return is_locked(settings.paths.redis / LOCK)


def redis_pid(settings: Settings) -> int:
    return start_server(settings).pid


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_what_is_killed_comes_back_no_event_is_lost_and_sigterm_ends_all(settings: Settings) -> None:
    port = free_port()
    headers = {"X-API-Key": KEY, "X-Request-ID": "the-request"}
    with (
        started_shop(settings.paths.home, port, "--log", "json", "--json") as shop,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client,
    ):
        shop.wait_for(r'"ready: http://127\.0\.0\.1:\d+ \(1 stream worker')
        family = shop.descendants()
        address = json.loads((settings.paths.redis / "server.json").read_text())
        valkey = redis_pid(settings)
        assert listening([*(each.pid for each in family), valkey]) == {
            f"tcp 127.0.0.1:{port}",
            f"tcp 127.0.0.1:{address['port']}",
        }

        for times, words in enumerate((SERVICE, WORKER, CHARGE_WORKER), start=1):
            [victim] = shop.descendants(words)
            victim.kill()
            wait_until(lambda: ended(victim), words)  # noqa: B023, asked before the next one
            shop.wait_for(r"ended by SIGKILL; it starts again", times)
        os.kill(valkey, signal.SIGKILL)
        shop.wait_for("Valkey ended by itself; it starts again")
        shop.wait_for(r'"ready: http', 2)  # the service, after its restart

        def event_is_visible() -> bool:
            sent = client.post("/v1/events", json=EVENT)
            if sent.status_code != 200:
                return False
            body = {"user_id": user_id(1), "k": 2, "token": sent.json()["token"]}
            return "events_not_visible_yet" not in client.post("/v1/recommend", json=body).json()["degraded"]

        wait_until(event_is_visible, shop.text(), 120)
        # Of a request in flight half the body is there when the shop is told to stop.
        body = json.dumps({"user_id": user_id(1), "k": 2}).encode()
        with socket.create_connection(("127.0.0.1", port), 30) as slow:
            head = (
                "POST /v1/recommend HTTP/1.1",
                "Host: x",
                f"X-API-Key: {KEY}",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
            )
            slow.sendall("\r\n".join((*head, "", "")).encode() + body[:5])
            time.sleep(0.5)
            shop.process.terminate()
            wait_until(lambda: refuses(port), "the port is closed first")
            slow.sendall(body[5:])
            assert slow.recv(100).startswith(b"HTTP/1.1 200")
        assert shop.process.wait(60) == 0, shop.text()

        wait_until(lambda: all(ended(each) for each in family), "all have ended")
        assert not redis_lives(settings)
        text = shop.text()
        assert KEY not in text
        assert address["password"] not in text
        assert f'"address": "http://127.0.0.1:{port}"' in text  # on stdout, by --json
        records = [json.loads(line) for line in text.splitlines() if line.startswith('{"time"')]
        requests = [each for each in records if each["logger"] == "recsys.access"]
        assert {"method", "route", "status", "ms", "bytes", "request_id", "time"} <= set(requests[0])
        assert {each["route"] for each in requests} <= {"/readyz", "/v1/events", "/v1/recommend"}


def test_six_deaths_within_a_minute_stop_all_with_the_reason(settings: Settings) -> None:
    port = free_port()
    with started_shop(settings.paths.home, port) as shop:
        killed: set[int] = set()

        def kill_the_newest() -> bool:
            for each in shop.descendants(WORKER) if shop.process.poll() is None else ():
                if each.pid not in killed:
                    killed.add(each.pid)
                    each.kill()
            return shop.process.poll() is not None

        wait_until(kill_the_newest, shop.text(), 120)
        assert shop.process.returncode == 1
        assert len(killed) == 6
        assert "error: worker 1 ended 6 times within a minute, the last time by SIGKILL" in shop.text()
        assert "Traceback" not in shop.text()
    assert refuses(port)
    assert not redis_lives(settings)


def test_a_taken_port_is_one_line_with_its_owner_and_nothing_is_left_behind(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started_shop(settings.paths.home, port) as shop:
            assert shop.process.wait(120) == 1
            [line] = shop.text().strip().splitlines()
    assert f"process {os.getpid()} (" in line
    assert "has the port. Stop it" in line
    assert not redis_lives(settings)


def test_after_a_kill_of_the_supervisor_its_processes_end_and_the_next_start_gets_the_port(
    settings: Settings,
) -> None:
    port = free_port()
    with started_shop(settings.paths.home, port, "--workers", "2") as shop:
        shop.wait_for("ready: http")
        children = {each: command_line(each) for each in shop.descendants() if each.pid != shop.process.pid}
        assert len([command for command in children.values() if WORKER in command]) == 2
        shop.process.kill()
        wait_until(lambda: all(ended(each) for each in children), f"one of {children} lives on", 30)
    with started_shop(settings.paths.home, port) as shop:
        shop.wait_for("ready: http")
        shop.process.send_signal(signal.SIGINT)
        assert shop.process.wait(60) == 0
    assert redis_lives(settings), "the second start took it over and left it"


def test_on_a_full_disk_all_wait_and_come_back_when_there_is_room(tmp_path: Path) -> None:
    mount = tmp_path / "disk"
    mount.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", mount], capture_output=True
    ).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        settings = make_running_home(mount / "home")
        port = free_port()
        with (
            started(settings.paths.home, ["recsys", "start", "--port", str(port)]) as shop,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
        ):
            shop.wait_for("ready: http")
            with (mount / "fill").open("wb", buffering=0) as fill, suppress(OSError):
                while fill.write(bytes(1 << 16)):
                    pass
            rows = [{"kind": "search", "user_id": f"u{n}", "query": "q" * 400} for n in range(1000)]
            wait_until(
                lambda: client.post("/v1/events", json=rows).status_code == 503, "Valkey has no room", 60
            )
            shop.wait_for("Valkey ended by itself: the disk is full. It starts again when there is room")
            shop.wait_for("Valkey waits for room on the disk", 3)
            assert shop.process.poll() is None
            (mount / "fill").unlink()
            wait_until(lambda: client.post("/v1/events", json={**EVENT}).status_code == 200, shop.text(), 60)
            shop.process.terminate()
            assert shop.process.wait(60) == 0
    finally:
        subprocess.run(["umount", "--lazy", mount], check=True)


def test_nothing_imported_is_one_line_before_anything_is_started(tmp_path: Path) -> None:
    with started(tmp_path / "home", ["recsys", "start", "--port", str(free_port())]) as shop:
        assert shop.process.wait(120) == 1
        [line] = shop.text().strip().splitlines()
    assert line.startswith("error: ")
    assert "recsys data import" in line
