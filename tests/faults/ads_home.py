"""A home with an advertiser of five campaigns with small budgets, whose processes are to be killed."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget, FixedBid
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.campaigns.local_days import local_day
from recsys.ads.pacing.budget_gate import BudgetLevel
from recsys.config import Settings, load_settings
from recsys.instants import utc_now
from recsys.stores.ads.records import Author
from recsys.stores.ads.store import AdsStore
from recsys.stores.redis import server as redis_server

ACCOUNT = Account("acc_kills", "kills", "UTC", budget_day_micros=3_000_000)
BUDGETS = (  # a day, in total, and of its line a day
    (100_000, None, None),
    (400_000, 300_000, None),
    (1_000_000, None, 500_000),
    (None, 900_000, None),
    (None, None, None),
)
PRICES = (100, 900)  # micros of a click, from and to
SETTINGS = {
    "RECSYS_STREAM__PARTITIONS": "4",
    "RECSYS_ADS__HOLD_SECONDS": "20",
    "RECSYS_ADS__LEASE_SECONDS": "1",
    "RECSYS_ADS__VELOCITY_CLICKS": "10000",
}


def campaigns() -> list[Campaign]:
    """The five campaigns."""
    return [
        Campaign(
            campaign_id=f"cmp_{number}",
            account_id=ACCOUNT.account_id,
            name=f"campaign {number}",
            pricing="cpc",
            bidding=FixedBid(PRICES[1]),
            budget=Budget(day, total),
            lines=(Line(f"lin_{number}", "main", ("1",), budget=Budget(of_line, None)),),
        )
        for number, (day, total, of_line) in enumerate(BUDGETS)
    ]


def levels_of(campaign: Campaign) -> tuple[BudgetLevel, ...]:
    """Every budget that a click of the campaign has to fit in, today."""
    day = local_day(utc_now(), ACCOUNT.zone).isoformat()
    line = campaign.lines[0]
    caps = (
        (ACCOUNT.account_id, day, ACCOUNT.budget_day_micros),
        (campaign.campaign_id, day, campaign.budget.day_micros),
        (campaign.campaign_id, "total", campaign.budget.total_micros),
        (line.line_id, day, line.budget.day_micros),
        (line.line_id, "total", line.budget.total_micros),
    )
    return tuple(BudgetLevel(f"{entity}/{period}", cap) for entity, period, cap in caps if cap is not None)


def environment(home: Path, database_url: str | None, **more: str) -> dict[str, str]:
    """The variables of every process that works on the home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECSYS_")}
    kept.pop("DATABASE_URL", None)
    kept.pop("REDIS_URL", None)
    given = {**SETTINGS, **more, "RECSYS_HOME": str(home)}
    return kept | given | ({"DATABASE_URL": database_url} if database_url else {})


@contextmanager
def running_home(variables: Mapping[str, str]) -> Iterator[Settings]:
    """The settings that the variables give; they are this process's, and Redis runs, as long as the block."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    settings = load_settings()
    try:
        redis_server.start_server(settings)
        yield settings
    finally:
        redis_server.stop_server(settings)
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def ads_home(home: Path, database_url: str | None) -> Iterator[tuple[Settings, Mapping[str, str]]]:
    """The settings of the home and the variables of its processes; its Redis runs as long as the block."""
    variables = environment(home, database_url)
    with running_home(variables) as settings:
        with AdsStore.open(settings) as store:
            store.add_account(ACCOUNT, Author("kills"))
            for campaign in campaigns():
                store.add_campaign(campaign, Author("kills"))
        yield settings, variables
