"""Whole days: spend follows the plan, budgets are used up, and nothing is overspent.

A budget is 2,000 expected charges of 0.40. Each hour is within 2% of the plan. Wherever demand is 1.3 times the
budget or more, 99.7% of it is spent, and 99.9% on average over the seeds.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from statistics import mean

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

CURVE, NIGHT = utc_forecast(LOCAL_CURVE), utc_forecast(EMPTY_NIGHT)
SEEDS = (1, 2)
MOST_ERROR, LEAST_SHARE, LEAST_MEAN_SHARE = 0.02, 0.997, 0.999
MOST_FREE = 0.01  # clicks that no cap had room for


def one_level(*changes: tuple[datetime, int], budget: int = BUDGET) -> Level:
    return Level(whole_day_plan(CURVE, budget), list(changes))


def days(
    make: Callable[[], tuple[list[Ad], dict[str, object]]],
) -> list[tuple[list[Ad], dict[int, DayRecord]]]:
    """The ads after the day and the records of their levels, of each seed."""
    found = []
    for seed in SEEDS:
        ads, options = make()
        records = simulate(ads, options.pop("traffic", CURVE), seed, **options)  # type: ignore[arg-type]
        found.append((ads, records))
    return found


def check_no_overspend(found: list[tuple[list[Ad], dict[int, DayRecord]]]) -> None:
    for ads, _ in found:
        for ad in ads:
            assert all(level.spent <= level.plan.budget_micros for level in ad.levels)
            assert ad.free_clicks <= MOST_FREE * ad.charged_clicks


def check(found: list[tuple[list[Ad], dict[int, DayRecord]]], level: Callable[[list[Ad]], Level]) -> None:
    check_no_overspend(found)
    records = [records[id(level(ads))] for ads, records in found]
    assert max(record.error for record in records) <= MOST_ERROR
    assert min(record.share for record in records) >= LEAST_SHARE
    assert mean(record.share for record in records) >= LEAST_MEAN_SHARE


def first(ads: list[Ad]) -> Level:
    return ads[0].levels[0]


@pytest.mark.parametrize("demand", [1.3, 3.0, 100.0])
def test_an_ordinary_day(demand: float) -> None:
    check(days(lambda: ([Ad([one_level()], demand)], {})), first)


def test_an_almost_empty_night() -> None:
    """From 0:00 to 7:00 there is 0.01% of the demand, and the forecast knows it."""
    found = days(lambda: ([Ad([Level(whole_day_plan(NIGHT))], 1.3)], {"traffic": NIGHT}))
    check(found, first)
    for ads, records in found:
        night = [row for row in records[id(first(ads))].hours if row[0] < local(7)]
        assert min(participation for _, _, _, participation in night) > 0.3, "the night shut the campaign"


def test_an_almost_empty_night_that_the_forecast_does_not_know_is_made_up_in_the_morning() -> None:
    found = days(lambda: ([Ad([one_level()], 1.6)], {"traffic": NIGHT}))
    check_no_overspend(found)
    for ads, records in found:
        record = records[id(first(ads))]
        assert record.share >= LEAST_SHARE
        later = [abs(spent - planned) / BUDGET for at, planned, spent, _ in record.hours if at >= local(13)]
        assert max(later) <= MOST_ERROR


def test_a_cap_that_is_cut_by_40_percent_at_noon() -> None:
    found = days(lambda: ([Ad([one_level((local(12), BUDGET * 6 // 10))], 1.3)], {}))
    check(found, first)
    for ads, records in found:
        afternoon = [row for row in records[id(first(ads))].hours if local(12) <= row[0] < local(23)]
        assert min(participation for _, _, _, participation in afternoon) > 0.05, (
            "it went dark with money left"
        )


def test_a_cap_that_is_cut_below_what_is_spent_stops_at_once() -> None:
    found = days(lambda: ([Ad([one_level((local(12), BUDGET // 10))], 1.3)], {}))
    for ads, records in found:
        spent = [row[2] for row in records[id(first(ads))].hours if row[0] >= local(13)]
        assert len(set(spent)) == 1


def test_a_start_at_18_00() -> None:
    """38% of the day's demand is left then; 4 times the budget a day are 1.5 times it."""

    def make() -> tuple[list[Ad], dict[str, object]]:
        plan = plan_day(BUDGET, DAY, SHANGHAI, CURVE, from_at=local(18))
        return [Ad([Level(plan)], 4.0)], {"starts": local(18)}

    check(days(make), first)


def test_a_budget_that_is_raised_and_lowered_live() -> None:
    changes = ((local(9), BUDGET * 3 // 2), (local(15), BUDGET), (local(20), BUDGET * 5 // 4))
    check(days(lambda: ([Ad([one_level(*changes)], 2.5)], {})), first)


def test_two_campaigns_of_one_account_that_its_budget_bounds() -> None:
    """Each could spend its own budget; the account has room for three quarters of both."""

    def make() -> tuple[list[Ad], dict[str, object]]:
        account = one_level(budget=BUDGET * 3 // 2)
        return [Ad([one_level(), account], 1.6), Ad([one_level(), account], 1.6)], {}

    check(days(make), lambda ads: ads[0].levels[1])


def test_two_campaigns_of_one_account_of_which_one_is_small() -> None:
    """The small one follows its own plan, the account follows its own, and the large one has what is left."""

    def make() -> tuple[list[Ad], dict[str, object]]:
        account = one_level(budget=3 * BUDGET)
        return [Ad([one_level(), account], 4.0), Ad([one_level(budget=4 * BUDGET), account], 1.3)], {}

    found = days(make)
    check(found, lambda ads: ads[0].levels[1])
    check(found, first)


def test_two_campaigns_that_their_own_budgets_bound() -> None:
    def make() -> tuple[list[Ad], dict[str, object]]:
        account = one_level(budget=2 * BUDGET)
        return [Ad([one_level(), account], 1.5), Ad([one_level(), account], 1.5)], {}

    found = days(make)
    for place in (0, 1):
        check(found, lambda ads, place=place: ads[place].levels[0])  # type: ignore[misc]


@pytest.mark.parametrize("demand", [1.3, 10.0])
def test_charges_that_wait_for_60_seconds_at_the_busiest_hour(demand: float) -> None:
    stopped = [(local(hour), local(hour) + timedelta(seconds=60)) for hour in (12, 20, 23)]
    check(days(lambda: ([Ad([one_level()], demand)], {"stopped": stopped})), first)


@pytest.mark.parametrize("factor", [0.6, 1.6])
def test_clicks_that_are_predicted_too_high_or_too_low(factor: float) -> None:
    """Demand is 3 times the budget by prediction: 1.8 or 4.8 times in truth."""
    check(days(lambda: ([Ad([one_level()], 3.0, true_p_click=factor * P_CLICK)], {})), first)


def test_with_too_little_demand_all_of_it_is_taken() -> None:
    found = days(lambda: ([Ad([one_level()], 0.7)], {}))
    for ads, records in found:
        record = records[id(first(ads))]
        assert record.share == pytest.approx(0.7, abs=0.05)
        assert min(row[3] for row in record.hours if local(6) < row[0] < local(23)) > 0.95
