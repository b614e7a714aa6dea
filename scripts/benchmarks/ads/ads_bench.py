"""ads: `/v1/ads` of a real service, 10,000 active campaigns of which 1,000 match, 4 slots, 50 requests/s.

Redis holds the budgets, SQL has the campaigns and what each has spent, and every answer is in the log of ads
on the disk before it leaves. An open loop: a request leaves at its time whether or not the last one came
back. The client runs on the same machine.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import httpx
import numpy as np
from online import random_shop
from online.bounded_row import bounded_row
from online.served_process import cpu_seconds, serving

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget, FixedBid
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.campaigns.local_days import local_day
from recsys.ads.campaigns.status import APPROVED
from recsys.ads.campaigns.targets import Targets
from recsys.ads.ledger.budgets import TOTAL, BudgetRow
from recsys.cli.output import note
from recsys.config import Settings, load_settings
from recsys.instants import utc_now
from recsys.stores.ads.budget_rows import add_rows
from recsys.stores.ads.records import Author
from recsys.stores.ads.store import AdsStore
from recsys.stores.ads_gate.gate import RedisBudgetGate

ITEMS, USERS = 5_000, 500
ACCOUNTS, CAMPAIGNS, GROUPS, SLOTS = 500, 10_000, 10, 4  # a request is about one group of campaigns
RATE = 50.0  # requests a second
WARM_UP_SECONDS, SECONDS, ROUNDS = 5.0, 20.0, 3
MOST_P50_MS, AIM_P50_MS, MOST_P99_MS, AIM_P99_MS = 20.0, 6.0, 60.0, 20.0
_AUTHOR = Author("benchmark")


def rows() -> list[dict[str, object]]:
    """Latency from the moment a request was due; medians of three rounds."""
    root = load_settings().root
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        settings = Settings(home=Path(folder), root=root)
        with random_shop.open_shop(settings, ITEMS, USERS):
            _advertise(settings)
            with serving(root, Path(folder)) as (address, pid):
                gc.freeze()  # the shop was built in this process: its collector would pause the client
                asyncio.run(_load(address, WARM_UP_SECONDS, 0))
                rounds = [_round(address, pid, number) for number in range(1, ROUNDS + 1)]
    cpu, half, tail = (median(values) for values in zip(*rounds, strict=True))
    note(f"p50 {half:.1f}, p99 {tail:.1f} ms; {cpu:.1f} ms CPU of the whole service a request")
    return [
        bounded_row("ads-p50", "ms", half, MOST_P50_MS, AIM_P50_MS),
        bounded_row("ads-p99", "ms", tail, MOST_P99_MS, AIM_P99_MS),
    ]


def _advertise(settings: Settings) -> None:
    """Accounts and campaigns in SQL with what they have spent, and a gate that is built."""
    accounts = [
        Account(f"acc_{number}", f"account {number}", "UTC", budget_day_micros=10**11)
        for number in range(ACCOUNTS)
    ]
    campaigns = list(_campaigns())
    now = utc_now()
    day = local_day(now, accounts[0].zone).isoformat()
    with AdsStore.open(settings) as store:
        with store._rows_to_change("write a benchmark's campaigns") as written:
            for account in accounts:
                written.write_account(account, 1, now, _AUTHOR)
            for campaign in campaigns[1:]:
                written.write_campaign(campaign, None, 1, now, _AUTHOR)
            spent = [
                BudgetRow(each.campaign_id, period, "campaign", each.account_id, spent_micros=1_000_000)
                for each in campaigns
                for period in (day, TOTAL)
            ]
            add_rows(written.connection, spent)
        store.add_campaign(campaigns[0], _AUTHOR)  # with its row of the audit: there is something new
    gate = RedisBudgetGate.open(settings)
    for account in accounts:
        gate.rebuild(account.account_id, {})
    gate.close()


def _campaigns() -> Iterator[Campaign]:
    rng = np.random.default_rng(0)
    bids = rng.integers(50_000, 1_500_000, CAMPAIGNS).tolist()
    items = rng.permutation(CAMPAIGNS) % ITEMS
    for number in range(CAMPAIGNS):
        line = Line(f"lin_{number}", "all", (random_shop.item_id(int(items[number])),))
        yield Campaign(
            campaign_id=f"cmp_{number}",
            account_id=f"acc_{number % ACCOUNTS}",
            name=f"campaign {number}",
            pricing="cpc",
            bidding=FixedBid(bids[number]),
            budget=Budget(10**10),
            review=APPROVED,
            targets=Targets(categories=(f"group {number % GROUPS}",)),
            lines=(line,),
        )


def _round(address: str, pid: int, seed: int) -> tuple[float, float, float]:
    """Server CPU a request, median and 99th percentile of latency; milliseconds."""
    before = cpu_seconds(pid)
    latencies = asyncio.run(_load(address, SECONDS, seed))
    cpu = (cpu_seconds(pid) - before) / len(latencies)
    return 1e3 * cpu, 1e3 * float(np.median(latencies)), 1e3 * float(np.quantile(latencies, 0.99))


async def _load(address: str, seconds: float, seed: int) -> list[float]:
    """Seconds from when each request was due to its answer.

    Raises:
        RuntimeError: an answer was not what it should be.
    """
    groups = np.random.default_rng(seed).integers(0, GROUPS, int(seconds * RATE))
    limits = httpx.Limits(
        max_connections=24, max_keepalive_connections=24
    )  # of one address the service has 32
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=10) as client:
        started = time.perf_counter() + 0.1

        async def ask(place: int, group: int) -> float:
            due = started + place / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            user = f"{seed}-{place}"
            body = {"user_id": user, "slots": SLOTS, "context": {"category": f"group {group}"}}
            response = await client.post("/v1/ads", json=body)
            took = time.perf_counter() - due
            answer = response.json()
            if response.status_code != 200 or answer["degraded"] or len(answer["ads"]) < SLOTS:
                told = answer.get("degraded") or response.text[:300]
                raise RuntimeError(f"not a full answer ({response.status_code}): {told}")
            return took

        return list(await asyncio.gather(*(ask(place, int(group)) for place, group in enumerate(groups))))
