"""The controllers of all budgets of a day: planned, asked every few seconds, read by every request."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo

import numpy as np

from recsys.ads.campaigns.local_days import local_day
from recsys.ads.pacing.budget_gate import Usage
from recsys.ads.pacing.day_plan import DayPlan, plan_day
from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.ads.pacing.throttle import (
    Throttle,
    committed_micros,
    joint_participation,
    next_throttle,
    start_throttle,
)
from recsys.ads.selection.inventory import Inventory
from recsys.ads.selection.levels import level_name
from recsys.arrays import DoubleArray
from recsys.errors import RequestError

UsageOf = Callable[[str, list[str]], Usage | None]  # account id, names of levels; None = it cannot be read


@dataclass(frozen=True)
class PacedBudget:
    """The budget of a day that spend is spread over.

    Attributes:
        entity_id: of the account, campaign or line.
        zone: of the account.
    """

    entity_id: str
    cap_micros: int
    day: date
    zone: tzinfo

    @property
    def name(self) -> str:
        """The name of the level."""
        return level_name(self.entity_id, self.day)


@dataclass(frozen=True)
class Controller:
    """The plan of a day and what its controller knows."""

    day: date
    plan: DayPlan
    throttle: Throttle


@dataclass(frozen=True)
class Throttles:
    """The controllers as of the last tick. Immutable.

    Attributes:
        controllers: by id of the account, campaign or line; those without a budget of a day have none.
        closed: accounts whose gate has to be rebuilt.
    """

    controllers: Mapping[str, Controller] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()

    def of_lines(self, inventory: Inventory) -> DoubleArray:
        """(L,) the joint participation of each line with its campaign and account."""
        of_campaigns = [
            joint_participation((self._of(each.campaign_id), self._of(each.account_id)))
            for each in inventory.campaigns
        ]
        joint = [
            of_campaigns[number] * self._of(line.line_id)
            for line, number in zip(inventory.lines, inventory.line_campaign.tolist(), strict=True)
        ]
        return np.array(joint, np.float64)

    def _of(self, entity_id: str) -> float:
        found = self.controllers.get(entity_id)
        return 1.0 if found is None else found.throttle.participation


def next_throttles(
    before: Throttles,
    inventory: Inventory,
    usage: UsageOf,
    forecast: WeeklyForecast,
    now: datetime,
    hold_seconds: float,
) -> Throttles:
    """The controllers at `now`: new ones of new budgets and days, the others moved on.

    An account whose gate cannot be read keeps the controllers that it has.

    Args:
        usage: what the gate says is spent and held.
        hold_seconds: how long holds last.
    """
    controllers: dict[str, Controller] = {}
    closed: set[str] = set()
    for account_id, budgets in paced_budgets(inventory, now).items():
        used = usage(account_id, [each.name for each in budgets])
        if used is not None and not used.generation:
            closed.add(account_id)
        for each in budgets:
            known = before.controllers.get(each.entity_id)
            if used is not None and used.generation:
                spent, held = used.spent[each.name], used.held[each.name]
                committed = committed_micros(spent, held, hold_seconds=hold_seconds)
                known = _moved(known, each, committed, forecast, now)
            if known is not None:
                controllers[each.entity_id] = known
    return Throttles(controllers, frozenset(closed))


def paced_budgets(inventory: Inventory, now: datetime) -> dict[str, list[PacedBudget]]:
    """Account id -> its budgets of the day that `now` is in, of accounts, running campaigns and lines.

    An account without any has an empty list.
    """
    found: dict[str, list[PacedBudget]] = {}
    days: dict[str, date] = {}
    for account in inventory.accounts:
        day = days[account.account_id] = local_day(now, account.zone)
        found[account.account_id] = []
        if account.budget_day_micros is not None:
            found[account.account_id].append(
                PacedBudget(account.account_id, account.budget_day_micros, day, account.zone)
            )
    for number in inventory.running(range(len(inventory.campaigns)), now).tolist():
        account_id = inventory.campaigns[number].account_id
        found[account_id].extend(_of_campaign(inventory, number, days[account_id]))
    return found


def _of_campaign(inventory: Inventory, number: int, day: date) -> Iterator[PacedBudget]:
    campaign = inventory.campaigns[number]
    zone = inventory.accounts[inventory.campaign_account[number]].zone
    entities = [(campaign.campaign_id, campaign.budget)]
    entities += [(line.line_id, line.budget) for line in campaign.lines if line.status == "active"]
    for entity_id, budget in entities:
        if budget.day_micros is not None:
            yield PacedBudget(entity_id, budget.day_micros, day, zone)


def _moved(
    known: Controller | None, budget: PacedBudget, committed: int, forecast: WeeklyForecast, now: datetime
) -> Controller | None:
    if known is None or known.day != budget.day:
        return _started(known, budget, committed, forecast, now)
    plan = known.plan
    if plan.budget_micros != budget.cap_micros:
        plan = plan.with_budget(budget.cap_micros, committed, now)
    return replace(known, plan=plan, throttle=next_throttle(known.throttle, plan, committed, now))


def _started(
    before: Controller | None, budget: PacedBudget, committed: int, forecast: WeeklyForecast, now: datetime
) -> Controller | None:
    """The first controller of a day. What is left of the budget is spread over what is left of the day.

    So it does not matter why it begins only now: the campaign is new, was resumed, or the process is new.
    """
    try:
        plan = plan_day(budget.cap_micros, budget.day, budget.zone, forecast)
        plan = plan.with_budget(budget.cap_micros, committed, now)
    except RequestError:  # nothing to spend, or no such day
        return None
    demand = None if before is None else before.throttle.demand_micros
    return Controller(budget.day, plan, start_throttle(plan, now, committed, demand))
