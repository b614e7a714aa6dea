"""Many controllers as arrays are what `throttle` makes of each alone."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.pacing.day_plan import DayPlan
from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.ads.pacing.throttle import HORIZON, Throttle, committed_micros, next_throttle, start_throttle
from recsys.ads.pacing.throttle_arrays import (
    PlannedShares,
    ThrottleArrays,
    committed_arrays,
    next_throttle_arrays,
    start_throttle_arrays,
)
from tests.ads.pacing.simulated_days import EMPTY_NIGHT, LOCAL_CURVE, local, utc_forecast, whole_day_plan


@dataclass
class OneByOne:
    """The reference: a plan and a controller of each budget, moved on alone."""

    plans: list[DayPlan]
    throttles: list[Throttle]

    def next(
        self, budgets: list[int], committed: list[int], now: datetime, new: WeeklyForecast | None
    ) -> None:
        for number, (budget, spent) in enumerate(zip(budgets, committed, strict=True)):
            plan = self.plans[number]
            if new is not None:
                plan = self.plans[number] = whole_day_plan(new, budget).with_budget(budget, spent, now)
                self.throttles[number] = replace(self.throttles[number], at=now)
            if plan.budget_micros != budget:
                plan = self.plans[number] = plan.with_budget(budget, spent, now)
            self.throttles[number] = next_throttle(self.throttles[number], plan, spent, now)


def shares_at(plan: DayPlan, now: datetime, count: int) -> PlannedShares:
    share, ahead, is_over = plan.share(now), plan.share(now + HORIZON), now >= plan.ends_at
    return PlannedShares(np.full(count, share), np.full(count, ahead), np.full(count, is_over))


def assert_equal(found: ThrottleArrays, wanted: OneByOne) -> None:
    throttles, plans = wanted.throttles, wanted.plans
    assert found.committed_micros.tolist() == [each.committed_micros for each in throttles]
    assert found.from_micros.tolist() == [each.from_micros for each in plans]
    assert found.from_share.tolist() == [each.from_share for each in plans]
    # numpy's exp may differ from math's in the last digit
    for name in ("participation", "seen_micros", "seen_share", "demand_micros"):
        expected = [getattr(each, name) for each in throttles]
        assert getattr(found, name).tolist() == pytest.approx(expected, rel=1e-9, abs=1e-9)


BUDGETS = st.integers(1, 2**51)
CURVES = (LOCAL_CURVE, EMPTY_NIGHT, (0,) * 24)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.lists(st.tuples(BUDGETS, st.integers(0, 10**9)), min_size=3, max_size=3),
        st.none() | st.sampled_from(CURVES),
    ),
    max_size=12,
)


@given(
    curve=st.sampled_from(CURVES),
    starts=st.lists(st.tuples(BUDGETS, st.none() | st.floats(0, 1e15)), min_size=3, max_size=3),
    steps=STEPS,
)
def test_each_controller_is_what_it_would_be_alone(
    curve: tuple[float, ...],
    starts: list[tuple[int, float | None]],
    steps: list[tuple[int, list[tuple[int, int]], tuple[float, ...] | None]],
) -> None:
    day, now = whole_day_plan(utc_forecast(curve), 1), local(5)
    budgets = [budget for budget, _ in starts]
    committed = [7 * number for number in range(3)]
    plans = [
        whole_day_plan(utc_forecast(curve), budget).with_budget(budget, spent, now)
        for budget, spent in zip(budgets, committed, strict=True)
    ]
    alone = OneByOne(
        plans,
        [
            start_throttle(plan, now, spent, demand)
            for plan, spent, (_, demand) in zip(plans, committed, starts, strict=True)
        ],
    )
    demand = np.array([np.nan if demand is None else demand for _, demand in starts])
    found = start_throttle_arrays(np.array(budgets), np.array(committed), demand, shares_at(day, now, 3))
    assert_equal(found, alone)
    for minutes, changes, new_curve in steps:
        now += timedelta(minutes=minutes)
        budgets = [
            budget if budget % 2 else before for (budget, _), before in zip(changes, budgets, strict=True)
        ]
        committed = [spent + more for spent, (_, more) in zip(committed, changes, strict=True)]
        new = None if new_curve is None else utc_forecast(new_curve)
        day = day if new is None else whole_day_plan(new, 1)
        alone.next(budgets, committed, now, new)
        found = next_throttle_arrays(
            found,
            np.array(budgets),
            np.array(committed),
            shares_at(day, now, 3),
            np.full(3, new is not None),
        )
        assert_equal(found, alone)


@given(
    used=st.lists(st.tuples(st.integers(0, 2**51), st.integers(0, 2**51)), min_size=1, max_size=5),
    hold_seconds=st.floats(1, 1000),
)
def test_what_is_committed_is_the_same_number(used: list[tuple[int, int]], hold_seconds: float) -> None:
    spent, held = np.array(used).T
    assert committed_arrays(spent, held, hold_seconds).tolist() == [
        committed_micros(*each, hold_seconds=hold_seconds) for each in used
    ]
