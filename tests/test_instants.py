"""Instants go to microseconds and back without losing one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.instants import DAY, EPOCH, SECOND, from_micros, now_micros, to_micros, utc_now

ZONES = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1439, 1439))
# A day within the ends of the calendar, so that any zone can show the instant.
FIRST, LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)
INSTANTS = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=ZONES)
MICROS = st.integers(to_micros(FIRST), to_micros(LAST))


@given(INSTANTS)
def test_an_instant_survives_the_way_to_microseconds_and_back(at: datetime) -> None:
    assert from_micros(to_micros(at)) == at
    assert from_micros(to_micros(at)).utcoffset() == timedelta()


@given(MICROS)
def test_microseconds_survive_the_way_to_an_instant_and_back(micros: int) -> None:
    assert to_micros(from_micros(micros)) == micros


@given(INSTANTS, st.timedeltas(timedelta(), timedelta(hours=1)))
def test_microseconds_keep_distances(at: datetime, later: timedelta) -> None:
    assert to_micros(at + later) - to_micros(at) == later // timedelta(microseconds=1)


def test_the_epoch_is_zero_and_units_are_microseconds() -> None:
    assert to_micros(EPOCH) == 0
    assert to_micros(EPOCH + timedelta(seconds=1)) == SECOND
    assert to_micros(EPOCH - timedelta(days=1)) == -DAY


def test_a_naive_instant_is_an_error_that_shows_it() -> None:
    with pytest.raises(ValueError, match=r"datetime\(2026, 1, 31, 0, 0\) has no time zone"):
        to_micros(datetime(2026, 1, 31, tzinfo=UTC).replace(tzinfo=None))


def test_both_clocks_are_one() -> None:
    before, now, after = now_micros(), utc_now(), now_micros()
    assert now.tzinfo is UTC
    assert before <= to_micros(now) <= after
