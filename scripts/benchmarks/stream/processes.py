"""Real `recsys stream run` processes on a home, and waiting for what they make visible."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from online.served_process import cpu_seconds

from recsys.config import Settings
from recsys.instants import now_micros
from recsys.stores.stream.open import open_progress, open_stream
from recsys.streaming.stream import StreamProgress
from stream.shop import append, bodies

START_SECONDS = 120.0
LONGEST_SECONDS = 120.0


@contextmanager
def workers(settings: Settings, shares: Sequence[str | None]) -> Iterator[list[int]]:
    """Process ids of one worker a share, such as `0-3` (None: all that is free); SIGTERM afterwards.

    They have begun: an event in every partition is visible.

    Raises:
        RuntimeError: they did not begin; the message ends with their log.
    """
    log = settings.paths.home / "worker.log"
    environment = {
        **os.environ,
        "RECSYS_HOME": str(settings.paths.home),
        "RECSYS_STREAM__PARTITIONS": str(settings.stream.partitions),
    }
    started = []
    with log.open("wb") as output:
        for share in shares:
            command = [sys.executable, "-m", "recsys.cli.app", "stream", "run"]
            command += ["--partitions", share] if share else []
            started.append(
                subprocess.Popen(command, cwd=settings.root, env=environment, stdout=output, stderr=output)
            )
    try:
        _begin(settings, started)
        yield [process.pid for process in started]
    except TimeoutError as error:
        raise RuntimeError(f"{error}\n{log.read_text()[-4000:]}") from error
    finally:
        for process in started:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in started:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def halted(pids: Sequence[int]) -> Iterator[None]:
    """Stops processes in their tracks as long as the block runs."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def wait_visible(progress: StreamProgress, last: Mapping[int, int], seconds: float = LONGEST_SECONDS) -> None:
    """Returns when everything up to these offsets is visible online.

    Raises:
        TimeoutError: it is not within `seconds`.
    """
    end = time.monotonic() + seconds
    while True:
        reached = progress.reached(last)
        if all(reached[partition] >= offset for partition, offset in last.items()):
            return
        if time.monotonic() > end:
            raise TimeoutError(f"the workers got to {reached} of {dict(last)} in {seconds:.0f} s")
        time.sleep(0.005)


def cpu_of(pids: Sequence[int]) -> float:
    """CPU seconds of these processes so far."""
    return sum(map(cpu_seconds, pids))


def _begin(settings: Settings, started: Sequence["subprocess.Popen[bytes]"]) -> None:
    stream, progress = open_stream(settings), open_progress(settings)
    last = append(stream, bodies(50 * stream.partitions, 100, 1000, seed=99), now_micros())
    stream.close()
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            wait_visible(progress, last, 1.0)
            return
        except TimeoutError:
            if time.monotonic() > end or any(process.poll() is not None for process in started):
                raise
