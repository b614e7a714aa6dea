"""Lakes and states of earlier versions, without searches' results, what was in sight, and tokens."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recsys import columns
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.features.event_log import read_log
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.stream.event_blobs import decode_events, encode_events
from recsys.stores.stream.state import SqliteStreamState

AT = datetime(2026, 1, 30, 12, tzinfo=UTC)
LATER = (
    columns.QUERY_ID,
    columns.RESULTS,
    columns.FILTERS,
    columns.SURFACE,
    columns.PAGE,
    columns.VISIBLE_MS,
    columns.VIEWABLE,
    columns.TOKEN,
)
EARLIER = pa.schema([field for field in EVENT_SCHEMA if field.name not in LATER])


def row(sequence: int, kind: str, **more: Any) -> dict[str, Any]:
    return {
        columns.EVENT_ID: f"e{sequence}",
        columns.KIND: kind,
        columns.USER_ID: "u",
        columns.ITEM_ID: None if kind == columns.SEARCH else "i",
        columns.AT: AT,
        columns.SEQUENCE: sequence,
        columns.WEIGHT: 1.0,
        **more,
    }


OLD = [row(0, columns.SEARCH, query="tea"), row(1, columns.IMPRESSION)]
NEW = [row(2, columns.SEARCH, query="tea", results=0), row(3, columns.IMPRESSION, viewable=False)]


def earlier_lake(root: Path) -> EventLake:
    folder = root / "day=2026-01-30"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(OLD, schema=EARLIER), folder / "old.parquet")
    return EventLake(root)


def test_what_an_earlier_version_did_not_keep_is_null_and_neither_0_nor_false(tmp_path: Path) -> None:
    lake = earlier_lake(tmp_path)
    read = lake.read()
    assert read.schema == EVENT_SCHEMA
    assert all(read[name].null_count == 2 for name in LATER)
    assert lake.read([columns.RESULTS])[columns.RESULTS].to_pylist() == [None, None]


def test_files_of_both_versions_are_merged_into_one(tmp_path: Path) -> None:
    lake = earlier_lake(tmp_path)
    lake.append(pa.Table.from_pylist(NEW, schema=EVENT_SCHEMA))
    assert lake.compact() == 2
    assert lake.read([columns.RESULTS])[columns.RESULTS].to_pylist() == [None, None, 0, None]
    assert lake.read([columns.VIEWABLE])[columns.VIEWABLE].to_pylist() == [None, None, None, False]


def test_an_impression_that_nobody_measured_counts_and_one_that_was_out_of_sight_does_not() -> None:
    old = pa.Table.from_pylist(OLD, schema=EARLIER)
    new = pa.Table.from_pylist([*NEW, row(4, columns.IMPRESSION, viewable=True)], schema=EVENT_SCHEMA)
    assert len(read_log(old)) == 1
    assert len(read_log(new)) == 1


def test_events_that_workers_of_both_versions_left_are_one_file(tmp_path: Path) -> None:
    state = SqliteStreamState(tmp_path / "stream")
    for number, table in enumerate(
        (pa.Table.from_pylist(OLD, schema=EARLIER), pa.Table.from_pylist(NEW, schema=EVENT_SCHEMA))
    ):
        state._db.execute("INSERT INTO lake VALUES (?, NULL, ?)", (number, encode_events(table)))
    [(_, events)] = state.waiting()
    state.close()
    assert events[columns.RESULTS].to_pylist() == [None, None, 0, None]


def test_events_of_today_come_back_as_they_were() -> None:
    events = pa.Table.from_pylist(NEW, schema=EVENT_SCHEMA)
    assert decode_events(encode_events(events)).equals(events)
