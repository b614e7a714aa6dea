"""A whole imported shop replayed as a stream, compressed in time, beside the batch tables of the same events.

It takes minutes, so it runs when it is asked for: RECSYS_REPLAY_HOME names the home of an imported shop with
a clock, for example the demo's after `scripts/demo`. The home is only read.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from recsys import columns
from recsys.amounts import as_pieces
from recsys.features.event_log import EventLog, read_log
from recsys.features.item_engagement import item_engagement
from recsys.features.user_activity import user_activity
from recsys.features.user_history import user_history_blocks
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.features.windows import day_of
from recsys.home import HomePaths
from recsys.instants import DAY
from recsys.jobs.stream.bootstrap import ItemCategories, shop_rules
from recsys.service_settings import StreamSettings
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.stream.state import SqliteStreamState
from recsys.streaming.sinks import Sinks
from recsys.streaming.state import InitialState
from recsys.streaming.stream import partition_of
from recsys.streaming.worker import Worker
from tests.fake_stream import FakeEventStream, FakeProgress
from tests.streaming.worker_world import Clock

HOME = os.environ.get("RECSYS_REPLAY_HOME", "")
VIEWS = (columns.USER_ACTIVITY, columns.USER_HISTORY, columns.ITEM_ENGAGEMENT)
CHECKS = 5  # instants at which everything is compared, spread over the year, and one 100 days later

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not HOME, reason="RECSYS_REPLAY_HOME names no home")]


@dataclass
class LatestTables:
    """An online store that keeps, for each view and entity, the newest row as a place in a table."""

    rows: dict[str, dict[str, tuple[tuple[int, int], pa.Table, int]]] = field(default_factory=dict)

    def write(self, tables: Mapping[str, pa.Table]) -> None:
        for view, table in tables.items():
            stored = self.rows.setdefault(view, {})
            stamps = zip(*(_micros(table[name]) for name in table.column_names[-2:]), strict=True)
            for place, (entity, stamp) in enumerate(zip(table[0].to_pylist(), stamps, strict=True)):
                if entity not in stored or stored[entity][0] < stamp:
                    stored[entity] = stamp, table, place

    def table(self, view: str) -> pa.Table:
        """All rows of a view; what they were part of is let go."""
        found = self.rows[view]
        table = pa.concat_tables([part.slice(place, 1) for _, part, place in found.values()]).combine_chunks()
        for place, (entity, (stamp, _, _)) in enumerate(list(found.items())):
            found[entity] = stamp, table, place
        return table


def _micros(column: Any) -> list[int]:
    return column.cast(pa.int64()).to_pylist()


def days(events: pa.Table) -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
    """The events of each day, as a client would have sent them, and the instant at which the day ends."""
    at = events[columns.AT].cast(pa.int64()).to_numpy()
    names = [name for name in columns.EVENT_COLUMNS if name not in (columns.SEQUENCE, columns.WEIGHT)]
    first = int(at[0] // DAY)
    for day in range(first, int(at[-1] // DAY) + 1):
        low, high = np.searchsorted(at, [day * DAY, (day + 1) * DAY])
        rows = events.slice(low, high - low).select(names).to_pylist()
        yield (day + 1) * DAY - 1, [(row[columns.USER_ID], _body(row)) for row in rows]


def _body(row: dict[str, Any]) -> bytes:
    fields = {name: value for name, value in row.items() if value is not None}
    if columns.QUANTITY in fields:
        fields["quantity"] = as_pieces(fields.pop(columns.QUANTITY))
    return orjson.dumps(fields)


def batch_at(log: EventLog, full: Mapping[str, pa.Table], now: int) -> dict[str, pa.Table]:
    """The rows of the batch tables that are valid at `now`, one an entity."""
    found = {view: _last(table, now) for view, table in full.items()}
    parts = [_last(block, now) for block in user_history_blocks(log, 0)]
    return found | {columns.USER_HISTORY: _last(pa.concat_tables(parts), now)}


def _last(table: pa.Table, now: int) -> pa.Table:
    at = table[columns.EVENT_TIMESTAMP].cast(pa.int64()).to_numpy()
    table, at = table.filter(pa.array(at <= now)), at[at <= now]
    entity = table[0].combine_chunks().dictionary_encode().indices.to_numpy()
    order = np.lexsort((at, entity))
    last = np.append(entity[order][1:] != entity[order][:-1], True)[: len(order)]
    return table.take(order[last])


def differing(view: str, streamed: pa.Table, batch: pa.Table) -> dict[str, int]:
    """Feature -> how many entities differ."""
    streamed, batch = (table.sort_by(table.column_names[0]) for table in (streamed, batch))
    assert streamed[0].to_pylist() == batch[0].to_pylist(), f"{view}: other entities"
    counts = {}
    for name in VIEW_SCHEMAS[view].names[1:-1]:
        left, right = (table[name].combine_chunks() for table in (streamed, batch))
        if pa.types.is_list(left.type):
            counts[name] = sum(a != b for a, b in zip(left.to_pylist(), right.to_pylist(), strict=True))
        else:
            counts[name] = pc.sum(pc.not_equal(left, right)).as_py() or 0
    return {name: count for name, count in counts.items() if count}


def test_a_year_replayed_as_a_stream_equals_the_batch_for_every_feature(tmp_path: Path) -> None:
    paths = HomePaths(Path(HOME))
    events = EventLake(paths.lake).read()
    log, categories = read_log(events), ItemCategories(paths)
    full = {
        columns.USER_ACTIVITY: user_activity(log, categories(log.item_keys), 0),
        columns.ITEM_ENGAGEMENT: item_engagement(log, 0),
    }
    settings = StreamSettings(batch_events=2000, flush_seconds=1e6)
    stream, online, clock = FakeEventStream(settings.partitions), LatestTables(), Clock()
    state = SqliteStreamState(tmp_path / "stream")
    state.begin(InitialState("replay", 1, {}, (), (), np.zeros(0, np.int64)))
    sinks = Sinks(online, EventLake(tmp_path / "live", durable=False), FakeProgress())
    worker = Worker(stream, state, sinks, shop_rules(paths, categories), settings, clock)
    first, last = (int(at) for at in pc.min_max(events[columns.AT].cast(pa.int64())).as_py().values())
    ends = np.arange(day_of(first) + 1, day_of(last) + 2) * DAY - 1
    long_after = int(ends[-1]) + 100 * DAY
    checks = {*ends[np.linspace(20, len(ends) - 1, CHECKS).astype(int)].tolist(), long_after}
    clock.now = int(ends[0])
    worker.take(range(settings.partitions))
    for now, bodies in chain(days(events), [(long_after, [])]):
        clock.now = now
        stream.append([(partition_of(user, settings.partitions), body) for user, body in bodies], now)
        while worker.run_once() or worker.tick():
            pass
        if now in checks:
            checks.remove(now)
            batch = batch_at(log, full, now)
            found = {view: differing(view, online.table(view), batch[view]) for view in VIEWS}
            assert found == {view: {} for view in VIEWS}
    assert not checks
    worker.close()
    state.close()
    assert sorted(EventLake(tmp_path / "live").read([columns.EVENT_ID])[0].to_pylist()) == sorted(
        events[columns.EVENT_ID].to_pylist()
    )
