"""Instants in all the ways in which shops write them, and those that no calendar has."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from recsys.errors import DataError
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.ingest.mapping.event_sources import EventSource
from recsys.ingest.raw.cells import as_text
from recsys.ingest.raw.time_cells import FIRST_MICROS, LAST_MICROS, as_instant
from recsys.ingest.tables.time_units import TimeUnit
from recsys.instants import to_micros

NOON = to_micros(datetime(2026, 3, 1, 12, tzinfo=UTC))
NOW = NOON + 3600 * 10**6


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-03-01 12:00:00 UTC", NOON),
        ("2026-03-01T12:00:00.25 gmt", NOON + 250_000),
        ("2026-03-01 12:00:00,5", NOON + 500_000),
        ("2026-03-01 12:00:00,000007Z", NOON + 7),
        ("2026-03-01 12:00Z", NOON),
        ("2026/3/1 12:00", NOON),
        ("2026.03.01 12:00:00", NOON),
        ("2026-03-01 13:00:00 +0100", NOON),
        ("2026-03-01T13:00:00.5+0100", NOON + 500_000),
        ("2026-03-01 07:00:00 GMT-05:00", NOON),
        ("2026-03-01 13:00:00.5 +0100 CET", NOON + 500_000),
        ("20260301120000", NOON),
        ("2026-03-01T13:00:00+01:00[Europe/Paris]", NOON),
        ("20260301", NOON - 43_200 * 10**6),
    ],
)
def test_a_time_that_can_be_read_in_one_way_only_is_read(cell: str, expected: int) -> None:
    assert as_instant(pa.array([cell])).values.tolist() == [expected]
    beside_a_bad_one = as_instant(pa.array([cell, "soon"]))
    assert beside_a_bad_one.values.tolist() == [expected, 0]
    assert beside_a_bad_one.bad.tolist() == [False, True]


@pytest.mark.parametrize("cell", ["3/1/2026", "01.03.2026", "2026-03-01 12:00:00 EST", "2026-02-30", "12:00"])
def test_a_time_that_could_be_two_or_none_is_not_read(cell: str) -> None:
    assert as_instant(pa.array([cell])).bad.tolist() == [True]


def test_the_zone_of_the_mapping_is_for_times_that_name_none() -> None:
    cells = pa.array(["2026-03-01 12:00:00 UTC", "2026-03-01 13:00:00"])
    assert as_instant(cells, zone="Europe/Paris").values.tolist() == [NOON, NOON]


def test_a_far_date_is_read_beside_a_bad_one_as_it_is_alone() -> None:
    far = to_micros(datetime(9999, 12, 31, tzinfo=UTC))
    assert as_instant(pa.array(["9999-12-31"])).values.tolist() == [far]
    assert as_instant(pa.array(["9999-12-31", "soon"])).values.tolist() == [far, 0]
    assert as_instant(pa.array(["31.12.9999", "soon"]), form="%d.%m.%Y").values.tolist() == [far, 0]


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        (pa.array([2**62, -(2**62)]), "s"),
        (pa.array([str(2**62), str(-(2**62))]), "us"),
        (pa.array(["1e30", "-1e30"]), "s"),
        (pa.array([2**61, -(2**61)]).cast(pa.timestamp("s")), "iso"),
        (pa.array([2**61, -(2**61)]).cast(pa.timestamp("ms", "Europe/Paris")), "iso"),
        (pa.array([2**30, -(2**30)], pa.int32()).cast(pa.date32()), "iso"),
    ],
)
def test_what_lies_outside_the_calendar_stays_outside(column: Any, unit: str) -> None:
    parsed = as_instant(column, unit, zone="Europe/Berlin")
    assert parsed.values.tolist() == [LAST_MICROS + 1, FIRST_MICROS - 1]
    assert parsed.ok.all()


def test_a_unit_says_what_the_numbers_of_a_timestamp_column_count() -> None:
    seconds_as_milliseconds = pa.array([NOON // 10**6]).cast(pa.timestamp("ms"))
    assert as_instant(seconds_as_milliseconds, "s").values.tolist() == [NOON]


def test_a_time_outside_the_calendar_is_no_text() -> None:
    far = pa.array([2**60]).cast(pa.timestamp("ms"))
    assert as_text(far).to_pylist() == [None]
    assert as_text(pa.array([date(2026, 3, 1)])).to_pylist() == ["2026-03-01"]


def judged(cells: Any, rules: CleaningRules | None = None, **time: str) -> None:
    time_of = {"column": "t", **time}
    source = EventSource.model_validate({"files": "log.csv", "user": "u", "kind": "view", "time": time_of})
    unit = TimeUnit(source, rules or CleaningRules(), NOW)
    for cell in cells:  # each in a batch of its own: the whole column counts
        raw = pa.table({"t": pa.array([cell.as_py()], cells.type)})
        unit.add(raw, as_instant(raw["t"], source.time.unit, source.time.format))
    unit.check()


SECONDS = NOON // 10**6


@pytest.mark.parametrize(
    ("cells", "time", "message"),
    [
        (
            [SECONDS * 1000, SECONDS * 1000, SECONDS],
            {"unit": "s"},
            f't = {SECONDS}000 as s .* unit = "ms" would',
        ),
        ([str(SECONDS)] * 2, {"unit": "ms"}, f't = {SECONDS} as ms is the year 1970. unit = "s" would fit'),
        ([SECONDS * 10**6], {"unit": "ns"}, 'is the year 1970. unit = "us" would fit'),
        (["1985-01-01", "1986-01-01"], {}, "2 of 2 times in 't' .*the year 1985.* state `earliest`"),
        (["01.02.2031"], {"format": "%d.%m.%Y"}, "0 before 1990-01-01, 1 after now"),
    ],
)
def test_a_unit_that_is_wrong_for_most_of_a_column_is_refused(
    cells: list[Any], time: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        judged(pa.array(cells), **time)


def test_seconds_in_a_column_of_milliseconds_are_refused_with_the_unit() -> None:
    cells = pa.array([SECONDS, SECONDS]).cast(pa.timestamp("ms"))
    with pytest.raises(DataError, match=r'as timestamp\[ms\] is the year 1970. unit = "s" would fit'):
        judged(cells)


def test_a_column_of_which_half_can_be_true_is_accepted() -> None:
    judged(pa.array([SECONDS * 1000, SECONDS]), unit="s")
    judged(pa.array([], pa.int64()), unit="s")


def test_a_mapping_that_states_earliest_knows_how_old_its_data_are() -> None:
    rules = CleaningRules(earliest=datetime(1980, 1, 1, tzinfo=UTC))
    judged(pa.array(["1985-01-01", "1979-01-01", "1979-01-02"]), rules)
    with pytest.raises(DataError, match="1 after now"):
        judged(pa.array(["2031-01-01"]), rules)
