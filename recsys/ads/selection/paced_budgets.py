"""The budgets of a day that spend is spread over: those of an inventory, numbered once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import cached_property

import numpy as np

from recsys.ads.campaigns.local_days import local_day
from recsys.ads.pacing.day_plan import plan_day
from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.ads.pacing.throttle import HORIZON
from recsys.ads.pacing.throttle_arrays import PlannedShares
from recsys.ads.selection.inventory import NO_CAP, Inventory
from recsys.ads.selection.levels import level_name
from recsys.arrays import BoolArray, IntArray
from recsys.errors import RequestError


@dataclass(frozen=True, eq=False)
class PacedBudgets:
    """The B budgets of a day, those of one account next to each other: its own, its campaigns', its lines'.

    Attributes:
        ids: of the account, campaign or line.
        account, campaign: (B,) which one each belongs to; campaign -1 = it is an account's.
        first: (G + 1,) where the budgets of each account begin.
        of_accounts, of_campaigns, of_lines: (G,), (C,), (L,) the budget of each; B = it has none of a day.
    """

    inventory: Inventory
    ids: tuple[str, ...]
    cap_micros: IntArray
    account: IntArray
    campaign: IntArray
    first: IntArray
    of_accounts: IntArray
    of_campaigns: IntArray
    of_lines: IntArray

    @classmethod
    def of(cls, inventory: Inventory) -> "PacedBudgets":
        """Those of `inventory`, whether their campaigns run or not."""
        campaign_of_line = inventory.line_campaign
        counts = (len(inventory.accounts), len(inventory.campaigns), len(inventory.lines))
        caps = np.concatenate([inventory.account_day, inventory.campaign_day, inventory.line_day])
        campaign = np.concatenate([np.full(counts[0], -1), np.arange(counts[1]), campaign_of_line])
        account = np.concatenate(
            [
                np.arange(counts[0]),
                inventory.campaign_account,
                inventory.campaign_account[campaign_of_line],
            ]
        )
        capped = np.flatnonzero(caps < NO_CAP)
        capped = capped[np.argsort(account[capped], kind="stable")]
        places = np.full(len(caps), len(capped), np.int64)
        places[capped] = np.arange(len(capped))
        of_accounts, of_campaigns, of_lines = np.split(places, np.cumsum(counts)[:-1])
        ids = [
            *(each.account_id for each in inventory.accounts),
            *(each.campaign_id for each in inventory.campaigns),
            *(each.line_id for each in inventory.lines),
        ]
        return cls(
            inventory=inventory,
            ids=tuple(ids[each] for each in capped.tolist()),
            cap_micros=caps[capped],
            account=account[capped],
            campaign=campaign[capped],
            first=np.searchsorted(account[capped], np.arange(counts[0] + 1)),
            of_accounts=of_accounts,
            of_campaigns=of_campaigns,
            of_lines=of_lines,
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def zones(self) -> tuple[tzinfo, ...]:
        """The time zones of the accounts, each once."""
        return tuple(dict.fromkeys(account.zone for account in self.inventory.accounts))

    @cached_property
    def zone(self) -> IntArray:
        """(B,) which of `zones` each budget's days are of."""
        numbers = {zone: number for number, zone in enumerate(self.zones)}
        of_accounts = [numbers[account.zone] for account in self.inventory.accounts]
        return np.array(of_accounts, np.int64)[self.account]

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Id -> number of the budget."""
        return {each: number for number, each in enumerate(self.ids)}

    def days(self, now: datetime) -> list[date]:
        """The day of each of `zones`."""
        return [local_day(now, zone) for zone in self.zones]

    def running(self, now: datetime) -> BoolArray:
        """(B,) whether its campaign runs at `now`; that of an account always does."""
        runs = np.zeros(len(self.inventory.campaigns) + 1, bool)
        runs[-1] = True
        runs[self.inventory.running(np.arange(len(runs) - 1), now)] = True
        running: BoolArray = runs[self.campaign]
        return running

    def level_names(self, days: Sequence[date], running: BoolArray) -> dict[str, list[str]]:
        """Account id -> the names of the levels of its budgets that run, in the order of the budgets.

        An account without any has an empty list.
        """
        endings = [level_name("", day) for day in days]
        chosen = np.flatnonzero(running)
        zones = self.zone[chosen].tolist()
        names = [self.ids[row] + endings[zone] for row, zone in zip(chosen.tolist(), zones, strict=True)]
        edges = np.searchsorted(chosen, self.first).tolist()
        return {
            account.account_id: names[start:end]
            for account, start, end in zip(self.inventory.accounts, edges, edges[1:], strict=False)
        }

    def shares(
        self, days: Sequence[date], forecast: WeeklyForecast, now: datetime
    ) -> tuple[PlannedShares, BoolArray]:
        """What the plans of the days say of `now`; (B,) whether there is one, which takes a day and money."""
        planned = np.array(
            [_shares(day, zone, forecast, now) for day, zone in zip(days, self.zones, strict=True)]
        )
        share, ahead, is_over, is_day = planned.reshape(-1, 4)[self.zone].T
        has_plan: BoolArray = (is_day > 0) & (self.cap_micros > 0)
        return PlannedShares(share, ahead, is_over > 0), has_plan


def _shares(
    day: date, zone: tzinfo, forecast: WeeklyForecast, now: datetime
) -> tuple[float, float, bool, bool]:
    """Shares of the demand before `now` and HORIZON later; whether the plan is over, whether there is one."""
    try:
        plan = plan_day(1, day, zone, forecast)
    except RequestError:  # a day that the zone left out
        return 0.0, 0.0, False, False
    return plan.share(now), plan.share(now + HORIZON), now >= plan.ends_at, True
