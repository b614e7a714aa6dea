"""A real `bentoml serve` in a process group of its own, and what it costs."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

START_SECONDS = 180.0


@contextmanager
def serving(
    root: Path, home: Path, environment: Mapping[str, str] | None = None, target: str = "."
) -> Iterator[tuple[str, int]]:
    """Address and process id of `bentoml serve TARGET`, run in `root` on `home`; stopped by SIGTERM.

    Raises:
        RuntimeError: it did not become ready; the message ends with its log.
    """
    port = _free_port()
    log = home / "serve.log"
    variables = {
        **os.environ,
        "RECSYS_HOME": str(home),
        "BENTOML_HOME": str(home / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        **(environment or {}),
    }
    command = [str(Path(sys.executable).with_name("bentoml")), "serve", target, "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=root, env=variables, stdout=output, stderr=output, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(process, address, log)
        yield address, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def cpu_seconds(pid: int) -> float:
    """CPU seconds so far of the process and all its descendants that live, user and system."""
    ticks = 0
    for tree in _tree(pid):
        try:
            fields = Path(f"/proc/{tree}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    below = [int(child) for child in children.read_text().split()] if children.exists() else []
    return [pid, *(found for child in below for found in _tree(child))]


def _wait(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    """Until the service is ready; it loads its bundle before it listens."""
    end = time.monotonic() + START_SECONDS
    problem = "it does not listen"
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(f"{address}/readyz", timeout=2):
                return
        except HTTPError as error:
            problem = error.read().decode()
            break
        except (URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"bentoml serve is not ready: {problem}\n{log.read_text()[-4000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
