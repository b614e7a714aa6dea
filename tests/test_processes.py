"""Processes that end with their parent or by a signal, and who has a port."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from recsys.processes import port_owner

CHILD = """
import sys, time
from recsys.processes import end_with_starter
end_with_starter()
sys.stdout.write("ready\\n"); sys.stdout.flush()
time.sleep(600)
"""
# Starts a child that names it as its starter, tells the child's id, and waits.
PARENT = f"""
import os, subprocess, sys, time
environment = {{**os.environ, "RECSYS_PARENT_PID": str(os.getpid())}}
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], env=environment, stdout=subprocess.PIPE)
child.stdout.readline()
sys.stdout.write(f"{{child.pid}}\\n"); sys.stdout.flush()
time.sleep(600)
"""


def gone(pid: int, seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_with_the_one_that_started_it_however_that_ended(how: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", PARENT], env=environment, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(how)
    assert gone(child)


def test_a_child_of_a_parent_that_is_gone_already_ends_at_once() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "RECSYS_PARENT_PID": "1"}
    done = subprocess.run([sys.executable, "-c", CHILD], env=environment, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGTERM


def test_without_a_starter_a_process_is_left_alone() -> None:
    code = "from recsys.processes import end_with_starter; end_with_starter()"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == 0


def test_a_signal_that_comes_while_the_event_is_locked_is_heeded() -> None:
    code = """if True:
        import os, signal, sys
        from recsys.processes import stop_on_signals
        stop = stop_on_signals()
        with stop._cond:  # as `stop.wait` holds it for a moment
            os.kill(os.getpid(), signal.SIGTERM)
        sys.exit(7 if stop.wait(20) else 1)
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == 7


def test_of_processes_that_share_a_socket_the_first_parent_is_its_owner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        with subprocess.Popen(sleep, pass_fds=[taken.fileno()]) as child:
            owner = port_owner(port)
            child.kill()
    assert owner is not None
    assert owner.startswith(f"process {os.getpid()} (")
    assert port_owner(port) is None
