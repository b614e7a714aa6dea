"""The controller, step by step."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.ads.pacing.throttle import (
    committed_micros,
    joint_participation,
    next_throttle,
    paced_bid_micros,
    start_throttle,
    takes_part,
)
from tests.ads.pacing.simulated_days import EMPTY_NIGHT, LOCAL_CURVE, local, utc_forecast, whole_day_plan

FLAT = WeeklyForecast.of_day([1.0] * 24)
BUDGET = 950_000_000  # 40,000,000 an hour of the 23.75 that are planned
PLAN = whole_day_plan(FLAT, BUDGET)
HOURLY = 40_000_000


def test_on_plan_it_takes_part_in_the_share_that_the_budget_is_of_the_demand() -> None:
    assert start_throttle(PLAN, local(12), 12 * HOURLY, 4 * BUDGET).participation == pytest.approx(0.25)
    assert start_throttle(PLAN, local(12), 12 * HOURLY, BUDGET // 2).participation == 1.0


def test_unknown_demand_is_taken_for_twice_the_budget() -> None:
    assert start_throttle(PLAN, local(0)).participation == pytest.approx(0.5)


def test_a_distance_from_the_plan_is_made_up_within_a_quarter_of_an_hour() -> None:
    quarter = HOURLY // 4
    for behind, factor in (
        (0, 1),
        (quarter // 2, 1.5),
        (-quarter // 2, 0.5),
        (-quarter, 0),
        (-2 * quarter, 0),
    ):
        throttle = start_throttle(PLAN, local(12), 12 * HOURLY - behind, 4 * BUDGET)
        assert throttle.participation == pytest.approx(0.25 * factor)


def test_a_small_lead_in_an_empty_night_does_not_shut_a_campaign() -> None:
    """The divisor has a floor: a lead of 0.1% of the budget takes a tenth off, however little is planned."""
    plan = whole_day_plan(utc_forecast(EMPTY_NIGHT), BUDGET)
    planned = plan.target_micros(local(3, 15)) - plan.target_micros(local(3))
    lead = BUDGET // 1000
    assert lead > 5 * planned
    throttle = start_throttle(plan, local(3), plan.target_micros(local(3)) + lead, 4 * BUDGET)
    assert throttle.participation == pytest.approx(0.25 * 0.9, rel=1e-3)


def test_the_demand_is_learned_from_what_is_committed() -> None:
    """Twice the budget was guessed, ten times is there: after some minutes it takes part in a tenth."""
    throttle = start_throttle(PLAN, local(6), 6 * HOURLY)
    committed = float(6 * HOURLY)
    for step in range(1, 361):  # an hour
        committed += throttle.participation * 10 * HOURLY / 360
        throttle = next_throttle(throttle, PLAN, int(committed), local(6) + timedelta(seconds=10 * step))
    assert throttle.demand_micros == pytest.approx(10 * BUDGET, rel=0.1)
    assert throttle.participation == pytest.approx(0.1, rel=0.1)
    assert committed == pytest.approx(7 * HOURLY, rel=0.01)


def test_nothing_winds_up_while_a_budget_cannot_be_spent() -> None:
    """A morning without one shopper: from noon on it takes part in what the rest of the day asks for."""
    throttle = start_throttle(PLAN, local(0), 0, 4 * BUDGET)
    for minute in range(1, 721):
        throttle = next_throttle(throttle, PLAN, 0, local(0) + timedelta(minutes=minute))
    assert throttle.participation == 1.0
    # An operator cuts the budget: what is left is planned from now on, and nothing of the morning is owed.
    cut = PLAN.with_budget(BUDGET // 2, 0, local(12))
    back_on_plan = next_throttle(
        replace(throttle, seen_micros=4 * BUDGET * throttle.seen_share), cut, 0, local(12)
    )
    assert back_on_plan.participation == pytest.approx(cut.pace_micros / (4 * BUDGET))


def test_after_the_plan_has_ended_all_that_is_left_is_wanted() -> None:
    throttle = start_throttle(PLAN, local(23), BUDGET, 4 * BUDGET)
    assert next_throttle(throttle, PLAN, BUDGET - 1, local(23, 45)).participation == 1.0
    assert next_throttle(throttle, PLAN, BUDGET, local(23, 45)).participation == 0.0


def test_holds_count_by_the_share_whose_charge_is_still_to_come() -> None:
    assert committed_micros(100, 50, charge_seconds=60, hold_seconds=300) == 110
    assert committed_micros(100, 50, charge_seconds=60, hold_seconds=30) == 150  # never more than once


def test_levels_multiply_and_a_draw_decides() -> None:
    assert joint_participation([]) == 1.0
    assert joint_participation([0.5, 0.5]) == 0.25
    assert [takes_part(0.25, draw / 100) for draw in (0, 24, 25, 99)] == [True, True, False, False]


@given(bid=st.integers(0, 2**51), participation=st.floats(0, 1))
def test_a_paced_bid_is_never_above_the_bid(bid: int, participation: float) -> None:
    assert 0 <= paced_bid_micros(bid, participation) <= bid


@given(
    steps=st.lists(st.tuples(st.integers(-10, 1000), st.integers(-(10**8), 10**9)), max_size=40),
    curve=st.sampled_from([LOCAL_CURVE, EMPTY_NIGHT, (0,) * 24]),
    budget=st.integers(1, 2**51),
)
def test_a_participation_is_a_probability_whatever_happens(
    steps: list[tuple[int, int]], curve: tuple[float, ...], budget: int
) -> None:
    plan = whole_day_plan(utc_forecast(curve), budget)
    now, committed = local(0), 0
    throttle = start_throttle(plan, now)
    for minutes, more in steps:
        now, committed = now + timedelta(minutes=minutes), committed + more
        throttle = next_throttle(throttle, plan, committed, now)
        assert 0 <= throttle.participation <= 1
        assert 0 <= throttle.demand_micros < float("inf")
