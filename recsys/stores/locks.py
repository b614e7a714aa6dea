"""Locks between processes, each on a file: the kernel frees one when no process has the open file any more.

So a killed process loses its locks at once. To free a lock, close the file or leave its `with` block; a child
process that inherited the file keeps the lock until it ends.
"""

import fcntl
from pathlib import Path
from typing import IO


def wait_for_lock(path: Path) -> IO[bytes]:
    """The open file at `path`, made where there is none, once its lock is ours."""
    file = path.open("ab")
    _lock(file, wait=True)
    return file


def try_lock(path: Path) -> IO[bytes] | None:
    """The open file at `path`, made where there is none, with its lock; None where another holder has it."""
    file = path.open("ab")
    if _lock(file, wait=False):
        return file
    file.close()
    return None


def is_locked(path: Path) -> bool:
    """Whether the lock of the file at `path` is held; false where there is no file."""
    try:
        with path.open("rb") as file:
            return not _lock(file, wait=False)
    except FileNotFoundError:
        return False


def _lock(file: IO[bytes], wait: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except BaseException:
        file.close()
        raise
    return True
