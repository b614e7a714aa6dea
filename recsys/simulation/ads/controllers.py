"""Budgets while requests come: their days, plans and controllers, and how well they follow the plan."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

import numpy as np

from recsys.ads.campaigns.local_days import day_bounds, local_day
from recsys.ads.pacing.budget_gate import BudgetGate, BudgetLevel
from recsys.ads.pacing.day_plan import DayPlan, plan_day
from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.ads.pacing.throttle import Throttle, committed_micros, next_throttle, start_throttle
from recsys.arrays import BoolArray, DoubleArray
from recsys.simulation.ads.market import Market
from recsys.simulation.ads.memory_ledger import MemoryLedger
from recsys.simulation.ads.policy import Pacing

_HOUR = timedelta(hours=1)


@dataclass
class BudgetDay:
    """How one budget went on one day of its account.

    Attributes:
        entity_id: of the account or campaign. is_whole: whether all of the day was simulated.
        demand_micros: what entering every auction would have cost: each expected cost over the probability
            of taking part.
        error: max over full hours of |spent - planned| / budget.
        curve: (planned, spent) micros at each full hour.
    """

    entity_id: str
    day: date
    budget_micros: int
    is_whole: bool
    demand_micros: float = 0.0
    spent_micros: int = 0
    charges: int = 0
    error: float = 0.0
    curve: list[tuple[int, int]] = field(default_factory=list)

    @property
    def expected_charges(self) -> float:
        """How many charges the budget buys at the day's mean price; 0 where nothing was charged."""
        return self.budget_micros * self.charges / self.spent_micros if self.spent_micros else 0.0


@dataclass
class Budget:
    """A budget a day on its present day.

    Attributes:
        entity_id: of an account or a campaign.
        level: what holds have to fit in. record: of the present day.
    """

    entity_id: str
    account_id: str
    zone: tzinfo
    cap_micros: int
    day: date
    ends: datetime
    plan: DayPlan
    throttle: Throttle
    level: BudgetLevel
    record: BudgetDay
    participation: float = 1.0
    has_room: bool = True


class Controllers:
    """All budgets of a market under one way of pacing.

    Attributes:
        participation: (C,) probability with which each campaign takes part.
        can_pay: (C,) False = a budget had no room when it was last looked at.
        levels: for each campaign what its holds have to fit in.
    """

    def __init__(
        self,
        market: Market,
        pacing: Pacing,
        gate: BudgetGate,
        ledger: MemoryLedger,
        forecast: WeeklyForecast,
        starts: datetime,
        ends: datetime,
    ) -> None:
        self._pacing, self._gate, self._ledger = pacing, gate, ledger
        self._forecast, self._span = forecast, (starts, ends)
        self.records: list[BudgetDay] = []
        self._by_account: dict[str, list[Budget]] = {}
        self._of_campaign: list[list[Budget]] = []
        self._open_budgets(market, starts)
        count = len(market.campaigns)
        self.participation: DoubleArray = np.ones(count)
        self.can_pay: BoolArray = np.ones(count, bool)
        self.levels: list[tuple[BudgetLevel, ...]] = [()] * count
        self.steer(starts)

    def _open_budgets(self, market: Market, starts: datetime) -> None:
        accounts = {account.account_id: account for account in market.accounts}
        of_account = {}
        for account in market.accounts:
            self._gate.rebuild(account.account_id, {})
            self._by_account[account.account_id] = []
            if account.budget_day_micros is not None:
                of_account[account.account_id] = self._open(
                    account.account_id, account.account_id, account.zone, account.budget_day_micros, starts
                )
        for campaign in market.campaigns:
            budgets = [of_account[campaign.account_id]] if campaign.account_id in of_account else []
            if campaign.budget.day_micros is not None:
                zone, cap = accounts[campaign.account_id].zone, campaign.budget.day_micros
                budgets.append(self._open(campaign.campaign_id, campaign.account_id, zone, cap, starts))
            self._of_campaign.append(budgets)

    def _open(self, entity_id: str, account_id: str, zone: tzinfo, cap: int, now: datetime) -> Budget:
        day = local_day(now, zone)
        plan, level, record, ends = self._day(entity_id, day, zone, cap, now)
        throttle = start_throttle(plan, now)
        budget = Budget(entity_id, account_id, zone, cap, day, ends, plan, throttle, level, record)
        self._by_account[account_id].append(budget)
        return budget

    def _day(
        self, entity_id: str, day: date, zone: tzinfo, cap: int, now: datetime
    ) -> tuple[DayPlan, BudgetLevel, BudgetDay, datetime]:
        starts, ends = day_bounds(day, zone)
        plan = plan_day(cap, day, zone, self._forecast, from_at=now)
        is_whole = starts >= self._span[0] and ends <= self._span[1]
        record = BudgetDay(entity_id, day, cap, is_whole)
        self.records.append(record)
        return plan, BudgetLevel(f"{entity_id}/{day.isoformat()}", cap), record, ends

    def steer(self, now: datetime) -> None:
        """Asks every controller; call it every ten seconds."""
        is_full_hour = now.minute == now.second == 0
        for account_id, budgets in self._by_account.items():
            if not budgets:
                continue
            for budget in budgets:
                if now >= budget.ends:
                    self._next_day(budget, now)
            usage = self._gate.usage(account_id, [budget.level.name for budget in budgets])
            for budget in budgets:
                name = budget.level.name
                self._steer_one(budget, usage.spent[name], usage.held[name], now)
                if is_full_hour:
                    self._note_hour(budget, now)
        for number, of_campaign in enumerate(self._of_campaign):
            self.participation[number] = math.prod([budget.participation for budget in of_campaign])
            self.can_pay[number] = all([budget.has_room for budget in of_campaign])
            self.levels[number] = tuple([budget.level for budget in of_campaign])

    def _next_day(self, budget: Budget, now: datetime) -> None:
        budget.day = local_day(now, budget.zone)
        demand = budget.throttle.demand_micros
        budget.plan, budget.level, budget.record, budget.ends = self._day(
            budget.entity_id, budget.day, budget.zone, budget.cap_micros, budget.ends
        )
        budget.throttle = start_throttle(budget.plan, now, demand_micros=demand)

    def _steer_one(self, budget: Budget, spent: int, held: int, now: datetime) -> None:
        if self._pacing in ("plan", "bid"):
            committed = committed_micros(spent, held)
            budget.throttle = next_throttle(budget.throttle, budget.plan, committed, now)
            budget.participation = budget.throttle.participation
        elif self._pacing == "hours":
            starts, ends = day_bounds(budget.day, budget.zone)
            begun = int((now - starts) / _HOUR) + 1
            cap = budget.cap_micros * begun // max(round((ends - starts) / _HOUR), 1)
            budget.level = BudgetLevel(budget.level.name, min(cap, budget.cap_micros))
        budget.has_room = spent + held < budget.level.cap_micros

    def _note_hour(self, budget: Budget, now: datetime) -> None:
        planned = budget.plan.target_micros(now)
        spent = self._ledger.spent(budget.entity_id, budget.day)
        budget.record.curve.append((planned, spent))
        budget.record.error = max(budget.record.error, abs(spent - planned) / budget.cap_micros)

    def note_demand(self, campaign: int, cost_micros: int) -> None:
        """Counts what a campaign would have held, whether or not its budgets had room."""
        demand = cost_micros / self.participation[campaign]
        for budget in self._of_campaign[campaign]:
            budget.record.demand_micros += demand

    def note_charge(self, campaign: int) -> None:
        """Counts a charge of a campaign."""
        for budget in self._of_campaign[campaign]:
            budget.record.charges += 1

    def closed(self) -> Sequence[BudgetDay]:
        """All days, with what the books say was spent on each."""
        for record in self.records:
            record.spent_micros = self._ledger.spent(record.entity_id, record.day)
        return self.records
