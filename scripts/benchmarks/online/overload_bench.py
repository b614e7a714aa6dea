"""`/v1/recommend` at twice and five times of what the service can answer, with events beside it.

The client has a core of its own, the service and its Redis share another. The capacity is measured first, by
a closed loop of as many requests as there are threads: nobody waits, every answer is a full one. Then each
load is followed by seven tenths of the capacity, to see how soon answers are as before. Latency counts from
the instant at which a request was due.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from recsys.cli.output import note
from recsys.config import Settings, load_settings
from recsys.funnel.requests import EFFORT_DEGRADATIONS
from recsys.service_settings import ServingSettings
from recsys.stores.stream.open import open_stream

# Relative, for the tests play a short overload too.
from . import random_shop
from .bounded_row import bounded_row
from .open_loop import Phase, Record
from .served_process import serving

ITEMS = 20_000
USERS = 2_000
RECOMMEND, EVENTS = "/v1/recommend", "/v1/events"
EVENT_RATE = 10.0  # bodies of one event a second, all the time
OVERLOADS = (2.0, 5.0)  # times the capacity
NORMAL_LOAD = 0.7
NORMAL_SECONDS = 0.150  # an answer that took longer is not as before
NORMAL_SPAN = 0.5  # seconds of them
MOST_SECONDS = 600.0
ENVIRONMENT = {
    "RECSYS_SERVING__TRUSTED_PROXIES": '["127.0.0.1"]',  # one client may have all connections
    "RECSYS_STREAM__MAX_LAG": "1000000000",  # no worker runs
}


@dataclass(frozen=True)
class Outcome:
    """What became of one overload.

    Attributes:
        p50, p99: seconds of what was answered with 200, recommendations. goodput: of them, a second.
        rungs: code of `degraded` -> answers. statuses: of all requests -> how many.
        normal_seconds: from the end of the overload to the first half second whose answers are all as before.
    """

    times: float
    p50: float
    p99: float
    goodput: float
    rungs: dict[str, int]
    statuses: dict[int, int]
    normal_seconds: float


@dataclass(frozen=True)
class Overload:
    """What was measured: full answers a second at most, each overload, and events accepted and not stored."""

    capacity: float
    outcomes: tuple[Outcome, ...]
    accepted: int
    lost: int


def rows() -> list[dict[str, object]]:
    """Latency under overload, seconds until all is as before, and what was accepted and lost."""
    root = load_settings().root
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        settings = Settings(home=Path(folder), root=root)
        with (
            _first_core() as (_, other),
            random_shop.open_shop(settings, ITEMS, USERS),
            serving(root, Path(folder), ENVIRONMENT) as (address, _),
        ):
            found = measure(settings, address, other, USERS)
    note(f"overload: {json.dumps(asdict(found))}")
    latencies = [
        bounded_row(f"overload-{each.times:g}x-p99", "ms", 1e3 * each.p99, 150.0, 100.0)
        for each in found.outcomes
    ]
    slowest = max(each.normal_seconds for each in found.outcomes)
    odd = sum(
        count
        for each in found.outcomes
        for status, count in each.statuses.items()
        if status not in (200, 429)
    )
    return [
        *latencies,
        bounded_row("overload-recovery", "s", slowest, 1.0, 0.5),
        bounded_row("overload-other-statuses", "answers", float(odd), 0.0, 0.0),
        bounded_row("overload-lost-events", "events", float(found.lost), 0.0, 0.0),
    ]


def measure(
    settings: Settings,
    address: str,
    core: int,
    users: int,
    seconds: float = 10.0,
    capacity: float | None = None,
) -> Overload:
    """Measures the service at `address`, which serves a random shop of this size, by a client on `core`.

    Args:
        users: of the shop. seconds: of each overload. capacity: full answers a second; None: it is measured.
    """
    port = int(urlsplit(address).port or 0)
    calm = Phase(seconds / 2, {RECOMMEND: 1.0}, at_once=ServingSettings().workers)
    warmed = _load(settings, port, core, users, (calm, calm))
    if capacity is None:
        capacity = sum(record.phase == 1 and not record.degraded for record in warmed) / calm.seconds
    phases: list[Phase] = []
    for times in OVERLOADS:
        phases.append(Phase(seconds, {RECOMMEND: times * capacity, EVENTS: EVENT_RATE}))
        phases.append(Phase(seconds / 2, {RECOMMEND: NORMAL_LOAD * capacity, EVENTS: EVENT_RATE}))
    before = _stored(settings)
    records = _load(settings, port, core, users, phases)
    accepted = {record.event_id for record in records if record.event_id and record.status == 200}
    outcomes = tuple(
        _outcome(times, phases[2 * place].seconds, records, 2 * place)
        for place, times in enumerate(OVERLOADS)
    )
    return Overload(capacity, outcomes, len(accepted), len(accepted) - (_stored(settings) - before))


def _outcome(times: float, seconds: float, records: Sequence[Record], phase: int) -> Outcome:
    during = [record for record in records if record.phase == phase]
    answered = [record for record in during if record.path == RECOMMEND and record.status == 200]
    took = [record.took for record in answered] or [float("nan")]
    after = [record for record in records if record.phase == phase + 1 and record.path == RECOMMEND]
    worse = [
        record.due
        for record in after
        if record.status != 200 or record.degraded or record.took > NORMAL_SECONDS
    ]
    half, tail = np.quantile(took, [0.5, 0.99]).tolist()
    return Outcome(
        times,
        half,
        tail,
        goodput=len(answered) / seconds,
        rungs=dict(Counter(code for record in answered for code in record.degraded or ("full",))),
        statuses=dict(Counter(record.status for record in during)),
        normal_seconds=_normal_from(worse),
    )


def _normal_from(worse: Sequence[float]) -> float:
    """The first instant after which nothing is worse for NORMAL_SPAN; `worse` are instants in any order."""
    normal = 0.0
    for instant in sorted(worse):
        if instant - normal >= NORMAL_SPAN:
            break
        normal = instant
    return normal


def _stored(settings: Settings) -> int:
    """Events in the stream; no worker takes any."""
    stream = open_stream(settings)
    try:
        return sum(status.lag for status in stream.status())
    finally:
        stream.close()


def _load(settings: Settings, port: int, core: int, users: int, phases: Sequence[Phase]) -> list[Record]:
    """What became of the requests of `phases`, asked by a process of its own on `core`."""
    plan = {
        "users": [random_shop.user_id(number) for number in range(users)],
        "items": [random_shop.item_id(number) for number in range(1000)],
        "seed": len(phases),
        "phases": [asdict(phase) for phase in phases],
    }
    with tempfile.TemporaryDirectory(dir=settings.paths.home) as folder:
        plan_file, records_file = Path(folder) / "plan.json", Path(folder) / "records.json"
        plan_file.write_text(json.dumps(plan), "utf-8")
        program = Path(__file__).with_name("open_loop.py")
        command = [sys.executable, str(program), str(port), str(core), str(plan_file), str(records_file)]
        subprocess.run(command, check=True, timeout=MOST_SECONDS)
        found = json.loads(records_file.read_text("utf-8"))
    return [Record(**{**record, "degraded": _rung(record["degraded"])}) for record in found]


def _rung(degraded: Sequence[str]) -> tuple[str, ...]:
    """The code of the rung; what else is not as it should be, as that no worker runs, is left out."""
    return tuple(code for code in degraded if code in EFFORT_DEGRADATIONS)


@contextmanager
def _first_core() -> Iterator[tuple[int, int]]:
    """Keeps this process and what it starts on its first core; gives that and another one for the client."""
    before = os.sched_getaffinity(0)
    first, last = min(before), max(before)
    os.sched_setaffinity(0, {first})
    try:
        yield first, last
    finally:
        os.sched_setaffinity(0, before)
