"""Charges in memory come out as the store of the books decides them."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from recsys.ads.campaigns.bidding import Budget
from recsys.ads.campaigns.campaign import Line
from recsys.ads.campaigns.local_days import time_zone
from recsys.ads.ledger.budgets import TOTAL, Caps
from recsys.ads.ledger.charges import Charge
from recsys.config import Settings
from recsys.simulation.ads.memory_ledger import MemoryLedger, Payer
from recsys.stores.ads.ledger import AdsLedger
from tests.stores.ads.books_shop import ACME, NOON, Clock, campaign, click, open_books

BOUNDED = Line("lin_2", "main", ("1",), budget=Budget(300, 700))
CAMPAIGNS = (campaign(1, ACME, Budget(600, 900)), campaign(2, ACME, Budget(), BOUNDED))
ACCOUNT = Caps("account", ACME.account_id, ACME.budget_day_micros)
SHANGHAI = time_zone(ACME.time_zone)
PAYERS = {
    "lin_1": Payer(SHANGHAI, (ACCOUNT, Caps("campaign", "cmp_1", 600, 900), Caps("line", "lin_1"))),
    "lin_2": Payer(SHANGHAI, (ACCOUNT, Caps("campaign", "cmp_2"), Caps("line", "lin_2", 300, 700))),
}


@pytest.fixture
def books(tmp_path: Path) -> Iterator[AdsLedger]:
    with open_books(Settings(home=tmp_path / "home"), Clock(), *CAMPAIGNS) as opened:
        yield opened


def random_charges(seed: int, count: int) -> list[Charge]:
    """Some with fractions of a micro, some late, some twice, over two days of Shanghai."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        occurred_at = NOON + timedelta(hours=rng.randrange(0, 30))
        served_at = occurred_at - timedelta(minutes=rng.choice((1, 10, 31)))
        price_nanos = rng.choice((300, 999, 50_000, 120_400, 300_000))
        token, number = f"t{rng.randrange(count)}", rng.choice((1, 2))
        found.append(
            click(token, 0, number, occurred_at=occurred_at, served_at=served_at, price_nanos=price_nanos)
        )
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_every_charge_comes_out_as_in_the_books(books: AdsLedger, seed: int) -> None:
    lease = books.take_lease("acc_1", "worker 1", 3600)
    assert lease is not None
    ledger = MemoryLedger(PAYERS)
    charges = random_charges(seed, 80)
    assert [ledger.charge(charge) for charge in charges] == [books.charge(lease, each) for each in charges]
    for row in books.budgets():
        day = None if row.period == TOTAL else date.fromisoformat(row.period)
        assert ledger.spent(row.entity_id, day) == row.spent_micros
        assert ledger.lost_nanos(row.entity_id, day) == row.lost_nanos


def test_a_line_that_nobody_pays_for_is_refused() -> None:
    assert MemoryLedger({}).charge(click("t1", 5)).outcome == "unknown_line"
