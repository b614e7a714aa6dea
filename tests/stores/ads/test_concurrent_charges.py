"""Many threads, several processes and a kill -9: no micro above a budget, none lost, none twice."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.ledger.charges import ChargeResult
from recsys.config import Settings
from recsys.instants import utc_now
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.registry.database import database_url
from tests.stores.ads.books_shop import ACME, PREPAID, Clock, campaign, click, open_books

THREADS = 8
CLICKS = 240
CAMPAIGNS = (
    campaign(1, ACME, Budget(280, None)),  # 40 clicks of 7
    campaign(2, ACME, Budget(None, 420)),  # 60 clicks
    campaign(3, ACME, Budget(), Line("lin_3", "main", ("1",), budget=Budget(350, None))),  # 50 clicks
)
CAPS = {
    ("acc_1", "2026-05-01"): 1000,  # 142 clicks and 6 micros, less than the campaigns' 150
    ("cmp_1", "2026-05-01"): 280,
    ("cmp_2", "total"): 420,
    ("lin_3", "2026-05-01"): 350,
}


@pytest.fixture
def shop(either_database: Settings) -> Settings:
    return either_database


def spent(books: AdsLedger) -> dict[tuple[str, str], int]:
    return {(row.entity_id, row.period): row.spent_micros for row in books.budgets()}


def check_caps(books: AdsLedger) -> None:
    numbers = spent(books)
    assert {key: max(0, numbers[key] - cap) for key, cap in CAPS.items()} == dict.fromkeys(CAPS, 0)
    assert books.check() == ()


def test_threads_charge_each_click_once_and_never_above_a_budget(shop: Settings) -> None:
    results: list[ChargeResult] = []
    with open_books(shop, Clock(), *CAMPAIGNS) as books:
        lease = books.take_lease("acc_1", "pool", 60)
        assert lease is not None

        def charge(seed: int) -> None:
            clicks = [click(f"t{n}", 7, 1 + n % 3) for n in range(CLICKS) if n % THREADS in (seed, seed - 1)]
            random.Random(seed).shuffle(clicks)  # each click by two threads
            for each in clicks:
                results.append(books.charge(lease, each))

        threads = [threading.Thread(target=charge, args=(seed,)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        first = [each for each in results if not each.is_duplicate]
        assert len({each.key for each in first}) == len(first) == CLICKS
        check_caps(books)
        assert sum(each.micros for each in first) == spent(books)["acc_1", "total"] == 994  # 142 clicks
        free = sum(each.outcome == "over_budget" for each in first)
        lost = {row.lost_nanos for row in books.budgets() if row.entity_id == "acc_1"}
        assert lost == {free * 7000} == {(CLICKS - 142) * 7000}


def test_one_token_that_two_accounts_charge_at_the_same_time_is_charged_to_one(shop: Settings) -> None:
    results: list[ChargeResult] = []
    with open_books(shop, Clock(), campaign(1, ACME, Budget()), campaign(2, PREPAID, Budget())) as books:
        books.top_up(PREPAID, 1000, "bank 7")

        def charge(account: Account, number: int) -> None:
            lease = books.take_lease(account.account_id, "worker", 60)
            assert lease is not None
            for n in range(60):
                forged = click(f"t{n}", 7, number, account_id=account.account_id)
                results.append(books.charge(lease, forged))

        threads = [threading.Thread(target=charge, args=each) for each in ((ACME, 1), (PREPAID, 2))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 120
        assert sum(each.micros for each in results if not each.is_duplicate) == 60 * 7
        assert books.check() == ()


@pytest.mark.slow
def test_processes_that_share_an_account_by_its_lease_charge_each_click_once(shop: Settings) -> None:
    with open_books(shop, Clock(), *CAMPAIGNS) as books:
        children = [start_charging(shop, f"worker {n}", CLICKS, 7, 7) for n in range(3)]
        said = [child.communicate(timeout=120)[0] for child in children]
        assert [child.returncode for child in children] == [0, 0, 0]
        billed = sum(int(line.split()[1]) for text in said for line in text.splitlines() if "billed" in line)
        check_caps(books)
        assert billed == spent(books)["acc_1", "total"] == 994


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_killed_process_leaves_right_books_and_its_batch_is_whole_or_absent(
    shop: Settings, seed: int
) -> None:
    batch = 200
    unbounded: tuple[Campaign, ...] = tuple(campaign(n, ACME, Budget()) for n in (1, 2, 3))
    clock = Clock(utc_now())
    with open_books(shop, clock, *unbounded) as books:
        child = start_charging(shop, "worker", 100 * batch, batch, 1)
        assert child.stdout is not None
        for _ in range(1 + 2 * (seed % 2)):  # the first or the second batch has begun
            child.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.0, 0.15))
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        assert child.returncode == -signal.SIGKILL
        clock.now = utc_now() + timedelta(seconds=30)  # its lease has run out
        lease = books.take_lease("acc_1", "another worker", 60)
        assert lease is not None
        assert books.check() == ()
        assert spent(books).get(("acc_1", "total"), 0) % batch == 0
        clicks = [click(f"t{n}", 1, 1 + n % 3) for n in range(4 * batch)]
        results = books.charge_all(lease, clicks)  # what was killed is charged again, or found
        assert {each.outcome for each in results} == {"charged"}
        assert spent(books)["acc_1", "total"] == 4 * batch
        assert books.check() == ()


def start_charging(
    shop: Settings, owner: str, count: int, batch: int, micros: int
) -> "subprocess.Popen[str]":
    url = database_url(shop).render_as_string(hide_password=False)
    environment = {**os.environ, "RECSYS_HOME": str(shop.root), "DATABASE_URL": url}
    module = "tests.stores.ads.charging_process"
    command = [sys.executable, "-m", module, owner, str(count), str(batch), str(micros)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
