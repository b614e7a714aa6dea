"""The lake is complete before it is read, and the stamp of what is built from it tells so."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.home import HomePaths
from recsys.instants import from_micros
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.stream.lake_flush import complete_lake
from recsys.stores.stream.state import SqliteStreamState
from recsys.streaming.state import InitialState, Step

NOW = 1_700_000_000_000_000


def some_event() -> pa.Table:
    row = {columns.EVENT_ID: "e1", columns.KIND: "view", columns.USER_ID: "ann", columns.ITEM_ID: "saw"}
    row |= {columns.AT: from_micros(NOW), columns.SEQUENCE: 1, columns.WEIGHT: 1.0}
    return pa.Table.from_pylist([row], schema=EVENT_SCHEMA)


def test_without_workers_the_stamp_is_the_clocks(tmp_path: Path) -> None:
    paths = HomePaths(tmp_path)
    assert complete_lake(paths, NOW) == NOW
    assert not paths.stream.exists()


def test_what_waits_is_written_and_the_stamp_lies_between_what_is_and_what_comes(tmp_path: Path) -> None:
    paths = HomePaths(tmp_path)
    state = SqliteStreamState(paths.stream)
    state.begin(InitialState("epoch", 1, {}, (), (), np.zeros(0, np.int64)))
    before = state.commit(Step("epoch", {0: 0}, {0: 1}, events=some_event()), NOW)
    created = complete_lake(paths, NOW - 5)  # this clock is behind the worker's
    after = state.commit(Step("epoch", {0: 1}, {0: 2}), NOW - 5)
    assert before is not None
    assert after is not None
    assert before.created < created < after.created
    assert EventLake(paths.live).read()[columns.EVENT_ID].to_pylist() == ["e1"]
    assert state.sizes()["lake"] == 0
    state.close()
