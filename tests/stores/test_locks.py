"""A lock has one holder at a time, lasts as long as its file is open and no longer than its process lives."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recsys.stores.locks import is_locked, try_lock, wait_for_lock

HOLD = """
import sys, time
from pathlib import Path
from recsys.stores.locks import wait_for_lock
lock = wait_for_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.lock"


def test_a_lock_that_is_held_is_not_given_twice(path: Path) -> None:
    with wait_for_lock(path):
        assert try_lock(path) is None
        assert is_locked(path)
    assert not is_locked(path)


def test_a_lock_is_free_once_its_file_is_closed(path: Path) -> None:
    first = try_lock(path)
    assert first is not None
    first.close()
    second = try_lock(path)
    assert second is not None
    second.close()


def test_a_file_that_is_not_there_is_not_locked_and_not_made(path: Path) -> None:
    assert not is_locked(path)
    assert not path.exists()


def test_a_lock_leaves_what_is_in_the_file(path: Path) -> None:
    path.write_text("content")
    with wait_for_lock(path):
        pass
    assert path.read_text() == "content"


def test_who_waits_gets_the_lock_when_it_is_free(path: Path) -> None:
    order: list[str] = []

    def wait() -> None:
        with wait_for_lock(path):
            order.append("second")

    with wait_for_lock(path):
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.1)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_a_killed_process_loses_its_lock(path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_locked(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert not is_locked(path)


def test_a_child_that_inherits_the_file_keeps_the_lock(path: Path) -> None:
    with wait_for_lock(path) as lock:
        child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.fileno(),))
    try:
        assert is_locked(path)
    finally:
        child.kill()
        child.wait()
    assert not is_locked(path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for lock in (wait_for_lock, try_lock):
        with pytest.raises(FileNotFoundError):
            lock(tmp_path / "none" / "a.lock")
