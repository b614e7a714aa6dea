"""A worker on fakes with a clock of its own, and what a batch computation says of the same events."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.catalog import stable_key
from recsys.errors import StoreUnavailableError
from recsys.features.event_log import read_log
from recsys.features.item_engagement import item_engagement
from recsys.features.user_activity import user_activity
from recsys.features.user_history import user_history
from recsys.features.user_searches import user_searches
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.ingest.mapping.schema import DEFAULT_WEIGHTS
from recsys.instants import SECOND, to_micros
from recsys.service_settings import StreamSettings
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.stream.state import SqliteStreamState
from recsys.streaming.aggregate import Categories
from recsys.streaming.sinks import Sinks
from recsys.streaming.state import InitialState
from recsys.streaming.stream import partition_of
from recsys.streaming.worker import ShopRules, Worker
from tests.fake_stream import FakeEventStream, FakeProgress

PARTITIONS = 2
CATEGORIES = {"tea-1": "tea", "tea-2": "tea", "saw": "tools", "nail": "tools", "gift": ""}
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)

Event = dict[str, Any]
Rows = dict[str, dict[str, dict[str, Any]]]  # view -> entity -> row


@dataclass
class Clock:
    now: int = to_micros(NOON)

    def __call__(self) -> int:
        return self.now


@dataclass
class FakeOnline:
    """Rows by view and entity; a row wins by its event timestamp, then by its created timestamp."""

    rows: Rows = field(default_factory=dict)
    away: bool = False

    def write(self, tables: Mapping[str, pa.Table]) -> None:
        if self.away:
            raise StoreUnavailableError("redis", "write rows", 0.0)
        for view, table in tables.items():
            stored = self.rows.setdefault(view, {})
            for row in table.to_pylist():
                entity = row[columns.USER_ID if columns.USER_ID in row else columns.ITEM_ID]
                if entity not in stored or _stamps(stored[entity]) < _stamps(row):
                    stored[entity] = row


def _stamps(row: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return row[columns.EVENT_TIMESTAMP], row[columns.CREATED_TIMESTAMP]


def categories(item_keys: np.ndarray) -> np.ndarray:
    """The categories of the shop's items."""
    known = {stable_key(item): stable_key(name) if name else 0 for item, name in CATEGORIES.items()}
    return np.array([known.get(key, 0) for key in item_keys.tolist()], np.int64)


class World:
    """One stream, one home, and workers that come and go."""

    def __init__(self, folder: Path, settings: StreamSettings | None = None) -> None:
        self.folder = folder
        self.clock = Clock()
        self.stream = FakeEventStream(PARTITIONS)
        self.online, self.progress = FakeOnline(), FakeProgress()
        self.lake = EventLake(folder / "live", durable=False)
        self.settings = settings or StreamSettings(partitions=PARTITIONS)
        self.rules = ShopRules(DEFAULT_WEIGHTS, columns.ACTION_KINDS, CleaningRules(), categories)
        self.states: list[SqliteStreamState] = []
        self.state().begin(InitialState("epoch", 1, {}, (), (), np.zeros(0, np.int64)))
        self.sent = 0

    def state(self) -> SqliteStreamState:
        self.states.append(SqliteStreamState(self.folder / "stream"))
        return self.states[-1]

    def worker(self, partitions: Collection[int] = range(PARTITIONS)) -> Worker:
        sinks = Sinks(self.online, self.lake, self.progress)
        worker = Worker(self.stream, self.state(), sinks, self.rules, self.settings, self.clock)
        worker.take(partitions)
        return worker

    def send(self, *rows: Mapping[str, Any]) -> None:
        self.stream.append(
            [(partition_of(row["user_id"], PARTITIONS), json.dumps(row).encode()) for row in rows],
            self.clock.now,
        )

    def event(self, kind: str, user: str, item: str | None = None, ago: float = 0.0, **more: Any) -> Event:
        """One event that happened `ago` seconds before now, with an id of its own."""
        self.sent += 1
        at = datetime.fromtimestamp(self.clock.now / SECOND - ago, UTC).isoformat()
        row = {"kind": kind, "event_id": f"e{self.sent}", "user_id": user, "at": at}
        return row | ({"item_id": item} if item else {}) | more

    def close(self) -> None:
        for state in self.states:
            state.close()


def rows_at(events: pa.Table, now: int, of: Categories = categories) -> Rows:
    """The rows of the batch tables of `events` that are valid at `now`."""
    log = read_log(events)
    tables = {
        columns.USER_ACTIVITY: user_activity(log, of(log.item_keys), 0),
        columns.USER_HISTORY: user_history(log, 0),
        columns.USER_SEARCHES: user_searches(events, 0),
        columns.ITEM_ENGAGEMENT: item_engagement(log, 0),
    }
    return {view: latest_rows(table, now) for view, table in tables.items()}


def latest_rows(table: pa.Table, now: int) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in table.sort_by(columns.EVENT_TIMESTAMP).to_pylist():
        if to_micros(row[columns.EVENT_TIMESTAMP]) <= now:
            found[row[columns.USER_ID if columns.USER_ID in row else columns.ITEM_ID]] = row
    return found


def without_created(rows: Rows) -> Rows:
    return {
        view: {
            entity: {name: value for name, value in row.items() if name != columns.CREATED_TIMESTAMP}
            for entity, row in of_view.items()
        }
        for view, of_view in rows.items()
        if of_view
    }


def differences(left: Rows, right: Rows) -> list[tuple[Any, ...]]:
    """(view, entity, feature, left, right) of each feature that differs, created timestamps aside."""
    cells = [_cells(without_created(rows)) for rows in (left, right)]
    keys = sorted({*cells[0], *cells[1]})
    both = [(*key, cells[0].get(key), cells[1].get(key)) for key in keys]
    return [row for row in both if row[-2] != row[-1]]


def _cells(rows: Rows) -> dict[tuple[str, str, str], Any]:
    return {
        (view, entity, name): value
        for view, of_view in rows.items()
        for entity, row in of_view.items()
        for name, value in row.items()
    }


def drain(workers: Sequence[Worker]) -> int:
    """Rounds of all workers until none has anything to do."""
    done = 0
    while read := sum(worker.run_once() for worker in workers):
        done += read
    return done
