"""Real `recsys start` and `bentoml serve` processes: their log, their descendants, what they listen at."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
START_SECONDS = 180.0
_TABLES = {"tcp": "0A", "tcp6": "0A", "udp": "", "udp6": ""}  # file of /proc/net -> state that listens


@dataclass
class Started:
    """A process and the file that it writes to; `written` is what was there at its end."""

    process: "subprocess.Popen[bytes]"
    log: Path
    written: str | None = None

    def text(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.written is None else self.written

    def wait_for(self, pattern: str, times: int = 1, seconds: float = START_SECONDS) -> list[str]:
        """All that `pattern` matches in the log, once it does so many times."""
        found: list[str] = []

        def there() -> bool:
            found[:] = re.findall(pattern, self.text())
            return len(found) >= times or self.process.poll() is not None

        wait_until(there, f"{pattern} in {self.text()}", seconds)
        assert len(found) >= times, self.text()
        return found

    def descendants(self, words: str = "") -> list[psutil.Process]:
        """The processes below it whose command line has `words`, and with none given itself too."""
        top = psutil.Process(self.process.pid)
        below = top.children(recursive=True)
        return [each for each in below if words in command_line(each)] if words else [top, *below]


def command_line(process: psutil.Process) -> str:
    """Its words; empty where it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # a zombie too
        return ""


def wait_until(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@contextmanager
def started(home: Path, command: Sequence[str], **environment: str) -> Iterator[Started]:
    """`command` of this environment on `home`; killed with all that it started if it is there at the end."""
    log = Path(tempfile.mkstemp(prefix=f"{'-'.join(command[:2])}-", suffix=".log")[1])
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RECSYS_")},
        "RECSYS_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "BENTOML_HOME": str(log.with_suffix("")),  # BentoML makes it before it loads any code of ours
        **environment,
    }
    program = str(Path(sys.executable).with_name(command[0]))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *command[1:]],
            cwd=ROOT,
            env=variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    found = Started(process, log)
    try:
        yield found
    finally:
        if process.poll() is None:
            for each in reversed(found.descendants()):
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(signal.SIGKILL)
            process.wait()
        found.written = found.text()
        log.unlink()
        shutil.rmtree(log.with_suffix(""), ignore_errors=True)


def listening(pids: Sequence[int]) -> set[str]:
    """Every socket at which these processes can be reached: `tcp 127.0.0.1:3000`, `unix @name`, ..."""
    inodes = {
        found[1]
        for pid in pids
        for link in _links(pid)
        if (found := re.fullmatch(r"socket:\[(\d+)\]", link)) is not None
    }
    return {*_internet(inodes), *_unix(inodes)}


def _links(pid: int) -> Iterator[str]:
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            yield os.readlink(path)


def _internet(inodes: set[str]) -> Iterator[str]:
    for table, state in _TABLES.items():
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in inodes and (not state or words[3] == state):
                address, port = words[1].split(":")
                host = ".".join(str(byte) for byte in reversed(bytes.fromhex(address)))
                yield f"{table} {host if len(address) == 8 else address}:{int(port, 16)}"


def _unix(inodes: set[str]) -> Iterator[str]:
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        words = line.split()
        accepts, datagram = int(words[3], 16) & 0x10000, words[4] == "0002" and len(words) > 7
        if words[6] in inodes and (accepts or datagram):
            yield f"unix {words[7] if len(words) > 7 else '(without a name)'}"
