"""A process that has loaded everything a worker needs, and forks one in milliseconds when it is told to.

A start of `recsys stream run` costs seconds of imports, and a test of many kills would see little else.
What a child does is what the console script does.
"""

import os
import subprocess
import sys

from recsys.config import Settings


class WorkerProcesses:
    """Starts `recsys stream run` again and again, in the environment of this process."""

    def __init__(self, settings: Settings) -> None:
        environment = {**os.environ, "RECSYS_HOME": str(settings.paths.home), "PYTHONPATH": os.getcwd()}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.streaming.worker_processes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._answer()  # it has loaded everything

    def start(self) -> int:
        """The process id of a new worker."""
        return self._ask("start")

    def wait(self, worker: int) -> int:
        """How a worker ended: its exit code, or minus the signal."""
        return self._ask(f"wait {worker}")

    def close(self) -> None:
        """Ends it; workers that live are left alone."""
        self._process.communicate(timeout=30)

    def _ask(self, question: str) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def run() -> None:
    """Answers a number to each line of stdin."""
    import recsys.jobs.stream.run  # noqa: F401, with all that it imports
    from recsys.cli.app import main
    from recsys.config import load_settings
    from recsys.stores.features.online_writer import OnlineRows

    OnlineRows(load_settings()).close()  # Feast imports much of itself only now
    sys.stdout.write("0\n")
    sys.stdout.flush()
    for line in sys.stdin:
        question, *words = line.split()
        if question == "wait":
            answer = os.waitstatus_to_exitcode(os.waitpid(int(words[0]), 0)[1])
        elif (answer := os.fork()) == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            sys.argv = ["recsys", "stream", "run"]
            main()
            os._exit(0)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run()
