"""The plan of a day."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.campaigns.local_days import day_bounds, time_zone
from recsys.ads.pacing.day_plan import FINISH_SECONDS, DayPlan, plan_day
from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.errors import RequestError
from tests.ads.pacing.simulated_days import DAY, LOCAL_CURVE, SHANGHAI, local, utc_forecast, whole_day_plan

FLAT = WeeklyForecast.of_day([1.0] * 24)
BERLIN = time_zone("Europe/Berlin")
BUDGET = 100_000_000
END = timedelta(seconds=FINISH_SECONDS)


def test_a_flat_forecast_is_spent_evenly_until_a_quarter_of_an_hour_before_the_end() -> None:
    plan = whole_day_plan(FLAT, BUDGET)
    assert plan.ends_at == local(23, 45)
    # 12 of 23.75 hours
    assert plan.target_micros(local(12)) == pytest.approx(BUDGET * 12 / 23.75, abs=1)
    assert plan.target_micros(local(0)) == 0
    assert plan.target_micros(local(23, 45)) == BUDGET


def test_each_hour_gets_the_share_of_its_forecast() -> None:
    plan = whole_day_plan(utc_forecast(LOCAL_CURVE), BUDGET)
    # Of the last hour three quarters are planned. 99% follow the forecast, 1% is even.
    total = sum(LOCAL_CURVE) - LOCAL_CURVE[23] / 4
    spent_from_20_to_21 = plan.target_micros(local(21)) - plan.target_micros(local(20))
    assert spent_from_20_to_21 == pytest.approx(BUDGET * (0.99 * 100 / total + 0.01 / 23.75), abs=2)


def test_the_forecast_is_in_utc_and_the_day_the_accounts() -> None:
    """Demand is all from 16:00 to 17:00 UTC: from midnight in Shanghai, from 18:00 in Berlin."""
    one_hour = WeeklyForecast.of_day([0.0] * 16 + [1.0] + [0.0] * 7)
    in_shanghai = plan_day(BUDGET, date(2026, 5, 2), SHANGHAI, one_hour)
    assert in_shanghai.target_micros(datetime(2026, 5, 1, 17, tzinfo=UTC)) > 0.99 * BUDGET
    in_berlin = plan_day(BUDGET, date(2026, 5, 2), BERLIN, one_hour)
    assert in_berlin.target_micros(datetime(2026, 5, 2, 16, tzinfo=UTC)) < 0.01 * BUDGET
    assert in_berlin.target_micros(datetime(2026, 5, 2, 17, tzinfo=UTC)) > 0.99 * BUDGET


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 28), 24), (date(2026, 3, 29), 23), (date(2026, 10, 25), 25)]
)
def test_days_of_23_and_25_hours_are_planned_to_their_ends(day: date, hours: int) -> None:
    plan = plan_day(BUDGET, day, BERLIN, FLAT)
    starts, ends = day_bounds(day, BERLIN)
    assert ends - starts == timedelta(hours=hours)
    assert (plan.edges[0], plan.ends_at) == (starts, ends - END)
    assert len(plan.edges) == hours + 1
    assert plan.target_micros(starts + timedelta(hours=1)) == pytest.approx(BUDGET / (hours - 0.25), abs=1)


def test_a_zone_that_is_half_an_hour_off_has_its_day_too() -> None:
    plan = plan_day(BUDGET, DAY, time_zone("Asia/Kolkata"), FLAT)
    assert plan.edges[0] == datetime(2026, 4, 30, 18, 30, tzinfo=UTC)
    assert plan.ends_at == datetime(2026, 5, 1, 18, 15, tzinfo=UTC)


def test_a_start_in_the_day_spreads_the_budget_over_what_is_left() -> None:
    plan = plan_day(BUDGET, DAY, SHANGHAI, FLAT, from_at=local(18))
    assert plan.target_micros(local(17)) == 0
    assert plan.target_micros(local(20)) == pytest.approx(BUDGET * 2 / 5.75, abs=1)
    until = plan_day(BUDGET, DAY, SHANGHAI, FLAT, from_at=local(18), until_at=local(20))
    assert until.target_micros(local(20)) == BUDGET
    assert until.ends_at == local(19, 48)  # a tenth of two hours


def test_a_day_without_time_left_is_refused() -> None:
    with pytest.raises(RequestError, match="no time of 2026-05-01"):
        plan_day(BUDGET, DAY, SHANGHAI, FLAT, from_at=local(23) + timedelta(hours=2))


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_is_above_0(budget: int) -> None:
    with pytest.raises(RequestError, match=f"a budget of {budget} micros"):
        whole_day_plan(FLAT, budget)
    with pytest.raises(RequestError, match=f"a budget of {budget} micros"):
        whole_day_plan(FLAT, BUDGET).with_budget(budget, 0, local(1))


def test_a_forecast_of_nothing_is_spent_evenly() -> None:
    plan = whole_day_plan(WeeklyForecast((0.0,) * 168), BUDGET)
    assert plan.target_micros(local(12)) == pytest.approx(BUDGET * 12 / 23.75, abs=1)


def test_a_changed_budget_is_planned_from_what_is_committed_on() -> None:
    plan = whole_day_plan(FLAT, BUDGET)
    spent = plan.target_micros(local(12))
    cut = plan.with_budget(BUDGET * 6 // 10, spent, local(12))
    assert cut.target_micros(local(12)) == spent
    left = BUDGET * 6 // 10 - spent
    assert cut.target_micros(local(18)) == pytest.approx(spent + left * 6 / 11.75, abs=2)
    assert cut.target_micros(local(23, 45)) == BUDGET * 6 // 10
    assert cut.pace_micros == pytest.approx(left * 23.75 / 11.75)


def test_a_budget_below_what_is_committed_plans_no_more() -> None:
    cut = whole_day_plan(FLAT, BUDGET).with_budget(BUDGET // 10, BUDGET // 2, local(12))
    assert {cut.target_micros(local(hour)) for hour in (12, 18, 23)} == {BUDGET // 10}
    assert cut.pace_micros > 0


def test_a_budget_raised_after_the_plan_has_ended_is_wanted_at_once() -> None:
    raised = whole_day_plan(FLAT, BUDGET).with_budget(2 * BUDGET, BUDGET, local(23, 50))
    assert raised.target_micros(local(23, 50)) == 2 * BUDGET


@given(
    demand=st.lists(st.floats(0, 1e6), min_size=24, max_size=24),
    day=st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Asia/Kolkata", "UTC"]),
    budget=st.integers(1, 2**51),
    start=st.floats(0, 0.98),
)
def test_a_plan_rises_from_0_to_the_budget_and_never_above(
    demand: list[float], day: date, zone: str, budget: int, start: float
) -> None:
    starts, ends = day_bounds(day, time_zone(zone))
    from_at = starts + start * (ends - starts)
    plan: DayPlan = plan_day(budget, day, time_zone(zone), WeeklyForecast.of_day(demand), from_at)
    instants = [from_at + place / 50 * (ends - from_at) for place in range(51)]
    targets = [plan.target_micros(at) for at in instants]
    assert targets == sorted(targets)
    assert (targets[0], targets[-1]) == (0, budget)
    assert all(0 <= target <= budget for target in targets)
