"""What `recsys start` runs: processes of this environment, and the embedded server of the home."""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Thread

from recsys.config import Settings
from recsys.errors import RecsysError
from recsys.processes import PARENT_PID
from recsys.stores.locks import is_locked
from recsys.stores.redis import server as redis_server

LINES_KEPT = 10
START_SECONDS = 20.0  # that a Valkey which is just starting may take before it is stopped
READ_SECONDS = 2.0  # for the last lines of a process that ended

# Without the working directory in its path: a folder of the shop may be called as a package of ours.
PYTHON = (sys.executable, "-P", "-m")
WORKER = (*PYTHON, "recsys.cli.app", "stream", "run")
CHARGE_WORKER = (*PYTHON, "recsys.cli.app", "ads", "run")
SERVICE = (*PYTHON, "serving.main", "--fd")


class ChildProcess:
    """A process that ends with this one, in a group of its own; each line it writes is handed on.

    Args:
        environment: variables beside those of this process.
        inherited: file descriptors that it gets.
        hand_on: takes its name and a line.
        on_start, on_stop: called after each start, and before it is told to stop.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        hand_on: Callable[[str, str], None],
        inherited: Sequence[int] = (),
        on_start: Callable[[], None] = lambda: None,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._command, self._inherited = command, inherited
        self._on_start, self._on_stop = on_start, on_stop
        self._environment = {**environment, PARENT_PID: str(os.getpid())}
        self._hand_on = hand_on
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._process: subprocess.Popen[str] | None = None
        self._reader: Thread | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, None before it was started."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Starts the process, from the main thread: it ends with the thread that starts it."""
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=self._inherited,
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops all in order
        )
        self._reader = Thread(
            target=self._read, args=(self._process,), name=f"log of {self.name}", daemon=True
        )
        self._reader.start()
        self._on_start()

    def ended(self) -> str | None:
        """`with exit code 1` or `by SIGKILL`; None while it runs."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return None
        if self._reader is not None:
            self._reader.join(READ_SECONDS)
        return f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"

    def stop(self) -> None:
        """Sends SIGTERM."""
        self._on_stop()
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Sends SIGKILL to the process and all that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def last_lines(self) -> Sequence[str]:
        """Its last lines."""
        return tuple(self._lines)

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self._lines.append(line.rstrip("\n"))
                self._hand_on(self.name, line.rstrip("\n"))


class EmbeddedServer:
    """The Valkey of the home, a daemon of its own; one that ran before is taken over and left running."""

    name = "Valkey"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._starting: Thread | None = None
        self._problem: str | None = None
        self._started_here = not self._is_alive()

    def start(self) -> None:
        """Begins to start it; a long append-only file takes its time."""
        self._started_here, self._problem = True, None
        self._starting = Thread(target=self._start, name="start of Valkey", daemon=True)
        self._starting.start()

    def ended(self) -> str | None:
        """What its last start failed with, or that it is gone; None while it runs or starts."""
        if self._starting is not None and self._starting.is_alive():
            return None
        if self._problem is not None:
            return f"({self._problem})"
        return None if self._is_alive() else "by itself"

    def stop(self) -> None:
        """Stops it once its data is on disk, if it was started here."""
        if self._starting is not None:
            self._starting.join(START_SECONDS)
        if self._started_here:
            redis_server.stop_server(self._settings)

    def kill(self) -> None:
        """As `stop`: what was accepted must be on disk."""
        self.stop()

    def last_lines(self) -> Sequence[str]:
        """The end of redis.log."""
        file = self._settings.paths.redis / redis_server.LOG
        return file.read_text("utf-8", "replace").splitlines()[-LINES_KEPT:] if file.exists() else ()

    def _is_alive(self) -> bool:
        return is_locked(self._settings.paths.redis / redis_server.LOCK)

    def _start(self) -> None:
        try:
            redis_server.start_server(self._settings)
        except (RecsysError, OSError) as error:
            self._problem = str(error)
