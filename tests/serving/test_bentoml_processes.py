"""`bentoml serve` as typed: what listens, what becomes of it without its parent, and errors in one line."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from recsys.config import Settings
from recsys.stores.redis.server import stop_server
from tests.running_home import make_running_home
from tests.started_process import Started, listening, started, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    found = make_running_home(tmp_path_factory.mktemp("shop") / "home")
    yield found
    stop_server(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def bentoml(home: Path, port: int, *options: str) -> Iterator[Started]:
    with started(home, ["bentoml", "serve", "--port", str(port), *options]) as service:
        yield service


def test_only_the_services_port_listens_and_a_killed_parent_leaves_no_worker(settings: Settings) -> None:
    port = free_port()
    with bentoml(settings.paths.home, port) as service:
        service.wait_for("bundle random-1 is in service")
        family = service.descendants()
        assert len(family) >= 2
        assert listening([each.pid for each in family]) == {f"tcp 127.0.0.1:{port}"}
        service.process.send_signal(signal.SIGKILL)
        wait_until(lambda: not any(alive(each) for each in family), "the worker ends", 30)
    with bentoml(settings.paths.home, port) as service:
        service.wait_for("bundle random-1 is in service")
        service.process.terminate()
        assert service.process.wait(60) == 0


def test_a_reloading_supervisor_is_reached_by_its_own_account_only(settings: Settings) -> None:
    port = free_port()
    with bentoml(settings.paths.home, port, "--reload") as service:
        service.wait_for("bundle random-1 is in service")
        found = listening([each.pid for each in service.descendants()])
        unix = [name.removeprefix("unix ") for name in found if name.startswith("unix ")]
        assert found == {f"tcp 127.0.0.1:{port}", *(f"unix {name}" for name in unix)}
        folders = {Path(name).parent for name in unix}
        assert len(folders) == 1
        assert folders.pop().stat().st_mode & 0o077 == 0


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def line_of(home: Path, *command: str) -> str:
    """The one line that a command ends with, at once and with exit code 1."""
    with started(home, command) as program:
        assert program.process.wait(180) == 1, program.text()
        [line] = program.text().strip().splitlines()
    return line


def test_a_taken_port_is_told_in_one_line(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        line = line_of(settings.paths.home, "bentoml", "serve", "--port", str(taken.getsockname()[1]))
    assert re.search(rf"process {os.getpid()} \(.*has the port\. Stop it", line)


@pytest.mark.parametrize("state", ["full", "read-only"])
def test_a_disk_that_takes_nothing_is_told_in_one_line(tmp_path: Path, state: str) -> None:
    mount = tmp_path / "disk"
    mount.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", mount], capture_output=True
    ).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        home = mount / "home"
        home.mkdir()
        if state == "full":
            with (mount / "fill").open("wb", buffering=0) as fill, suppress(OSError):
                while fill.write(bytes(1 << 16)):
                    pass
        else:
            subprocess.run(["mount", "-o", "remount,ro", mount], check=True)
        port = str(free_port())
        commands = (
            ["bentoml", "serve", "--port", port],
            ["recsys", "start", "--port", port],
            ["recsys", "stream", "run"],
        )
        for command in commands:
            line = line_of(home, *command)
            assert f"{home} cannot be written: " in line
            assert {"full": "Free some disk space", "read-only": "Set RECSYS_HOME"}[state] in line
    finally:
        subprocess.run(["umount", "--lazy", mount], check=True)
