"""Simulated days of campaigns that pay by click: shoppers, holds, clicks that come late, charges within caps.

A step has 10 s. In it the shoppers that the traffic brings open pages; an ad enters each auction with its
participation, holds the expected cost if its budgets have room, and a click comes up to a minute later.
The charge is conditional on every cap, as the ledger's is; a click that no cap has room for is free.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np

from recsys.ads.campaigns.local_days import day_bounds, time_zone
from recsys.ads.pacing.budget_gate import expected_cost_micros
from recsys.ads.pacing.day_plan import DayPlan, plan_day
from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.ads.pacing.throttle import (
    Throttle,
    committed_micros,
    joint_participation,
    next_throttle,
    start_throttle,
)

DAY = date(2026, 5, 1)
STEP = timedelta(seconds=10)
HOLD_STEPS = 30  # 300 s
CLICK_STEPS = 6  # a click comes within a minute
PRICE = 400_000  # micros a click
P_CLICK = 0.02
EXPECTED_COST = 8_000  # 400,000 x 0.02
CHARGES = 2_000
BUDGET = CHARGES * PRICE
SHANGHAI = time_zone("Asia/Shanghai")
# Local hours of an ordinary shop: a trough at four in the morning, a first peak at noon, the top at 20:00.
LOCAL_CURVE = (30, 18, 11, 7, 6, 8, 15, 30, 48, 62, 70, 76, 80, 74, 70, 70, 72, 76, 84, 96, 100, 92, 74, 50)
EMPTY_NIGHT = (0.02,) * 7 + LOCAL_CURVE[7:]


def utc_forecast(local_hours: Sequence[float], offset_hours: int = 8) -> WeeklyForecast:
    """The forecast whose hours are those of a zone that is `offset_hours` ahead of UTC."""
    return WeeklyForecast.of_day([local_hours[(hour + offset_hours) % 24] for hour in range(24)])


@dataclass
class Money:
    """What is spent and held of a budget; all processes see the same."""

    spent: int = 0
    held: int = 0


@dataclass
class Level:
    """A budget with its plan and controller, as one process has them.

    Attributes:
        changes: the instants at which the budget becomes another one.
    """

    plan: DayPlan
    changes: list[tuple[datetime, int]] = field(default_factory=list)
    demand_micros: float | None = None
    money: Money = field(default_factory=Money)
    throttle: Throttle | None = None

    @property
    def committed(self) -> int:
        """What the controller counts."""
        return committed_micros(self.money.spent, self.money.held)

    def steer(self, now: datetime) -> None:
        """Applies changes of the budget that are due, and asks the controller."""
        while self.changes and now >= self.changes[0][0]:
            self.plan = self.plan.with_budget(self.changes.pop(0)[1], self.committed, now)
        committed = self.committed
        if self.throttle is None:
            self.throttle = start_throttle(self.plan, now, committed, self.demand_micros)
        else:
            self.throttle = next_throttle(self.throttle, self.plan, committed, now)

    def room(self) -> int:
        """Micros that may still be held."""
        return self.plan.budget_micros - self.money.spent - self.money.held


@dataclass
class Ad:
    """A campaign of one ad: its own budget and those above it, and what demand it meets on the day.

    Attributes:
        demand: of the whole day, as a multiple of the budget at the day's start.
        true_p_click: what P_CLICK, which holds are made by, would be if it were known.
        response: what the controller's number does: the share of auctions won, and the price a click.
    """

    levels: list[Level]
    demand: float
    response: Callable[[float], tuple[float, int]] = lambda participation: (participation, PRICE)
    true_p_click: float = P_CLICK
    holds: deque[tuple[int, int]] = field(default_factory=deque)  # step at which they end, micros
    clicks: dict[int, list[int]] = field(default_factory=dict)  # prices by the step they are charged at
    shown: list[int] = field(default_factory=list)  # impressions of each step
    free_clicks: int = 0
    charged_clicks: int = 0


@dataclass(frozen=True)
class DayRecord:
    """What was measured of one level.

    Attributes:
        hours: (instant, planned, spent, participation) at each full hour.
        error: max over hours of |spent - plan| / the largest budget of the day.
        share: of the last budget that was spent.
    """

    hours: list[tuple[datetime, int, int, float]]
    error: float
    share: float


def simulate(
    ads: list[Ad],
    traffic: WeeklyForecast,
    seed: int,
    noise: float = 0.15,
    starts: datetime | None = None,
    stopped: Sequence[tuple[datetime, datetime]] = (),
) -> dict[int, DayRecord]:
    """The records of every level, by its id().

    Args:
        noise: standard deviation of the log of each hour's traffic around what `traffic` says.
        stopped: times in which nothing is charged; what waits is charged at their end.
    """
    rng = np.random.default_rng(seed)
    begins, ends = day_bounds(DAY, SHANGHAI)
    now = begins if starts is None else starts
    total = traffic.between(begins, ends)
    factors = np.exp(rng.normal(-noise * noise / 2, noise, 24))
    levels = list({id(level): level for ad in ads for level in ad.levels}.values())
    hours: dict[int, list[tuple[datetime, int, int, float]]] = {id(level): [] for level in levels}
    first_budgets = {id(ad): ad.levels[0].plan.budget_micros for ad in ads}
    most = {id(level): max(level.plan.budget_micros, *(b for _, b in level.changes), 0) for level in levels}
    step = 0
    while now < ends:
        for level in levels:
            level.steer(now)
            if now.minute == now.second == 0:
                assert level.throttle is not None
                row = (now, level.plan.target_micros(now), level.money.spent, level.throttle.participation)
                hours[id(level)].append(row)
        share = traffic.between(now, now + STEP) / total * factors[int((now - begins) / timedelta(hours=1))]
        is_stopped = any(start <= now < end for start, end in stopped)
        for ad in ads:
            _show(ad, ad.demand * first_budgets[id(ad)] * share, step, rng)
            _settle(ad, step, is_stopped)
        now, step = now + STEP, step + 1
    records = {}
    for level in levels:
        last = (now, level.plan.target_micros(now), level.money.spent, 0.0)
        rows = [*hours[id(level)], last]
        error = max(abs(spent - planned) for _, planned, spent, _ in rows) / most[id(level)]
        records[id(level)] = DayRecord(rows, error, level.money.spent / level.plan.budget_micros)
    return records


def _show(ad: Ad, demand_micros: float, step: int, rng: np.random.Generator) -> None:
    won, price = ad.response(
        joint_participation(level.throttle.participation for level in ad.levels if level.throttle is not None)
    )
    cost = expected_cost_micros("cpc", price, P_CLICK)
    shown = int(rng.poisson(demand_micros / EXPECTED_COST * won))
    shown = min(shown, *(max(level.room(), 0) // cost for level in ad.levels))
    for level in ad.levels:
        level.money.held += shown * cost
    ad.shown.append(shown)
    clicks = int(rng.binomial(shown, ad.true_p_click))
    if shown:
        ad.holds.append((step + HOLD_STEPS, (shown - clicks) * cost))
    for delay in rng.integers(1, CLICK_STEPS + 1, clicks):
        ad.clicks.setdefault(step + int(delay), []).append(price)


def _settle(ad: Ad, step: int, is_stopped: bool) -> None:
    """Ends holds that are due and charges clicks that have come; a click's own hold ends with its charge."""
    while ad.holds and ad.holds[0][0] <= step:
        _, micros = ad.holds.popleft()
        for level in ad.levels:
            level.money.held -= micros
    if is_stopped:
        return
    for due in sorted(each for each in ad.clicks if each <= step):
        for price in ad.clicks.pop(due):
            can_pay = all(level.money.spent + price <= level.plan.budget_micros for level in ad.levels)
            for level in ad.levels:
                level.money.held -= expected_cost_micros("cpc", price, P_CLICK)
                level.money.spent += price * can_pay
            ad.charged_clicks += can_pay
            ad.free_clicks += not can_pay


def whole_day_plan(forecast: WeeklyForecast, budget: int = BUDGET) -> DayPlan:
    return plan_day(budget, DAY, SHANGHAI, forecast)


def local(hour: int, minute: int = 0) -> datetime:
    """That time of the day in Shanghai."""
    return datetime(2026, 5, 1, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)
