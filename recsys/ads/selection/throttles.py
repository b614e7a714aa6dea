"""The controllers of all budgets of a day: planned, asked every few seconds, read by every request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np

from recsys.ads.pacing.budget_gate import Usage
from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.ads.pacing.throttle_arrays import (
    ThrottleArrays,
    committed_arrays,
    next_throttle_arrays,
    start_throttle_arrays,
)
from recsys.ads.selection.inventory import Inventory
from recsys.ads.selection.paced_budgets import PacedBudgets
from recsys.arrays import BoolArray, DoubleArray, IntArray

# Names of levels by account id -> what the gate says of those accounts that it can be asked about.
UsageOf = Callable[[Mapping[str, Sequence[str]]], Mapping[str, Usage]]


@dataclass(frozen=True, eq=False)
class Throttles:
    """The controllers as of the last tick. Immutable.

    Attributes:
        budgets: B budgets. day: (B,) the ordinal of the day that each is planned for; 0 = no controller.
        controllers: of the budgets; those without a controller have numbers that mean nothing.
        forecast: that the days are planned by. is_stale: (B,) but for these, whose gate was not read since.
        closed: accounts whose gate has to be rebuilt.
    """

    budgets: PacedBudgets
    day: IntArray
    controllers: ThrottleArrays
    forecast: WeeklyForecast
    is_stale: BoolArray
    closed: frozenset[str] = frozenset()

    @classmethod
    def nothing(cls, inventory: Inventory) -> "Throttles":
        """Before anything was asked: everything takes part."""
        budgets = PacedBudgets.of(inventory)
        count = len(budgets)
        return cls(
            budgets=budgets,
            day=np.zeros(count, np.int64),
            controllers=ThrottleArrays.nothing(count),
            forecast=WeeklyForecast.even(),
            is_stale=np.zeros(count, bool),
        )

    def of_lines(self, inventory: Inventory) -> DoubleArray:
        """(L,) the `joint_participation` of each line with its campaign and account."""
        mine = self.carried_over(inventory)
        participation = np.where(mine.day > 0, mine.controllers.participation, 1.0)
        participation = np.append(participation, 1.0)  # of what has no budget of a day
        budgets = mine.budgets
        campaign = participation[budgets.of_campaigns]
        campaign = campaign * participation[budgets.of_accounts][inventory.campaign_account]
        joint: DoubleArray = campaign[inventory.line_campaign] * participation[budgets.of_lines]
        return joint

    def carried_over(self, inventory: Inventory) -> "Throttles":
        """The same controllers by the numbers of another inventory; what is new there has none."""
        if inventory.accounts is self.budgets.inventory.accounts:  # the same one, whatever its items are
            return self
        new, known = Throttles.nothing(inventory), self.budgets.rows
        rows = np.array([known.get(each, -1) for each in new.budgets.ids], np.int64)
        if not len(known):
            return replace(new, forecast=self.forecast, closed=self.closed)
        day = np.where(rows >= 0, self.day[rows], 0)
        return replace(
            self,
            budgets=new.budgets,
            day=day,
            controllers=self.controllers.taken(rows),
            is_stale=self.is_stale[rows],
        )


@dataclass(frozen=True, eq=False)
class _Used:
    """What the gate says; (B,) each. `is_read`: whether it says something of the budget."""

    is_read: BoolArray
    spent: IntArray
    held: IntArray
    closed: frozenset[str]


def next_throttles(
    before: Throttles,
    inventory: Inventory,
    usage: UsageOf,
    forecast: WeeklyForecast,
    now: datetime,
    hold_seconds: float,
) -> Throttles:
    """The controllers at `now`: new ones of new budgets and days, the others moved on.

    An account whose gate cannot be read keeps the controllers that it has. A controller that begins in the
    middle of a day spreads what is left of the budget over what is left of the day: so it does not matter
    why it begins only now, because the campaign is new, was resumed, or the process is new. All do so where
    the forecast is another one.

    Args:
        usage: what the gate says is spent and held.
        hold_seconds: how long holds last.
    """
    known = before.carried_over(inventory)
    budgets = known.budgets
    days, running = budgets.days(now), budgets.running(now)
    used = _used(budgets, budgets.level_names(days, running), running, usage)
    shares, has_plan = budgets.shares(days, forecast, now)
    today = _ordinals(days)[budgets.zone]
    caps = np.where(has_plan, budgets.cap_micros, 1)
    committed = committed_arrays(used.spent, used.held, hold_seconds)
    demand = np.where(known.day > 0, known.controllers.demand_micros, np.nan)
    is_stale = known.is_stale | (known.forecast != forecast)
    moved = next_throttle_arrays(known.controllers, caps, committed, shares, is_stale).where(
        known.day == today, start_throttle_arrays(caps, committed, demand, shares)
    )
    day = np.where(used.is_read, np.where(has_plan, today, 0), known.day)
    controllers = moved.where(used.is_read, known.controllers)
    return Throttles(
        budgets=budgets,
        day=np.where(running, day, 0),
        controllers=controllers,
        forecast=forecast,
        is_stale=is_stale & ~used.is_read,
        closed=used.closed,
    )


def _used(
    budgets: PacedBudgets, names: Mapping[str, Sequence[str]], running: BoolArray, usage: UsageOf
) -> _Used:
    found = usage(names)
    spent: list[int] = []
    held: list[int] = []
    is_read: list[bool] = []
    for account_id, of_account in names.items():
        used = found.get(account_id)
        is_open = used is not None and used.generation > 0
        is_read += [is_open] * len(of_account)
        spent += [used.spent[name] for name in of_account] if used and is_open else [0] * len(of_account)
        held += [used.held[name] for name in of_account] if used and is_open else [0] * len(of_account)
    numbers = np.zeros((3, len(budgets)), np.int64)
    numbers[:, running] = np.array([is_read, spent, held], np.int64).reshape(3, -1)
    closed = frozenset(account_id for account_id, used in found.items() if not used.generation)
    return _Used(numbers[0] > 0, numbers[1], numbers[2], closed)


def _ordinals(days: Sequence[date]) -> IntArray:
    return np.array([day.toordinal() for day in days], np.int64)
