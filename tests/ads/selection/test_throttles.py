"""Controllers of all budgets of a day, and what they do to a request."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from recsys.ads.campaigns.bidding import Budget, MostClicks
from recsys.ads.delivery.steps import Step
from recsys.ads.exploration.propensity import SlotChance
from recsys.ads.pacing.budget_gate import Usage
from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.ads.selection.inventory import Inventory
from recsys.ads.selection.throttles import Throttles, next_throttles, paced_budgets
from tests.ads.selection.small_market import ACME, BOLT, NOW, Market, campaign, question

FLAT = WeeklyForecast.of_day([1.0] * 24)
BUDGET = 95_000_000
TEA = campaign("tea", "green", budget=Budget(BUDGET))
POT = campaign("pot", "iron", account=BOLT, bid=300_000)


def tick(before: Throttles, market: Market, spent: int, now: datetime = NOW) -> Throttles:
    def usage(account_id: str, names: list[str]) -> Usage:
        return Usage(1, dict.fromkeys(names, spent), dict.fromkeys(names, 0))

    return next_throttles(before, market.inventory, usage, FLAT, now, 300.0)


def with_participation(share: float, *entity_ids: str) -> Throttles:
    market = Market([TEA])
    (known,) = tick(Throttles(), market, 0).controllers.values()
    paced = replace(known, throttle=replace(known.throttle, participation=share))
    return Throttles(dict.fromkeys(entity_ids, paced))


def test_every_budget_of_a_day_that_runs_has_a_controller() -> None:
    account = replace(ACME, budget_day_micros=BUDGET)
    line = campaign("cup", "blue", line_budget=Budget(70_000_000))
    total = campaign("jar", "x", budget=Budget(None, BUDGET))
    market = Market([TEA, line, total], accounts=[account, BOLT])
    found = paced_budgets(market.inventory, NOW)
    names = {each.name for budgets in found.values() for each in budgets}
    assert names == {"acc_1/2026-05-01", "cmp_tea/2026-05-01", "lin_cup/2026-05-01"}
    assert found["acc_2"] == []


def test_a_campaign_that_is_new_at_noon_spreads_its_budget_over_the_afternoon() -> None:
    """Plans end a quarter before midnight: at 18:00 six hours of 11.75 are over."""
    plan = tick(Throttles(), Market([TEA]), 0).controllers["cmp_tea"].plan
    assert plan.target_micros(NOW) == 0
    assert plan.target_micros(NOW + timedelta(hours=6)) == pytest.approx(BUDGET * 6 / 11.75, rel=1e-3)
    assert plan.target_micros(NOW + timedelta(hours=12)) == BUDGET


def test_controllers_go_on_follow_a_changed_budget_and_begin_anew_with_the_day() -> None:
    market = Market([TEA])
    first = tick(Throttles(), market, 0)
    second = tick(first, market, 40_000, NOW + timedelta(seconds=5))
    assert second.controllers["cmp_tea"].throttle.committed_micros == 40_000
    market.campaigns = [replace(TEA, budget=Budget(BUDGET // 2))]
    third = tick(second, market, 40_000, NOW + timedelta(seconds=10))
    assert third.controllers["cmp_tea"].plan.budget_micros == BUDGET // 2
    tomorrow = tick(third, market, 0, NOW + timedelta(days=1))
    controller = tomorrow.controllers["cmp_tea"]
    assert controller.day == NOW.date() + timedelta(days=1)
    learned = third.controllers["cmp_tea"].throttle.demand_micros
    assert controller.throttle.demand_micros == pytest.approx(learned)


def test_a_gate_that_does_not_answer_leaves_controllers_as_they_are() -> None:
    market = Market([TEA])
    first = tick(Throttles(), market, 0)
    again = next_throttles(first, market.inventory, lambda *_: None, FLAT, NOW, 300.0)
    assert again == first


def test_an_account_whose_gate_lost_something_is_closed() -> None:
    market = Market([TEA, POT])
    market.gate.lose_everything()
    market.gate.rebuild("acc_2", {})
    found = next_throttles(Throttles(), market.inventory, market.gate.usage, FLAT, NOW, 300.0)
    assert found.closed == {"acc_1"}
    market.throttles = found
    selection = market.ask(question())
    assert (selection.steps["cmp_tea"], selection.rebuilding) == (Step.BUDGET, True)


def test_a_line_takes_part_with_the_joint_probability_of_its_budgets() -> None:
    many = tuple(f"i{number}" for number in range(20))
    market = Market(
        [campaign("tea", *many)],
        throttles=with_participation(0.5, "acc_1", "cmp_tea", "lin_tea"),
    )
    standing = market.standing()
    assert standing.participation.tolist() == [0.125]
    answers = [market.ask(question(1, f"r{turn}"), standing) for turn in range(600)]
    entered = [answer for answer in answers if answer.slots]
    assert len(entered) / 600 == pytest.approx(0.125, abs=4 * (0.125 * 0.875 / 600) ** 0.5)
    assert {answer.slots[0].chance for answer in entered} == {SlotChance()}
    assert {answer.steps["cmp_tea"] for answer in answers} == {Step.PACING, Step.WON}


def test_most_clicks_lowers_its_bid_and_takes_part() -> None:
    clicks = campaign("tea", "green", bidding=MostClicks(80_000), budget=Budget(BUDGET))
    market = Market([clicks], throttles=with_participation(0.25, "cmp_tea"))
    for turn in range(5):
        (slot,) = market.ask(question(1, f"r{turn}")).slots
        assert slot.filled.bid_micros == 20_000


def test_without_budgets_everything_takes_part() -> None:
    inventory = Inventory.of([ACME], [campaign("tea", "green")], datetime(2026, 5, 1, tzinfo=UTC))
    assert np.array_equal(Throttles().of_lines(inventory), [1.0])
