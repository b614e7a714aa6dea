"""Keeps the gate of budgets true to the books: each second, for every account."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.ledger.budgets import BudgetRow
from recsys.ads.pacing.budget_gate import BudgetGate
from recsys.instants import utc_now
from recsys.jobs.ads.charging.event_charging import first_open_day, level_spent, open_periods
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.store import AdsStore

GATE_SECONDS = 2.0  # for an answer of the gate: no request waits for it
FORGOTTEN_DAYS = 7  # a worker that was away so long still finds the levels that are over

log = logging.getLogger(__name__)


class BudgetKeeper:
    """Tells the gate what is spent, rebuilds it where it lost something, forgets days that are over.

    For one thread. The generations that it saw are kept in the database, so that a gate which was rolled
    back while no process ran is noticed too.

    Args:
        clock: aware now.
    """

    def __init__(
        self,
        books: AdsLedger,
        campaigns: AdsStore,
        gate: BudgetGate,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._books, self._campaigns, self._gate, self._clock = books, campaigns, gate, clock
        self._noted: dict[str, int] | None = None
        self._forgotten: date | None = None  # levels of days before it

    def keep(self) -> int:
        """One round; returns how many accounts had to be rebuilt.

        Raises:
            StoreUnavailableError: the database or the gate.
        """
        now = self._clock()
        if self._noted is None:
            self._noted = self._books.generations()
            for account_id, generation in self._noted.items():
                self._gate.expect(account_id, generation)
        accounts = self._campaigns.accounts()
        rows: dict[str, list[BudgetRow]] = defaultdict(list)
        for row in self._books.budgets(periods=open_periods(now)) if accounts else ():
            rows[row.account_id].append(row)
        rebuilt = sum(not self._refresh(each.account_id, rows[each.account_id], now) for each in accounts)
        used = self._gate.usages({each.account_id: () for each in accounts})
        self._books.note_generations({each: usage.generation for each, usage in used.items()})
        if (first := first_open_day(now)) != self._forgotten:
            self._forget(accounts, first)
        return rebuilt

    def _refresh(self, account_id: str, rows: Iterable[BudgetRow], now: datetime) -> bool:
        """Whether the gate is as it was left; if not it is rebuilt."""
        spent = level_spent(rows)
        if self._gate.refresh(account_id, spent):
            return True
        self._gate.rebuild(account_id, spent)
        # What was charged between the reading and the rebuilding is not in `spent`.
        self._gate.refresh(account_id, level_spent(self._books.budgets(account_id, open_periods(now))))
        log.warning("the budgets of account %s were rebuilt from the books", account_id)
        return False

    def _forget(self, accounts: Iterable[Account], first: date) -> None:
        campaigns: dict[str, list[Campaign]] = defaultdict(list)
        for campaign in self._campaigns.campaigns():
            campaigns[campaign.account_id].append(campaign)
        days = [first - timedelta(days=ago) for ago in range(1, FORGOTTEN_DAYS + 1)]
        for account in accounts:
            mine = campaigns[account.account_id]
            entities = [account.account_id, *(each.campaign_id for each in mine)]
            entities += [line.line_id for each in mine for line in each.lines]
            names = [f"{entity}/{day.isoformat()}" for entity in entities for day in days]
            self._gate.forget(account.account_id, names)
        self._forgotten = first
