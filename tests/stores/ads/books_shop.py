"""Accounts with campaigns, and charges of them, for tests of the books."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget, FixedBid
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.ledger.charges import NANOS, Charge
from recsys.config import Settings
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.records import Author
from recsys.stores.ads.store import AdsStore
from recsys.stores.registry.database import database_url, open_engine

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ANN = Author("ann")
ACME = Account("acc_1", "acme", "Asia/Shanghai", budget_day_micros=1000)
PREPAID = Account("acc_2", "beta", "UTC", prepaid=True)


class Clock:
    """Stands still at `now`, which a test moves."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def campaign(number: int, account: Account, budget: Budget, *lines: Line) -> Campaign:
    """The campaign `cmp_N` of the account; without lines it has `lin_N` without a budget of its own."""
    return Campaign(
        campaign_id=f"cmp_{number}",
        account_id=account.account_id,
        name=f"campaign {number}",
        pricing="cpc",
        bidding=FixedBid(100),
        budget=budget,
        lines=lines or (Line(f"lin_{number}", "main", ("1",)),),
    )


def open_books(settings: Settings, clock: Callable[[], datetime], *campaigns: Campaign) -> AdsLedger:
    """The books of a shop with both accounts and these campaigns."""
    with AdsStore.open(settings) as store:
        for account in (ACME, PREPAID):
            store.add_account(account, ANN)
        for each in campaigns:
            store.add_campaign(each, ANN)
    return AdsLedger(open_engine(database_url(settings)), clock)


def click(token_id: str, micros: int, number: int = 1, **changed: Any) -> Charge:
    """A click on campaign `cmp_N`, at noon, ten minutes after its ad was served."""
    occurred_at = changed.pop("occurred_at", NOON)
    values = {
        "event": "click",
        "account_id": "acc_1",
        "campaign_id": f"cmp_{number}",
        "line_id": f"lin_{number}",
        "price_nanos": micros * NANOS,
        "served_at": occurred_at - timedelta(minutes=10),
        **changed,
    }
    return Charge(token_id, occurred_at=occurred_at, **values)
