"""What was spent of all budgets of an inventory, as arrays that take up what changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from recsys.ads.campaigns.local_days import local_day
from recsys.ads.ledger.budgets import TOTAL, period_of
from recsys.ads.selection.inventory import NO_CAP, Inventory
from recsys.arrays import BoolArray, IntArray


class RunningNumber(NamedTuple):
    """What was spent of one budget: of an account, campaign or line, on a day or in total.

    Attributes:
        paid_in_micros: of an account in total: what it paid in.
    """

    entity_id: str
    period: str
    spent_micros: int = 0
    paid_in_micros: int = 0


class RunningNumbers(NamedTuple):
    """Running numbers as of one instant.

    Attributes:
        booked: the newest entry of the books then; it rises with each change of a number.
    """

    booked: int
    numbers: Sequence[RunningNumber]


@dataclass(frozen=True, eq=False)
class Funds:
    """Which lines have money left, by the database; the gate is asked for each slot all the same.

    Attributes:
        funded: (L,) whether all budgets of the line, its campaign and account have room for a micro.
        paid_in: account id -> what it paid in, of those that pay in advance.
    """

    funded: BoolArray
    paid_in: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Spending:
    """What was spent of the budgets of an inventory. Immutable.

    Attributes:
        days: the day of each account, as a period.
        day, total: (G,), (C,), (L,) micros, on that day and in total, of accounts, campaigns and lines.
        paid_in: (G,) micros that accounts paid in.
    """

    inventory: Inventory
    days: tuple[str, ...]
    day: tuple[IntArray, ...]
    total: tuple[IntArray, ...]
    paid_in: IntArray

    @classmethod
    def nothing(cls, inventory: Inventory, now: datetime) -> "Spending":
        """Before any number is known: a budget without one has spent nothing."""
        counts = (len(inventory.accounts), len(inventory.campaigns), len(inventory.lines))
        day, total = (tuple(np.zeros(count, np.int64) for count in counts) for _ in range(2))
        return cls(inventory, days_of(inventory, now), day, total, np.zeros(counts[0], np.int64))

    def is_of(self, inventory: Inventory, now: datetime) -> bool:
        """Whether it is of the budgets of `inventory`, whatever its items are, and of the days of `now`."""
        same = inventory.accounts is self.inventory.accounts
        return same and self.days == days_of(inventory, now)

    def with_numbers(self, numbers: Iterable[RunningNumber]) -> "Spending":
        """The same with those of `numbers` that are of its budgets, each replacing the one before it."""
        days, places = self.days, self.inventory.places
        day, total = ([each.copy() for each in arrays] for arrays in (self.day, self.total))
        paid_in = self.paid_in.copy()
        for entity_id, period, spent_micros, paid_in_micros in numbers:
            place = places.get(entity_id)
            if place is None:
                continue
            kind, at, account = place
            if period == TOTAL:
                total[kind][at] = spent_micros
                if kind == 0:
                    paid_in[at] = paid_in_micros
            elif period == days[account]:
                day[kind][at] = spent_micros
        return replace(self, day=tuple(day), total=tuple(total), paid_in=paid_in)

    def funds(self) -> Funds:
        """Who has money left."""
        accounts = self.inventory.accounts
        prepaid = np.array([account.prepaid for account in accounts], bool)
        paid_in = {
            accounts[number].account_id: int(self.paid_in[number]) for number in np.flatnonzero(prepaid)
        }
        return Funds(self._funded(prepaid), paid_in)

    def _funded(self, prepaid: BoolArray) -> BoolArray:
        inventory, day, total = self.inventory, self.day, self.total
        accounts = (day[0] < inventory.account_day) & (total[0] < np.where(prepaid, self.paid_in, NO_CAP))
        campaigns = (day[1] < inventory.campaign_day) & (total[1] < inventory.campaign_total)
        campaigns = campaigns & accounts[inventory.campaign_account]
        lines = (day[2] < inventory.line_day) & (total[2] < inventory.line_total)
        funded: BoolArray = lines & campaigns[inventory.line_campaign]
        return funded


def days_of(inventory: Inventory, now: datetime) -> tuple[str, ...]:
    """(G,) the day of each account at `now`, as a period."""
    zones = {account.zone for account in inventory.accounts}
    days = {zone: period_of(local_day(now, zone)) for zone in zones}
    return tuple(days[account.zone] for account in inventory.accounts)
