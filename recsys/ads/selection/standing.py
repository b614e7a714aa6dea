"""What is known of campaigns and their budgets between two looks: all that a request reads. Immutable."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np

from recsys.ads.campaigns.local_days import local_day
from recsys.ads.ledger.budgets import TOTAL, period_of
from recsys.ads.selection.inventory import NO_CAP, Inventory
from recsys.ads.selection.throttles import Throttles
from recsys.arrays import BoolArray, DoubleArray, IntArray


class RunningNumber(NamedTuple):
    """What was spent of one budget: of an account, campaign or line, on a day or in total.

    Attributes:
        paid_in_micros: of an account in total: what it paid in.
    """

    entity_id: str
    period: str
    spent_micros: int = 0
    paid_in_micros: int = 0


@dataclass(frozen=True, eq=False)
class Funds:
    """Which lines have money left, by the database; the gate is asked for each slot all the same.

    Attributes:
        funded: (L,) whether all budgets of the line, its campaign and account have room for a micro.
        paid_in: account id -> what it paid in, of those that pay in advance.
    """

    funded: BoolArray
    paid_in: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, inventory: Inventory, numbers: Iterable[RunningNumber], now: datetime) -> "Funds":
        """By the running numbers; a budget without one has spent nothing."""
        days = [period_of(local_day(now, account.zone)) for account in inventory.accounts]
        counts = (len(inventory.accounts), len(inventory.campaigns), len(inventory.lines))
        day, total = ([np.zeros(count, np.int64) for count in counts] for _ in range(2))
        paid_in = np.zeros(len(inventory.accounts), np.int64)
        places = inventory.places
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
        return cls(_funded(inventory, day, total, paid_in), _prepaid(inventory, paid_in))


def _funded(inventory: Inventory, day: list[IntArray], total: list[IntArray], paid_in: IntArray) -> BoolArray:
    prepaid = np.array([account.prepaid for account in inventory.accounts], bool)
    accounts = (day[0] < inventory.account_day) & (total[0] < np.where(prepaid, paid_in, NO_CAP))
    campaigns = (day[1] < inventory.campaign_day) & (total[1] < inventory.campaign_total)
    campaigns = campaigns & accounts[inventory.campaign_account]
    lines = (day[2] < inventory.line_day) & (total[2] < inventory.line_total)
    funded: BoolArray = lines & campaigns[inventory.line_campaign]
    return funded


def _prepaid(inventory: Inventory, paid_in: IntArray) -> Mapping[str, int]:
    return {
        account.account_id: micros
        for account, micros in zip(inventory.accounts, paid_in.tolist(), strict=True)
        if account.prepaid
    }


@dataclass(frozen=True, eq=False)
class Standing:
    """An inventory with what was known of its budgets at the last look.

    Attributes:
        participation: (L,) joint participation of each line.
        closed: (G,) accounts whose gate has to be rebuilt.
    """

    inventory: Inventory
    funds: Funds
    participation: DoubleArray
    closed: BoolArray

    @classmethod
    def of(
        cls, inventory: Inventory, numbers: Iterable[RunningNumber], throttles: Throttles, now: datetime
    ) -> "Standing":
        """The standing at `now`."""
        return cls(
            inventory,
            Funds.of(inventory, numbers, now),
            throttles.of_lines(inventory),
            np.array([each.account_id in throttles.closed for each in inventory.accounts], bool),
        )
