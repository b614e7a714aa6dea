"""Days of time zones cover the time line once, whatever the clocks do."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys.ads.campaigns.local_days import day_bounds, day_hours, day_start, local_day, time_zone
from recsys.errors import RequestError

ZONES = sorted(available_timezones() - {"localtime", "posixrules"})
ODD = (
    "America/Sao_Paulo",
    "Pacific/Apia",
    "America/St_Johns",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "America/Toronto",
)
zones = st.sampled_from(ZONES) | st.sampled_from(ODD)
days = st.dates(date(1971, 1, 1), date(2100, 1, 1))
MICROSECOND, DAY = timedelta(microseconds=1), timedelta(days=1)
EPOCH = datetime(1971, 1, 1, tzinfo=UTC)
instants = st.timedeltas(timedelta(0), 47_000 * DAY).map(lambda since: EPOCH + since)


@given(instants, zones)
@example(datetime(2010, 11, 7, 2, 31, 30, tzinfo=UTC), "America/St_Johns")  # 00:01 became 23:01
def test_an_instant_lies_within_the_bounds_of_its_day(at: datetime, name: str) -> None:
    zone = time_zone(name)
    start, end = day_bounds(local_day(at, zone), zone)
    assert start <= at < end


@given(days, zones)
def test_a_day_begins_where_the_clocks_first_show_its_date(day: date, name: str) -> None:
    zone = time_zone(name)
    start = day_start(day, zone)
    assert start.tzinfo is UTC
    assert start.astimezone(zone).date() >= day
    assert (start - MICROSECOND).astimezone(zone).date() < day


@given(days, zones)
def test_a_day_ends_where_the_next_begins_and_days_do_not_go_back(day: date, name: str) -> None:
    zone = time_zone(name)
    start, end = day_bounds(day, zone)
    assert day_bounds(day + DAY, zone)[0] == end
    assert start <= end
    if start < end:
        assert local_day(start, zone) == local_day(end - MICROSECOND, zone) == day
        assert local_day(start - MICROSECOND, zone) < day


@given(instants, zones, st.timedeltas(timedelta(0), timedelta(days=3)))
def test_a_later_instant_is_of_no_earlier_day(at: datetime, name: str, later: timedelta) -> None:
    zone = time_zone(name)
    assert local_day(at, zone) <= local_day(at + later, zone)


@settings(max_examples=30, deadline=None)
@given(st.integers(1971, 2099), zones)
def test_the_hours_of_a_years_days_are_those_of_the_year(year: int, name: str) -> None:
    zone = time_zone(name)
    start, end = day_start(date(year, 1, 1), zone), day_start(date(year + 1, 1, 1), zone)
    count = (date(year + 1, 1, 1) - date(year, 1, 1)).days
    hours = [day_hours(date(year, 1, 1) + place * DAY, zone) for place in range(count)]
    assert sum(hours) == pytest.approx((end - start) / timedelta(hours=1), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("Asia/Shanghai", date(2026, 3, 29), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # 00:00 became 01:00
        ("America/Sao_Paulo", date(2018, 2, 17), 25),  # 24:00 became 23:00
        ("Asia/Beirut", date(2026, 3, 29), 23),
        ("America/St_Johns", date(2010, 11, 6), 24),  # 00:01 of the 7th became 23:01: the 7th had begun
        ("America/St_Johns", date(2010, 11, 7), 25),
        ("Pacific/Apia", date(2011, 12, 30), 0),  # left out
        ("Pacific/Kwajalein", date(1993, 8, 21), 0),
    ],
)
def test_days_of_changed_clocks(name: str, day: date, hours: float) -> None:
    assert day_hours(day, time_zone(name)) == hours


def test_a_zone_that_changes_at_midnight_begins_its_day_an_hour_later() -> None:
    zone = time_zone("America/Sao_Paulo")
    start = day_start(date(2018, 11, 4), zone)
    assert start == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert start.astimezone(zone).hour == 1


def test_a_change_before_midnight_begins_the_day_with_it() -> None:
    """Toronto's clocks went from 23:30 to 00:30 in 1919; nearer to us only days that are far apart do so."""
    zone = time_zone("Pacific/Apia")
    assert day_start(date(2011, 12, 30), zone) == day_start(date(2011, 12, 31), zone)
    assert local_day(datetime(2011, 12, 30, 10, tzinfo=UTC), zone) == date(2011, 12, 31)
    assert local_day(datetime(2011, 12, 30, 9, 59, 59, tzinfo=UTC), zone) == date(2011, 12, 29)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Europe/Berln", "Did you mean 'Europe/Berlin'"),
        ("Mars/Base", "IANA"),
        ("localtime", "IANA"),
        ("Europe", "IANA"),
        ("", "IANA"),
        ("../etc/passwd", "IANA"),
    ],
)
def test_an_unknown_zone_is_named_with_the_remedy(name: str, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        time_zone(name)


def test_a_day_that_is_too_far_away_is_refused() -> None:
    with pytest.raises(RequestError, match="from 1970 to 2200"):
        day_start(date(1969, 12, 31), time_zone("UTC"))
