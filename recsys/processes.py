"""Processes of this machine: what ends one (its parent, a signal), and which one listens at a port."""

import ctypes
import getpass
import os
import signal
import sys
import threading
import time
from _thread import start_new_thread
from contextlib import suppress

import psutil

PARENT_PID = "RECSYS_PARENT_PID"  # set by whoever starts a process that shall not outlive it
_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 1.0
_SHOWN_CHARACTERS = 120


def end_with_parent(parent: int) -> None:
    """Lets this process get SIGTERM as soon as the process `parent` is gone, however that ended.

    Call it from the main thread. Linux tells at once; elsewhere a thread looks every second.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    else:
        threading.Thread(target=_watch_parent, args=(parent,), name="parent", daemon=True).start()
    if os.getppid() != parent:  # gone before the kernel knew whom to tell
        os.kill(os.getpid(), signal.SIGTERM)


def end_with_starter() -> None:
    """`end_with_parent` where the environment names the process that started this one; else nothing."""
    if parent := os.environ.pop(PARENT_PID, ""):  # not for processes that this one starts
        end_with_parent(int(parent))


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set in place of their usual effect. Call it from the main thread."""
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        # Not within the handler: it may interrupt `stop.wait` while that holds the lock that `set` needs.
        signal.signal(each, lambda *_: start_new_thread(stop.set, ()))
    return stop


def current_user() -> str:
    """Who runs this process; "" if it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""


def port_owner(port: int) -> str | None:
    """The process that listens at TCP port `port`, as `process 7 (command)`; None where that cannot be told.

    Of several that share the socket it is the first parent: it would start the others again. Of another
    account's processes only root may know.
    """
    try:
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
                owner = _first_parent(psutil.Process(each.pid), each.fd)
                return f"process {owner.pid} ({' '.join(owner.cmdline())[:_SHOWN_CHARACTERS]})"
    except (psutil.Error, OSError):
        pass
    return None


def _first_parent(process: psutil.Process, descriptor: int) -> psutil.Process:
    """The topmost of its parents that has the same socket open; on Linux, else the process itself."""
    if sys.platform != "linux":
        return process
    wanted = os.readlink(f"/proc/{process.pid}/fd/{descriptor}")
    while (parent := process.parent()) is not None and wanted in _open_files(parent.pid):
        process = parent
    return process


def _open_files(pid: int) -> set[str]:
    found = set()
    folder = f"/proc/{pid}/fd"
    with suppress(OSError):  # another account's, or gone
        for name in os.listdir(folder):
            with suppress(OSError):
                found.add(os.readlink(f"{folder}/{name}"))
    return found


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
