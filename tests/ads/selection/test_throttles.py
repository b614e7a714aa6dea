"""Controllers of all budgets of a day, and what they do to a request."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from recsys.ads.campaigns.bidding import Budget, MostClicks
from recsys.ads.campaigns.schedule import Schedule
from recsys.ads.delivery.steps import Step
from recsys.ads.exploration.propensity import SlotChance
from recsys.ads.pacing.budget_gate import Usage
from recsys.ads.pacing.day_plan import DayPlan, plan_day
from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.ads.pacing.throttle_arrays import ThrottleArrays
from recsys.ads.selection.inventory import Inventory
from recsys.ads.selection.paced_budgets import PacedBudgets
from recsys.ads.selection.throttles import Throttles, UsageOf, next_throttles
from tests.ads.selection.small_market import ACME, BOLT, NOW, Market, campaign, question

FLAT = WeeklyForecast.of_day([1.0] * 24)
BUDGET = 95_000_000
SAMOAN_DAYS = (date(2011, 12, 29), date(2011, 12, 30))
TEA = campaign("tea", "green", budget=Budget(BUDGET))
POT = campaign("pot", "iron", account=BOLT, bid=300_000)


def tick(
    before: Throttles | None,
    market: Market,
    spent: int,
    now: datetime = NOW,
    forecast: WeeklyForecast = FLAT,
) -> Throttles:
    inventory = market.inventory
    before = before or Throttles.nothing(inventory)
    return next_throttles(before, inventory, all_have(spent), forecast, now, 300.0)


def all_have(spent: int) -> UsageOf:
    def usages(asked: Mapping[str, Sequence[str]]) -> dict[str, Usage]:
        return {
            account_id: Usage(1, dict.fromkeys(names, spent), dict.fromkeys(names, 0))
            for account_id, names in asked.items()
        }

    return usages


def plan_of(throttles: Throttles, entity_id: str) -> DayPlan:
    """The plan of a budget of an account in UTC."""
    row, found = throttles.budgets.rows[entity_id], throttles.controllers
    plan = plan_day(int(found.budget_micros[row]), date.fromordinal(int(throttles.day[row])), UTC, FLAT)
    from_micros = int(found.from_micros[row])
    return replace(plan, from_share=float(found.from_share[row]), from_micros=from_micros)


def with_participation(share: float, market: Market, *entity_ids: str) -> Throttles:
    """Of the budgets of a day that the market has, or of `entity_ids` alone; the others take part."""
    found = tick(None, market, 0)
    shares = np.array([share if not entity_ids or each in entity_ids else 1.0 for each in found.budgets.ids])
    return replace(found, controllers=replace(found.controllers, participation=shares))


def test_every_budget_of_a_day_that_runs_has_a_controller() -> None:
    account = replace(ACME, budget_day_micros=BUDGET)
    line = campaign("cup", "blue", line_budget=Budget(70_000_000))
    total = campaign("jar", "x", budget=Budget(None, BUDGET))
    later = campaign("mug", "y", budget=Budget(BUDGET), schedule=Schedule(date(2026, 5, 2)))
    market = Market([TEA, line, total, later], accounts=[account, BOLT])
    budgets = PacedBudgets.of(market.inventory)
    names = budgets.level_names(budgets.days(NOW), budgets.running(NOW))
    assert names == {
        "acc_1": ["acc_1/2026-05-01", "cmp_tea/2026-05-01", "lin_cup/2026-05-01"],
        "acc_2": [],
    }
    found = tick(None, market, 0)
    assert [budgets.ids[row] for row in np.flatnonzero(found.day)] == ["acc_1", "cmp_tea", "lin_cup"]


def test_a_campaign_that_is_new_at_noon_spreads_its_budget_over_the_afternoon() -> None:
    """Plans end a quarter before midnight: at 18:00 six hours of 11.75 are over."""
    plan = plan_of(tick(None, Market([TEA]), 0), "cmp_tea")
    assert plan.target_micros(NOW) == 0
    assert plan.target_micros(NOW + timedelta(hours=6)) == pytest.approx(BUDGET * 6 / 11.75, rel=1e-3)
    assert plan.target_micros(NOW + timedelta(hours=12)) == BUDGET


def test_controllers_go_on_follow_a_changed_budget_and_begin_anew_with_the_day() -> None:
    market = Market([TEA])
    first = tick(None, market, 0)
    second = tick(first, market, 40_000, NOW + timedelta(seconds=5))
    assert second.controllers.committed_micros.tolist() == [40_000]
    market.campaigns = [POT, replace(TEA, budget=Budget(BUDGET // 2))]
    third = tick(second, market, 40_000, NOW + timedelta(seconds=10))
    assert plan_of(third, "cmp_tea").budget_micros == BUDGET // 2
    tomorrow = tick(third, market, 0, NOW + timedelta(days=1))
    assert plan_of(tomorrow, "cmp_tea").edges[0].date() == NOW.date() + timedelta(days=1)
    assert tomorrow.controllers.demand_micros == pytest.approx(third.controllers.demand_micros)


def test_another_forecast_plans_what_is_left_and_takes_no_former_spend_for_a_distance() -> None:
    """From an even day to one whose demand comes before noon: by it all should have been spent."""
    market = Market([TEA])
    first = tick(None, market, 0, NOW - timedelta(hours=6))
    second = tick(first, market, BUDGET // 3, NOW)
    morning = WeeklyForecast.of_day([1.0] * 12 + [0.01] * 12)
    now = NOW + timedelta(seconds=5)
    third = tick(second, market, BUDGET // 3, now, morning)
    row = third.budgets.rows["cmp_tea"]
    assert third.controllers.from_micros[row] == BUDGET // 3
    assert third.controllers.from_share[row] == third.controllers.share[row] > 0.9
    assert third.controllers.demand_micros[row] == pytest.approx(second.controllers.demand_micros[row])
    assert not third.is_stale.any()


def test_a_gate_that_did_not_answer_is_planned_by_the_new_forecast_once_it_does() -> None:
    market = Market([TEA])
    morning = WeeklyForecast.of_day([1.0] * 12 + [0.01] * 12)
    first = tick(None, market, 0)
    away = next_throttles(first, market.inventory, lambda asked: {}, morning, NOW + timedelta(hours=1), 300.0)
    assert away.is_stale.all()
    assert away.controllers.share.tolist() == first.controllers.share.tolist()
    back = tick(away, market, 10_000, NOW + timedelta(hours=2), morning)
    assert not back.is_stale.any()
    assert back.controllers.from_micros.tolist() == [10_000]


def test_a_gate_that_does_not_answer_leaves_controllers_as_they_are() -> None:
    market = Market([TEA])
    first = tick(None, market, 0)
    later = NOW + timedelta(hours=1)
    again = next_throttles(first, market.inventory, lambda asked: {}, FLAT, later, 300.0)
    assert (again.day == first.day).all()
    for each in fields(ThrottleArrays):
        assert (getattr(again.controllers, each.name) == getattr(first.controllers, each.name)).all()


def test_an_account_whose_gate_lost_something_is_closed() -> None:
    market = Market([TEA, POT])
    market.gate.lose_everything()
    market.gate.rebuild("acc_2", {})
    nothing = Throttles.nothing(market.inventory)
    found = next_throttles(nothing, market.inventory, market.gate.usages, FLAT, NOW, 300.0)
    assert found.closed == {"acc_1"}
    market.throttles = found
    selection = market.ask(question())
    assert (selection.steps["cmp_tea"], selection.rebuilding) == (Step.BUDGET, True)


def test_a_day_that_a_zone_left_out_has_no_controller() -> None:
    """Samoa had no 30th of December 2011; nobody asks for its plan, as no instant lies in it."""
    accounts = [replace(each, time_zone="Pacific/Apia") for each in (ACME, BOLT)]
    budgets = PacedBudgets.of(Market([TEA], accounts=accounts).inventory)
    assert [budgets.shares([day], FLAT, NOW)[1].tolist() for day in SAMOAN_DAYS] == [[True], [False]]


def test_a_line_takes_part_with_the_joint_probability_of_its_budgets() -> None:
    many = tuple(f"i{number}" for number in range(20))
    account = replace(ACME, budget_day_micros=BUDGET)
    budget = Budget(BUDGET)
    market = Market([campaign("tea", *many, budget=budget, line_budget=budget)], accounts=[account, BOLT])
    market.throttles = with_participation(0.5, market)
    standing = market.standing()
    assert standing.participation.tolist() == [0.125]
    answers = [market.ask(question(1, f"r{turn}"), standing) for turn in range(600)]
    entered = [answer for answer in answers if answer.slots]
    assert len(entered) / 600 == pytest.approx(0.125, abs=4 * (0.125 * 0.875 / 600) ** 0.5)
    assert {answer.slots[0].chance for answer in entered} == {SlotChance()}
    assert {answer.steps["cmp_tea"] for answer in answers} == {Step.PACING, Step.WON}


def test_most_clicks_lowers_its_bid_and_takes_part() -> None:
    clicks = campaign("tea", "green", bidding=MostClicks(80_000), budget=Budget(BUDGET))
    market = Market([clicks])
    market.throttles = with_participation(0.25, market)
    for turn in range(5):
        (slot,) = market.ask(question(1, f"r{turn}")).slots
        assert slot.filled.bid_micros == 20_000


def test_without_budgets_everything_takes_part() -> None:
    inventory = Inventory.of([ACME], [campaign("tea", "green")], datetime(2026, 5, 1, tzinfo=UTC))
    assert Throttles.nothing(inventory).of_lines(inventory).tolist() == [1.0]
