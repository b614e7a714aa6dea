"""Whole days: spend follows the plan, budgets are used up, and nothing is overspent.

A budget is 2,000 expected charges of 0.40. Each hour is within 2% of the plan. Where demand is 1.3 times the
budget or more, 99.7% of it is spent, and 99.9% on average over the seeds; docs/ads-pacing.md shows that.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from recsys.ads.pacing.day_plan import plan_day
from tests.ads.pacing.simulated_days import (
    BUDGET,
    DAY,
    EMPTY_NIGHT,
    LOCAL_CURVE,
    P_CLICK,
    SHANGHAI,
    Ad,
    DayRecord,
    Level,
    local,
    simulate,
    utc_forecast,
    whole_day_plan,
)

PAGES = [Path(__file__).parents[3] / "docs" / folder / "ads-pacing.md" for folder in (".", "zh")]
CURVE, NIGHT = utc_forecast(LOCAL_CURVE), utc_forecast(EMPTY_NIGHT)
SEEDS = (1, 2)
MOST_ERROR, LEAST_SHARE, LEAST_MEAN_SHARE = 0.02, 0.997, 0.999
MOST_FREE = 0.01  # clicks that no cap had room for


@dataclass
class Day:
    """Campaigns before their day.

    Attributes:
        checked: the budget whose record counts.
        options: of `simulate`.
    """

    ads: list[Ad]
    checked: Level
    options: dict[str, Any] = field(default_factory=dict)


def one_level(*changes: tuple[Any, int], budget: int = BUDGET) -> Level:
    return Level(whole_day_plan(CURVE, budget), list(changes))


def alone(level: Level, demand: float, true_p_click: float = P_CLICK, **options: Any) -> Day:
    """One campaign whose account bounds nothing."""
    return Day([Ad([level], demand, true_p_click=true_p_click)], level, options)


def two(
    budgets: tuple[int, int], demands: tuple[float, float], account_budget: int, checked: int | None
) -> Day:
    """Two campaigns of one account; the record is that of one of them, or of the account."""
    account = one_level(budget=account_budget)
    own = [one_level(budget=budget) for budget in budgets]
    ads = [Ad([level, account], demand) for level, demand in zip(own, demands, strict=True)]
    return Day(ads, account if checked is None else own[checked])


def start_at_18() -> Day:
    """38% of the day's demand is left then: 4 times the budget a day are 1.5 times it."""
    level = Level(plan_day(BUDGET, DAY, SHANGHAI, CURVE, from_at=local(18)))
    return alone(level, 4.0, starts=local(18))


def two_processes() -> Day:
    """Each has a controller of its own for the same budget, and one answers four of five requests."""
    level, other = one_level(), one_level()
    other.money = level.money
    return Day([Ad([level], 4.0), Ad([other], 1.0)], level)


RAISED_AND_LOWERED = ((local(9), BUDGET * 3 // 2), (local(15), BUDGET), (local(20), BUDGET * 5 // 4))
STOPPED = [(local(hour), local(hour) + timedelta(seconds=60)) for hour in (12, 20, 23)]
# By the number of their row on the page.
SCENARIOS: dict[int, Callable[[], Day]] = {
    1: lambda: alone(one_level(), 1.3),
    2: lambda: alone(one_level(), 3.0),
    3: lambda: alone(one_level(), 100.0),
    4: lambda: alone(Level(whole_day_plan(NIGHT)), 1.3, traffic=NIGHT),
    5: lambda: alone(one_level((local(12), BUDGET * 6 // 10)), 1.3),
    6: start_at_18,
    7: lambda: alone(one_level(*RAISED_AND_LOWERED), 2.5),
    8: lambda: two((BUDGET, BUDGET), (1.6, 1.6), BUDGET * 3 // 2, checked=None),
    9: lambda: two((BUDGET, 4 * BUDGET), (4.0, 1.3), 3 * BUDGET, checked=0),
    10: lambda: two((BUDGET, BUDGET), (1.5, 1.5), 2 * BUDGET, checked=1),
    11: lambda: alone(one_level(), 1.3, stopped=STOPPED),
    12: lambda: alone(one_level(), 10.0, stopped=STOPPED),
    13: lambda: alone(one_level(), 3.0, true_p_click=0.6 * P_CLICK),
    14: lambda: alone(one_level(), 3.0, true_p_click=1.6 * P_CLICK),
    15: two_processes,
}


def run(make: Callable[[], Day], seed: int) -> tuple[Day, DayRecord]:
    """The day after it was simulated, and its record; no budget is overspent, and few clicks are free."""
    day = make()
    options = {"traffic": CURVE, **day.options}
    record = simulate(day.ads, seed=seed, **options)[id(day.checked)]
    for ad in day.ads:
        assert all(level.money.spent <= level.plan.budget_micros for level in ad.levels)
        assert ad.free_clicks <= MOST_FREE * ad.charged_clicks
    return day, record


def page_rows(page: Path) -> dict[int, tuple[float, float]]:
    """Error and share of the rows of a page, by number."""
    found = re.findall(
        r"^\| (\d+) \| .* \| (\d+\.\d+)% \| (\d+\.\d+)% \|$", page.read_text("utf-8"), re.MULTILINE
    )
    return {int(number): (float(error) / 100, float(share) / 100) for number, error, share in found}


@pytest.mark.parametrize("number", SCENARIOS)
def test_spend_follows_the_plan_and_the_budget_is_used_up(number: int) -> None:
    records = [run(SCENARIOS[number], seed)[1] for seed in SEEDS]
    error, share = max(record.error for record in records), mean(record.share for record in records)
    assert error <= MOST_ERROR
    assert min(record.share for record in records) >= LEAST_SHARE
    assert share >= LEAST_MEAN_SHARE
    for page in PAGES:
        assert page_rows(page)[number] == pytest.approx((error, share), abs=0.001)


def test_the_pages_show_every_scenario() -> None:
    for page in PAGES:
        assert list(page_rows(page)) == list(SCENARIOS)


def test_an_almost_empty_night_does_not_shut_a_campaign() -> None:
    """From 0:00 to 7:00 there is 0.01% of the demand."""
    _, record = run(SCENARIOS[4], seed=1)
    assert min(row[3] for row in record.hours if row[0] < local(7)) > 0.3


def test_a_night_that_the_forecast_does_not_know_to_be_empty_is_made_up_in_the_morning() -> None:
    _, record = run(lambda: alone(one_level(), 1.6, traffic=NIGHT), seed=1)
    assert record.share >= LEAST_SHARE
    later = [abs(spent - planned) / BUDGET for at, planned, spent, _ in record.hours if at >= local(13)]
    assert max(later) <= MOST_ERROR


def test_a_cut_at_noon_does_not_shut_a_campaign_with_money_left() -> None:
    _, record = run(SCENARIOS[5], seed=1)
    assert min(row[3] for row in record.hours if local(12) <= row[0] < local(23)) > 0.05


def test_a_cut_below_what_is_spent_stops_at_once() -> None:
    level = one_level((local(12), BUDGET // 10))
    record = simulate([Ad([level], 1.3)], CURVE, seed=1)[id(level)]
    assert len({row[2] for row in record.hours if row[0] >= local(13)}) == 1


def test_with_too_little_demand_all_of_it_is_taken() -> None:
    _, record = run(lambda: alone(one_level(), 0.7), seed=1)
    assert record.share == pytest.approx(0.7, abs=0.05)
    assert min(row[3] for row in record.hours if local(6) < row[0] < local(23)) > 0.95
