"""Workers and the server are killed at random points under load; afterwards nothing is lost or doubled.

The workers run `recsys stream run`, forked from a process that has the modules loaded already, so that they
work, and not start, most of the time until they are killed.
"""

import json
import os
import random
import signal
import threading
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recsys import columns
from recsys.config import Settings
from recsys.errors import StoreUnavailableError
from recsys.instants import now_micros, to_micros, utc_now
from recsys.jobs.stream.run import drain_stream
from recsys.stores.lake.event_lake import EventLake, open_lake
from recsys.stores.redis import server as redis_server
from recsys.stores.stream.open import open_stream
from recsys.stores.stream.state import SqliteStreamState
from recsys.streaming.stream import partition_of
from tests.streaming.online_side import as_online, categories, online_rows
from tests.streaming.real_home import CATEGORIES, imported_events, open_home
from tests.streaming.worker_processes import WorkerProcesses
from tests.streaming.worker_world import differences, rows_at

pytestmark = pytest.mark.slow

PARTITIONS = 4
USERS = [f"u{number}" for number in range(30)]
WORKER_KILLS, SERVER_KILLS = 30, 3
LIFE_SECONDS = 1.5  # at most between two kills
KINDS = ("view", "click", "cart", "purchase", "purchase", "cancel", "like", "impression", "search")
SETTINGS = {
    "RECSYS_STREAM__PARTITIONS": str(PARTITIONS),
    "RECSYS_STREAM__FLUSH_SECONDS": "0.2",
    "RECSYS_STREAM__BATCH_EVENTS": "150",
}


class Producer(threading.Thread):
    """Sends events, some twice, some late, and poison in between, until told to stop."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings, self.stop = settings, threading.Event()
        self.rng = random.Random(1)
        self.sent: dict[str, dict[str, Any]] = {}
        self.poison = 0
        # Instants of their own for every event, so that none is a near duplicate of another.
        self.at = utc_now().replace(microsecond=0) - timedelta(days=6)

    def run(self) -> None:
        stream = None
        while not self.stop.is_set():
            rows = self.batch()
            while rows:  # until it is accepted: what failed may have been accepted all the same
                try:
                    stream = stream or open_stream(self.settings)
                    stream.append(rows, now_micros())
                    rows = []
                except StoreUnavailableError:
                    stream = None
                    time.sleep(0.05)
            time.sleep(0.01)

    def batch(self) -> list[tuple[int, bytes]]:
        rows = []
        for _ in range(self.rng.randrange(1, 25)):
            event = self.event()
            self.sent[event["event_id"]] = event
            rows.append(event)
        rows += self.rng.sample(sorted(self.sent.values(), key=str), min(2, len(self.sent)))
        bodies = [(partition_of(row["user_id"], PARTITIONS), json.dumps(row).encode()) for row in rows]
        if self.rng.random() < 0.2:
            self.poison += 1
            bodies.append((self.rng.randrange(PARTITIONS), b'{"kind": "riddle", "no": %d}' % self.poison))
        return bodies

    def event(self) -> dict[str, Any]:
        kind = self.rng.choice(KINDS)
        self.at += timedelta(seconds=self.rng.choice([1, 5, 60]) + 0.25)
        event: dict[str, Any] = {
            "kind": kind,
            "event_id": f"e{len(self.sent)}",
            "user_id": self.rng.choice(USERS),
            "at": (self.at - timedelta(hours=self.rng.choice([0, 0, 0, 5, 20]))).isoformat(),
        }
        event |= {"query": "tea"} if kind == "search" else {"item_id": self.rng.choice([*CATEGORIES])}
        return event | ({"quantity": 2, "value_micros": 5_000_000} if kind == "purchase" else {})


def history() -> list[dict[str, Any]]:
    now, rng = utc_now(), random.Random(2)
    return [
        {
            columns.EVENT_ID: f"old-{number}",
            columns.KIND: rng.choice(("purchase", "view")),
            columns.USER_ID: rng.choice(USERS),
            columns.ITEM_ID: rng.choice([*CATEGORIES]),
            columns.AT: now - timedelta(days=100 - number / 40),
            columns.SEQUENCE: number,
            columns.QUANTITY: 1000,
            columns.WEIGHT: 1.0,
        }
        for number in range(3600)
    ]


def kill_server(settings: Settings) -> None:
    os.kill(redis_server.server_status(settings).pid, signal.SIGKILL)
    while redis_server.server_status(settings).running:
        time.sleep(0.01)
    redis_server.start_server(settings)


def torment(settings: Settings) -> int:
    """Kills workers and the server at random points; returns how many workers were killed."""
    rng, killed, server_kills = random.Random(3), 0, 0
    with closing(WorkerProcesses(settings)) as worker_processes:
        workers = [worker_processes.start() for _ in range(2)]
        while killed < WORKER_KILLS:
            time.sleep(rng.uniform(0.02, LIFE_SECONDS))
            if server_kills < SERVER_KILLS and rng.random() < 0.15:
                server_kills += 1
                kill_server(settings)
            place = rng.randrange(2)
            os.kill(workers[place], signal.SIGKILL)
            assert worker_processes.wait(workers[place]) == -signal.SIGKILL, "a worker ended by itself"
            killed += 1
            workers[place] = worker_processes.start()
        time.sleep(1.0)
        for worker in workers:  # at last as one should: they finish and leave
            os.kill(worker, signal.SIGTERM)
            assert worker_processes.wait(worker) == 0
    return killed


def counted(settings: Settings) -> int:
    state = SqliteStreamState(settings.paths.stream)
    try:
        return state.counters().get("kept", 0)
    finally:
        state.close()


def test_nothing_is_lost_or_doubled_whoever_is_killed(tmp_path: Path) -> None:
    with open_home(tmp_path / "home", imported_events(history()), **SETTINGS) as settings:
        producer = Producer(settings)
        producer.start()
        try:
            killed = torment(settings)
        finally:
            producer.stop.set()
            producer.join()
        assert killed >= 20
        assert counted(settings) > len(producer.sent) / 2, "hardly anything was done between the kills"
        drain_stream(settings)
        now = now_micros()

        live = EventLake(settings.paths.live).read()
        ids = live[columns.EVENT_ID].to_pylist()
        assert len(ids) == len(set(ids)), "an event is in the lake twice"
        assert set(ids) == set(producer.sent), "an event was lost, or made up"
        online = online_rows(settings, USERS, [*CATEGORIES])
        batch = as_online(rows_at(open_lake(settings.paths).read(), now, categories))
        assert differences(online, batch) == []
        assert {view: len(rows) for view, rows in batch.items()} == {
            "user_activity": 30,
            "user_history": 30,
            "user_searches": 30,
            "item_engagement": 40,
        }

        stream, state = open_stream(settings), SqliteStreamState(settings.paths.stream)
        try:
            assert all(status.lag == 0 for status in stream.status()[:PARTITIONS])
            assert len({dead_letter.entry.body for dead_letter in stream.dead_letters()}) == producer.poison
            assert state.counters()["kept"] == len(producer.sent)
            assert state.sizes()["lake"] == 0
        finally:
            state.close()
            stream.close()
        assert max(to_micros(datetime.fromisoformat(row["at"])) for row in producer.sent.values()) <= now
