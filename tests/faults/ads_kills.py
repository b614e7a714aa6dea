"""Kills Redis, charge workers, PostgreSQL and services at random, and checks every budget and the books.

scripts/ads_kills --kills 20 --seed 1 [--http]
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recsys.config import Settings
from tests.faults.ads_home import ACCOUNT, ads_home, campaigns, levels_of
from tests.faults.http_kills import run_http_kills
from tests.faults.kill_report import KillReport, kill_report
from tests.faults.victims import (
    READY_SECONDS,
    Process,
    Processes,
    end_processes,
    is_all_charged,
    is_gate_built,
    kill_postgres,
    kill_redis,
    postgres_server,
    wait_until,
)

WORKERS, SERVICES, LOOPS = 2, 2, 50
LIFE_SECONDS = (1.0, 4.0)  # between two kills
DRAIN_SECONDS = 600.0
VICTIMS = ("redis", "charge worker", "database", "service")


class Shop:
    """Charge workers and serving loops of a home as processes, and its servers; each may be killed."""

    def __init__(
        self, settings: Settings, variables: Mapping[str, str], folder: Path, postgres: Any | None
    ) -> None:
        self._settings, self._folder, self._postgres = settings, folder, postgres
        self._processes = Processes(variables, folder)
        self.workers = [self._worker() for _ in range(WORKERS)]
        self.services: list[Process] = []

    def serve(self, services: int, loops: int) -> None:
        """Begins to serve ads and to click on them."""
        self.services = [self._service(loops) for _ in range(services)]

    def kill(self, victim: str, rng: random.Random, loops: int) -> None:
        """Kills one of them and starts it again after a moment."""
        if victim == "redis":
            kill_redis(self._settings, rng)
        elif victim == "database" and self._postgres is not None:
            kill_postgres(self._postgres, rng)
        elif victim == "charge worker":
            self._replace(self.workers, rng, self._worker)
        else:
            self._replace(self.services, rng, lambda: self._service(loops))

    def stop_serving(self) -> None:
        """Lets the loops end."""
        end_processes(self.services)

    def stop(self) -> None:
        """Lets all end."""
        end_processes([*self.services, *self.workers])

    def accepted(self) -> set[str]:
        """The slots of all clicks that were accepted."""
        return {
            line
            for file in self._folder.glob("accepted-*")
            for line in file.read_text().split("\n")[:-1]  # the last one of a process may be cut off
        }

    def _replace(self, processes: list[Process], rng: random.Random, start: Callable[[], Process]) -> None:
        place = rng.randrange(len(processes))
        processes[place].kill()
        processes[place].wait()
        processes[place] = start()

    def _worker(self) -> Process:
        return self._processes.module("worker", "recsys.cli.app", "ads", "run")

    def _service(self, loops: int) -> Process:
        number = str(self._processes.started)
        file = self._folder / f"accepted-{number}"
        return self._processes.module("service", "tests.faults.ads_loop", number, str(loops), str(file))


def run_kills(
    folder: Path,
    kills: Sequence[str],
    seed: int,
    with_postgres: bool = True,
    loops: int = LOOPS,
    seconds: float = 0.0,
) -> KillReport:
    """Serves, clicks and charges; kills one victim after the other; then waits until all is charged.

    Args:
        folder: for the home and the logs of all processes.
        kills: the victims, one after the other.
        seconds: that all go on after the last kill.
    """
    rng = random.Random(seed)
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server()) if with_postgres else None
        url = None if postgres is None else postgres.get_uri()
        settings, variables = stack.enter_context(ads_home(folder / "home", url))
        shop = Shop(settings, variables, folder, postgres)
        stack.callback(shop.stop)
        wait_until(
            lambda: is_gate_built(settings, ACCOUNT.account_id), READY_SECONDS, "the gate is not built"
        )
        shop.serve(SERVICES, loops)
        wait_until(lambda: len(shop.accepted()) > loops, READY_SECONDS, "no click is accepted")
        for victim in kills:
            time.sleep(rng.uniform(*LIFE_SECONDS))
            shop.kill(victim, rng, loops)
        time.sleep(seconds)
        shop.stop_serving()
        wait_until(lambda: is_all_charged(settings), DRAIN_SECONDS, "clicks wait and are not charged")
        shop.stop()
        time.sleep(settings.ads.hold_seconds)
        killed = {victim: kills.count(victim) for victim in dict.fromkeys(kills)}
        caps = {level.name: level.cap_micros for each in campaigns() for level in levels_of(each)}
        return kill_report(settings, {ACCOUNT.account_id: caps}, shop.accepted(), killed)


def main() -> None:
    """Runs so many kills, prints the report, and exits with 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--http", action="store_true", help="real services, asked over HTTP")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(options.kills)]
    rng.shuffle(victims)
    run = run_http_kills if options.http else run_kills
    with tempfile.TemporaryDirectory(prefix="recsys-kills-") as folder:
        report = run(Path(folder), victims, options.seed, seconds=5.0)
    sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n")
    sys.exit(0 if report.is_right else 1)


if __name__ == "__main__":
    main()
