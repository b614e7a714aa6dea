"""How much demand each hour of a week brings."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.errors import DataError

MONDAY = datetime(2026, 4, 27, tzinfo=UTC)
WEEK = WeeklyForecast(tuple(float(hour) for hour in range(168)))
HOUR = timedelta(hours=1)


def test_each_hour_of_the_week_has_its_own_demand() -> None:
    assert [WEEK.between(MONDAY + n * HOUR, MONDAY + (n + 1) * HOUR) for n in (0, 1, 25, 167, 168)] == [
        0, 1, 25, 167, 0
    ]  # fmt: skip


def test_within_an_hour_demand_is_even() -> None:
    assert WEEK.between(MONDAY + 10.25 * HOUR, MONDAY + 12.5 * HOUR) == pytest.approx(
        0.75 * 10 + 11 + 0.5 * 12
    )


def test_weeks_follow_each_other() -> None:
    assert WEEK.between(MONDAY - HOUR, MONDAY + 3 * HOUR) == 167 + 0 + 1 + 2
    assert WEEK.between(MONDAY, MONDAY + timedelta(days=14)) == 2 * sum(range(168))


@given(st.lists(st.integers(0, 3 * 168 * 60), min_size=3, max_size=3))
def test_demand_of_times_that_follow_each_other_adds_up(minutes: list[int]) -> None:
    first, middle, last = (MONDAY + timedelta(minutes=each) for each in sorted(minutes))
    assert WEEK.between(first, middle) + WEEK.between(middle, last) == pytest.approx(
        WEEK.between(first, last)
    )


@pytest.mark.parametrize(
    "demand", [(1.0,) * 167, (1.0,) * 167 + (-1.0,), (float("nan"),) * 168, (float("inf"),) * 168]
)
def test_a_week_has_168_numbers_from_0(demand: tuple[float, ...]) -> None:
    with pytest.raises(DataError):
        WeeklyForecast(demand)


def test_measured_demand_is_an_hours_mean_drawn_towards_that_of_all_days() -> None:
    """Four weeks of 10 requests at 20:00, on Saturdays 80: a mean of (6 x 10 + 80) / 7 = 20."""
    evenings = (MONDAY - timedelta(days=days) + 20 * HOUR for days in range(28, 0, -1))
    requests = {evening: 80 if evening.weekday() == 5 else 10 for evening in evenings}
    first = MONDAY - timedelta(days=28)
    demand = WeeklyForecast.of_requests({first: 0} | requests, MONDAY).demand
    assert demand[5 * 24 + 20] == pytest.approx((4 * 80 + 20) / 5)
    assert demand[2 * 24 + 20] == pytest.approx((4 * 10 + 20) / 5)
    assert sum(demand) == pytest.approx(demand[5 * 24 + 20] + 6 * demand[2 * 24 + 20])


@pytest.mark.parametrize("hours", [0, 1, 7 * 24 - 1])
def test_less_than_a_week_says_nothing_of_a_week(hours: int) -> None:
    requests = {MONDAY - n * HOUR: 1000 * (n % 24) for n in range(1, hours + 1)}
    assert WeeklyForecast.of_requests(requests, MONDAY) == WeeklyForecast.even()


def test_of_a_first_day_only_whole_days_count_and_nothing_from_the_end_on() -> None:
    week = {MONDAY - n * HOUR: 5 for n in range(1, 7 * 24 + 1)}
    others = {MONDAY - timedelta(days=7) - HOUR: 10**6, MONDAY: 10**6}
    demand = WeeklyForecast.of_requests(week | others, MONDAY).demand
    assert demand == pytest.approx([5.0] * 168)
