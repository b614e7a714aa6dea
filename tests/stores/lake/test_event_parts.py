"""The events of a home part by part: together what is read at once, in its order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.stores.lake.event_lake import AS_THEY_CAME, EventLake, JoinedLake
from recsys.stores.lake.event_parts import count_events, parts_as_happened

START = datetime(2026, 1, 30, 23, 59, 58, tzinfo=UTC)
READ = (columns.EVENT_ID, columns.USER_ID, columns.KIND, columns.AT, columns.SEQUENCE)
# Few ids, users and instants beside midnight, so that lakes tell of the same events.
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 9), st.sampled_from("uv"), st.sampled_from([0, 1, 1.4, 2, 2.6, 90_000, 200_000])
    ),
    max_size=8,
)


def events(rows: Sequence[tuple[int, str, float]], first: int) -> pa.Table:
    made = [
        {
            columns.EVENT_ID: f"e{number}",
            columns.KIND: columns.VIEW,
            columns.USER_ID: user,
            columns.ITEM_ID: "i",
            columns.AT: START + timedelta(seconds=seconds),
            columns.SEQUENCE: first + place,
            columns.WEIGHT: 1.0,
        }
        for place, (number, user, seconds) in enumerate(rows)
    ]
    return pa.Table.from_pylist(made, schema=EVENT_SCHEMA)


@settings(deadline=None, max_examples=60)
@given(imported=EVENTS, live=EVENTS, returned=EVENTS, came=st.booleans(), most=st.sampled_from([1, 3, 10**6]))
@example(imported=[(1, "v", 0)], live=[(0, "v", 0)], returned=[(1, "u", 0)], came=False, most=1)
def test_parts_together_are_what_is_read_at_once(
    imported: list[tuple[int, str, float]],
    live: list[tuple[int, str, float]],
    returned: list[tuple[int, str, float]],
    came: bool,
    most: int,
) -> None:
    with TemporaryDirectory() as folder:
        lakes = [EventLake(Path(folder, name), durable=False) for name in ("imported", "live", "returned")]
        for first, (lake, rows) in enumerate(zip(lakes, (imported, live, returned), strict=True)):
            # An id is of one event in each of the files; a stream may deliver twice.
            once = rows if first == 1 else list({row[0]: row for row in rows}.values())
            lake.append(events(once, first * 100))
        lakes[2].root.mkdir(exist_ok=True)
        if came:
            (lakes[2].root / AS_THEY_CAME).touch()
        joined = JoinedLake(*lakes)
        parts = list(parts_as_happened(joined, READ, most))
        read = joined.read_as_happened(READ)
        assert pa.concat_tables([read.slice(0, 0), *parts]).to_pylist() == read.to_pylist()


@pytest.fixture
def lake(tmp_path: Path) -> JoinedLake:
    imported = EventLake(tmp_path / "imported")
    imported.append(events([(number, "u", 86_400 * number) for number in range(5)], 0))
    live = EventLake(tmp_path / "live")
    live.append(events([(9, "v", 1)], 50))
    return JoinedLake(imported, live)


def test_a_range_of_days_is_read_alone(lake: JoinedLake) -> None:
    first = START.date() + timedelta(days=3)
    parts = parts_as_happened(lake, [columns.EVENT_ID], first=first, last=first)
    assert [name for part in parts for name in part[columns.EVENT_ID].to_pylist()] == ["e3"]


def test_events_are_counted_by_day_in_all_lakes(lake: JoinedLake) -> None:
    # e0 and, a second later, e9 of the stream are of the first day.
    assert list(count_events(lake).values()) == [2, 1, 1, 1, 1]
