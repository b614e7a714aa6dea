"""Compaction of both lakes: fewer files, the same events."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from recsys import columns
from recsys.config import Settings
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.jobs.data.compact import compact_lakes
from recsys.stores.lake.event_lake import EventLake

DAY = datetime(2025, 5, 1, 12, tzinfo=UTC)


def views(*days: int) -> pa.Table:
    rows = [
        {
            columns.EVENT_ID: f"e{place}-{day}",
            columns.KIND: columns.VIEW,
            columns.USER_ID: "ann",
            columns.ITEM_ID: "tea",
            columns.AT: DAY + timedelta(days=day, seconds=place),
            columns.SEQUENCE: place,
            columns.WEIGHT: 1.0,
        }
        for place, day in enumerate(days)
    ]
    return pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)


def test_each_day_of_both_lakes_becomes_one_file_with_the_same_events(tmp_path: Path) -> None:
    paths = Settings(home=tmp_path).paths
    EventLake(paths.lake).append(views(0, 1))
    for second in range(3):
        EventLake(paths.live).append(views(*[1] * (second + 1)))
    before = EventLake(paths.live).read()
    imported, live = compact_lakes(paths)
    assert (imported.lake, imported.days, imported.files_before, imported.merged) == ("imported", 2, 2, 0)
    assert (live.days, live.files_before, live.merged, live.files) == (1, 3, 3, 1)
    assert live.megabytes > 0
    assert EventLake(paths.live).read().equals(before)


def test_a_home_without_events_has_nothing_to_merge(tmp_path: Path) -> None:
    assert [report.files for report in compact_lakes(Settings(home=tmp_path).paths)] == [0, 0]
