"""Lakes and states of earlier versions, which had quantities in whole pieces, are read as today's."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recsys import columns
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.features.event_log import EVENT_COLUMNS_READ
from recsys.home import HomePaths
from recsys.stores.lake.event_lake import EventLake, open_lake
from recsys.stores.stream.state import SqliteStreamState

AT = datetime(2026, 1, 30, 12, tzinfo=UTC)
FIELDS = [
    pa.field("quantity", pa.int64()) if field.name == columns.QUANTITY else field for field in EVENT_SCHEMA
]
EARLIER = pa.schema(FIELDS)


def row(sequence: int, kind: str, **more: Any) -> dict[str, Any]:
    return {
        columns.EVENT_ID: f"e{sequence}",
        columns.KIND: kind,
        columns.USER_ID: "u",
        columns.ITEM_ID: "i",
        columns.AT: AT,
        columns.SEQUENCE: sequence,
        columns.WEIGHT: 1.0,
        **more,
    }


def earlier_rows() -> pa.Table:
    rows = [
        row(0, columns.PURCHASE, quantity=3, value_micros=9),
        row(1, columns.VIEW),
        row(2, columns.CANCEL, quantity=1),  # what a cancel had that said nothing
        row(3, columns.PURCHASE, quantity=2**53),
    ]
    return pa.Table.from_pylist(rows, schema=EARLIER)


def stored(root: Path) -> Path:
    folder = root / "day=2026-01-30"
    folder.mkdir(parents=True)
    pq.write_table(earlier_rows(), folder / "old.parquet")
    return root


MOST = 2**51 // 1000 * 1000


def test_pieces_are_read_as_thousandths(tmp_path: Path) -> None:
    lake = EventLake(stored(tmp_path))
    assert lake.read()[columns.QUANTITY].to_pylist() == [3000, None, None, MOST]
    assert lake.read([columns.QUANTITY])[columns.QUANTITY].to_pylist() == [3000, None, None, MOST]
    assert lake.read([columns.EVENT_ID]).column_names == [columns.EVENT_ID]
    assert lake.read(EVENT_COLUMNS_READ).column_names == list(EVENT_COLUMNS_READ)


def test_files_of_both_kinds_are_merged_into_one_of_today(tmp_path: Path) -> None:
    lake = EventLake(stored(tmp_path))
    new = [row(4, columns.PURCHASE, quantity_thousandths=250, value_micros=5)]
    lake.append(pa.Table.from_pylist(new, schema=EVENT_SCHEMA))
    before = lake.read()
    assert before[columns.QUANTITY].to_pylist()[-1] == 250
    assert lake.compact() == 2
    assert lake.read().equals(before)
    [file] = tmp_path.glob("day=*/*.parquet")
    assert columns.EVENT_QUANTITY not in pq.read_schema(file).names


def test_imported_and_live_events_of_different_versions_are_one_lake(tmp_path: Path) -> None:
    paths = HomePaths(tmp_path)
    stored(paths.lake)
    live = [row(9, columns.PURCHASE, item_id="j", quantity_thousandths=1500)]
    EventLake(paths.live).append(pa.Table.from_pylist(live, schema=EVENT_SCHEMA))
    assert open_lake(paths).read([columns.QUANTITY])[columns.QUANTITY].to_pylist()[-1] == 1500


def test_events_that_an_earlier_worker_left_for_the_lake_get_there(tmp_path: Path) -> None:
    state = SqliteStreamState(tmp_path / "stream")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, EARLIER) as writer:
        writer.write_table(earlier_rows())
    state._db.execute("INSERT INTO lake VALUES (1, NULL, ?)", (sink.getvalue().to_pybytes(),))
    [(name, events)] = state.waiting()
    lake = EventLake(tmp_path / "live")
    lake.append(events, name)
    assert lake.read()[columns.QUANTITY].to_pylist() == [3000, None, None, MOST]
    state.close()


def test_events_of_two_tables_of_an_import_may_share_an_id(tmp_path: Path) -> None:
    paths = HomePaths(tmp_path)
    imported = [row(0, columns.CLICK, event_id="e"), row(1, columns.PURCHASE, event_id="e")]
    EventLake(paths.lake).append(pa.Table.from_pylist(imported, schema=EVENT_SCHEMA))
    live = [row(2, columns.VIEW, event_id="e"), row(3, columns.VIEW, event_id="f")]
    EventLake(paths.live).append(pa.Table.from_pylist(live, schema=EVENT_SCHEMA))
    read = open_lake(paths).read([columns.EVENT_ID, columns.KIND])
    assert read[columns.KIND].to_pylist() == [columns.CLICK, columns.PURCHASE, columns.VIEW]
    assert read[columns.EVENT_ID].to_pylist() == ["e", "e", "f"]
