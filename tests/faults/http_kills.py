"""Services answer over HTTP, a charge worker charges, all of them are killed; the books must be right."""

import json
import random
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.tokens.impression_token import ImpressionTokens
from recsys.config import Settings
from recsys.instants import utc_now
from recsys.jobs.start.listener import bind_listener
from recsys.jobs.start.programs import CHARGE_WORKER, SERVICE
from recsys.stores.ads_token_key import token_keys
from recsys.stores.shop_identity import known_shop_id
from tests.faults.http_home import SMALL, caps, http_home
from tests.faults.kill_report import KillReport, kill_report
from tests.faults.victims import (
    READY_SECONDS,
    Process,
    Processes,
    is_all_charged,
    is_gate_built,
    kill_postgres,
    kill_redis,
    kill_tree,
    postgres_server,
    wait_until,
)

LOOPS = 100
LIFE_SECONDS = (1.0, 4.0)  # between two kills
DRAIN_SECONDS = 300.0
DAY_SECONDS = 86_400
BILLED = {"click": PricingCode.CPC, "impression": PricingCode.CPM}


class HttpShop:
    """Two services and a charge worker of a home; each may be killed.

    One service is started as `recsys start` does it, on a socket that outlives it, and the other by
    `bentoml serve`, with all processes that belong to it.
    """

    def __init__(
        self, settings: Settings, variables: Mapping[str, str], folder: Path, postgres: Any | None
    ) -> None:
        self._settings, self._folder, self._postgres = settings, folder, postgres
        self._processes = Processes(variables, folder)
        self._listener = bind_listener("127.0.0.1", 0)
        self._bento_port = _free_port()
        ports = (self._listener.getsockname()[1], self._bento_port)
        self.addresses = [f"http://127.0.0.1:{port}" for port in ports]
        self.worker = self._start_worker()
        self.services = [self._start_service(place) for place in range(len(ports))]
        self.loops: list[Process] = []

    def kill(self, victim: str, rng: random.Random) -> None:
        """Kills one of them with all that it started, and starts it again."""
        if victim == "redis":
            kill_redis(self._settings, rng)
        elif victim == "database" and self._postgres is not None:
            kill_postgres(self._postgres, rng)
        elif victim == "charge worker":
            kill_tree(self.worker)
            self.worker = self._start_worker()
        else:
            place = rng.randrange(len(self.services))
            kill_tree(self.services[place])
            self.services[place] = self._start_service(place)

    def ask(self, loops: int) -> None:
        """Begins to ask for ads and to click on them."""
        files = (str(self._accepted_file), str(self._answers_file))
        command = ("tests.faults.http_loop", str(loops), *files, *self.addresses)
        self.loops = [self._processes.module("loops", *command)]

    def stop_asking(self) -> None:
        """Lets the loops end once all that they saw is told.

        Raises:
            RuntimeError: they could not tell it.
        """
        for each in self.loops:
            each.terminate()
            if each.wait(READY_SECONDS):
                raise RuntimeError(next(self._folder.glob("loops-*.log")).read_text()[-2000:])

    def stop(self) -> None:
        """Ends all at once: what they did is known by then."""
        for each in (*self.loops, *self.services, self.worker):
            if each.poll() is None:
                kill_tree(each)
        self._listener.close()

    def is_ready(self, services: int | None = None) -> bool:
        """Whether so many services answer; None = every one."""
        ready = sum(map(_answers, self.addresses))
        return ready >= (len(self.addresses) if services is None else services)

    def accepted(self) -> list[tuple[str, str]]:
        """Kind and token of every event that a service has accepted."""
        if not self._accepted_file.exists():
            return []
        lines = self._accepted_file.read_text().split("\n")[:-1]
        return [(kind, token) for kind, _, token in (line.partition(" ") for line in lines)]

    def billable_slots(self) -> set[str]:
        """Those that are to be charged: clicked where clicks are sold, seen where impressions are."""
        tokens = ImpressionTokens(token_keys(self._settings), known_shop_id(self._settings) or "")
        now = utc_now()
        found = ((kind, tokens.decode(token, now, DAY_SECONDS)) for kind, token in set(self.accepted()))
        return {each.slot_id for kind, each in found if each.pricing is BILLED[kind]}

    def answers(self) -> Mapping[str, int]:
        """How often services answered with which status, once the loops have ended."""
        return dict(json.loads(self._answers_file.read_text()))

    @property
    def _accepted_file(self) -> Path:
        return self._folder / "accepted"

    @property
    def _answers_file(self) -> Path:
        return self._folder / "answers.json"

    def _start_worker(self) -> Process:
        return self._processes.start("worker", CHARGE_WORKER)

    def _start_service(self, place: int) -> Process:
        if place == 0:
            descriptor = self._listener.fileno()
            return self._processes.start("service", (*SERVICE, str(descriptor)), (descriptor,))
        bentoml = str(Path(sys.executable).with_name("bentoml"))
        return self._processes.start("bentoml", (bentoml, "serve", ".", "--port", str(self._bento_port)))


def run_http_kills(
    folder: Path,
    kills: Sequence[str],
    seed: int,
    with_postgres: bool = True,
    loops: int = LOOPS,
    seconds: float = 0.0,
) -> KillReport:
    """As `run_kills`, with services that are asked over HTTP by loops that go on whatever is killed."""
    rng = random.Random(seed)
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server()) if with_postgres else None
        url = None if postgres is None else postgres.get_uri()
        settings, variables = stack.enter_context(http_home(folder / "home", url))
        shop = HttpShop(settings, variables, folder, postgres)
        stack.callback(shop.stop)
        wait_until(lambda: is_gate_built(settings, SMALL.account_id), READY_SECONDS, "the gate is not built")
        wait_until(shop.is_ready, READY_SECONDS, "a service does not answer")
        shop.ask(loops)
        wait_until(lambda: len(shop.accepted()) > loops, READY_SECONDS, "no event is accepted")
        for victim in kills:
            wait_until(lambda: shop.is_ready(1), READY_SECONDS, "no service answers")
            time.sleep(rng.uniform(*LIFE_SECONDS))
            shop.kill(victim, rng)
        wait_until(shop.is_ready, READY_SECONDS, "a service does not answer after the kills")
        time.sleep(seconds)
        shop.stop_asking()
        wait_until(lambda: is_all_charged(settings), DRAIN_SECONDS, "events wait and are not charged")
        time.sleep(settings.ads.hold_seconds)
        slots = shop.billable_slots()
        killed = {victim: kills.count(victim) for victim in dict.fromkeys(kills)}
        return kill_report(settings, caps(), slots, killed, may_be_accepted=slots, answers=shop.answers())


def _answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/readyz", timeout=5):
            return True
    except (URLError, OSError):
        return False


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
