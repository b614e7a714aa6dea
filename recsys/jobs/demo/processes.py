"""Programs of this environment that the demo runs: commands to their end, servers as long as a block runs."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from recsys.client import RecsysClient
from recsys.config import Settings
from recsys.errors import RecsysError, StoreUnavailableError
from recsys.stores.redis.server import server_status

READY_SECONDS = 120.0
SERVICE_STOP_SECONDS = 20.0
WORKER_STOP_SECONDS = 30.0

CHARGES_LOG = "charges.log"  # of the home

log = logging.getLogger(__name__)


def run_command(
    command: Sequence[str],
    quiet: bool,
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Runs a command of this environment; its output is shown on stderr unless `quiet`.

    Args:
        settings: environment variables for it, unless the user set them.
        environment: in the place of this process's.

    Raises:
        RecsysError: it failed.
    """
    program = Path(sys.executable).parent / command[0]
    log.info(f"$ {' '.join(command)}")
    started = time.monotonic()
    output = subprocess.PIPE if quiet else sys.stderr
    variables = {**(settings or {}), **(os.environ if environment is None else environment)}
    result = subprocess.run([str(program), *command[1:]], stdout=output, env=variables, check=False)
    if result.returncode:
        if quiet and result.stdout:
            sys.stderr.buffer.write(result.stdout)
        raise RecsysError(f"`{' '.join(command)}` failed with exit code {result.returncode}.")
    log.info(f"  {time.monotonic() - started:.0f} s")


@contextmanager
def running_redis(
    settings: Settings, quiet: bool, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """The embedded server; stopped at the end if it was started here."""
    was_up = server_status(settings).running
    run_command(["recsys", "up"], quiet, environment=environment)
    try:
        yield
    finally:
        if not was_up:
            run_command(["recsys", "down"], True, environment=environment)


@contextmanager
def running_worker(settings: Settings) -> Iterator[None]:
    """`recsys stream run` in a process group of its own, ready to process; stopped at the end."""
    file = settings.paths.home / "stream.log"
    log.info(f"$ recsys stream run  (log: {file})")
    with _background(["recsys", "stream", "run"], file, WORKER_STOP_SECONDS):
        yield


@contextmanager
def running_charge_worker(settings: Settings) -> Iterator[None]:
    """`recsys ads run` in a process group of its own; stopped at the end."""
    file = settings.paths.home / CHARGES_LOG
    log.info(f"$ recsys ads run  (log: {file})")
    with _background(["recsys", "ads", "run"], file, WORKER_STOP_SECONDS):
        yield


@contextmanager
def running_service(settings: Settings, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """`bentoml serve` in a process group of its own; yields its address once it is ready.

    Raises:
        RecsysError: the port is taken, or the service ended at once.
        StoreUnavailableError: it did not become ready in time.
    """
    file = settings.paths.home / "serve.log"
    address = f"http://{settings.serving.host}:{settings.serving.port}"
    log.info(f"$ bentoml serve  (log: {file})")
    if _is_ready(address):
        raise RecsysError(f"something answers at {address} already. Stop it or set RECSYS_SERVING__PORT.")
    command = ["bentoml", "serve"]
    with _background(command, file, SERVICE_STOP_SECONDS, settings.root, environment) as process:
        _wait_until_ready(process, address, file)
        yield address


@contextmanager
def _background(
    command: Sequence[str],
    file: Path,
    stop_seconds: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that writes to `file`; it and its children are stopped at the end, killed if they linger."""
    program = Path(sys.executable).parent / command[0]
    with file.open("wb") as output:
        process = subprocess.Popen(
            [str(program), *command[1:]],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(stop_seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_until_ready(process: "subprocess.Popen[bytes]", address: str, file: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while not _is_ready(address):
        if process.poll() is not None:
            tail = file.read_text("utf-8", "replace")[-2000:]
            raise RecsysError(f"`bentoml serve` ended with exit code {process.returncode}:\n{tail}")
        if time.monotonic() > end:
            raise StoreUnavailableError("service", "GET /readyz", READY_SECONDS, f"See {file}.")
        time.sleep(0.3)


def _is_ready(address: str) -> bool:
    with RecsysClient(address, timeout=2) as shop:
        return shop.is_ready()
