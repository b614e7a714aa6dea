"""A schedule holds from the first instant of its first day to the last of its last, in the account's zone."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.campaigns.local_days import local_day, time_zone
from recsys.ads.campaigns.schedule import Schedule, parse_day
from recsys.errors import RequestError

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
zones = st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
days = st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1))
instants = st.timedeltas(timedelta(0), timedelta(days=3_650)).map(lambda since: EPOCH + since)


@given(days, days, zones, instants)
def test_the_phase_is_that_of_the_bounds(
    starts_on: date | None, ends_on: date | None, name: str, at: datetime
) -> None:
    schedule, zone = Schedule(starts_on, ends_on), time_zone(name)
    starts, ends = schedule.bounds(zone)
    if not schedule.is_ordered:
        return
    expected = "open"
    if starts is not None and at < starts:
        expected = "before"
    elif ends is not None and at >= ends:
        expected = "over"
    assert schedule.phase(at, zone) == expected


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), zones)
def test_one_day_is_open_from_its_first_to_its_last_instant(day: date, name: str) -> None:
    zone = time_zone(name)
    starts, ends = Schedule(day, day).bounds(zone)
    assert starts is not None
    assert ends is not None
    phases = [
        Schedule(day, day).phase(at, zone) for at in (starts - MICROSECOND, starts, ends - MICROSECOND, ends)
    ]
    assert phases == ["before", "open", "open", "over"]
    assert local_day(starts, zone) == local_day(ends - MICROSECOND, zone) == day


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_campaign_of_a_day_of_changed_clocks_runs_as_long_as_the_day(day: date, hours: int) -> None:
    starts, ends = Schedule(day, day).bounds(time_zone("Europe/Berlin"))
    assert starts is not None
    assert ends is not None
    assert ends - starts == timedelta(hours=hours)


def test_an_instant_without_bounds_is_open() -> None:
    assert Schedule().phase(EPOCH, UTC) == "open"


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-02-30", "2026-1-1", "20261201", "2026-12-01T00:00:00"]
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"--start .* is no day"):
        parse_day("--start", text)
