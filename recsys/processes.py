"""Processes of this machine: one that ends with its parent, and which one listens at a port."""

import ctypes
import os
import signal
import sys
import threading
import time

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


def port_owner(port: int) -> str | None:
    """The process that listens at TCP port `port`, as `process 7 (command)`; None where that cannot be told.

    Of another account's processes only root may know.
    """
    try:
        found = psutil.net_connections("tcp")
        pids = {
            each.pid
            for each in found
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid
        }
        if not pids:
            return None
        pid = min(pids)  # a parent that shares its socket with its children is the eldest
        command = " ".join(psutil.Process(pid).cmdline())
    except (psutil.Error, OSError):
        return None
    return f"process {pid} ({command[:_SHOWN_CHARACTERS]})"


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
