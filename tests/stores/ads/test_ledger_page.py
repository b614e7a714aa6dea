"""The example of docs/ads-ledger.md: its table is what comes out."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from recsys.ads.campaigns.bidding import Budget
from recsys.ads.ledger.charges import event_price_nanos
from recsys.amounts import amount_text, parse_amount
from recsys.config import Settings
from recsys.stores.ads.leases import Lease
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.store import AdsStore
from recsys.stores.registry.database import database_url, open_engine
from tests.stores.ads.books_shop import ACME, ANN, NOON, Clock, campaign, click, open_books

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "docs" / "ads-ledger.md", ROOT / "docs" / "zh" / "ads-ledger.md"]
DAY = date(2026, 5, 1)
PRICE = parse_amount("price", "0.40")


def charge_click(books: AdsLedger, lease: Lease, token: str, served_before: int = 1) -> str:
    served_at = NOON - timedelta(minutes=served_before)
    result = books.charge(lease, click(token, PRICE, served_at=served_at))
    return "charged before" if result.is_duplicate else result.outcome


def charge_impressions(books: AdsLedger, lease: Lease) -> str:
    nanos = event_price_nanos("cpm", parse_amount("bid", "0.0003"))
    views = [click(f"v{n}", 0, event="viewable", price_nanos=nanos) for n in range(4)]
    assert [each.micros for each in books.charge_all(lease, views)] == [0, 0, 0, 1]
    return "charged"


def write_off(books: AdsLedger, lease: Lease) -> str:
    books.return_charge("click:b", "write_off")
    return "write_off"


def pay(books: AdsLedger, lease: Lease) -> str:
    books.top_up(ACME, parse_amount("amount", "0.25"), "bank 7")
    return "top_up"


STEPS: tuple[Callable[[AdsLedger, Lease], str], ...] = (
    lambda books, lease: charge_click(books, lease, "a"),
    lambda books, lease: charge_click(books, lease, "a"),
    lambda books, lease: charge_click(books, lease, "b"),
    lambda books, lease: charge_click(books, lease, "c"),
    lambda books, lease: charge_click(books, lease, "d", 31),
    write_off,
    pay,
    charge_impressions,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def books(settings: Settings) -> Iterator[AdsLedger]:
    budget = Budget(parse_amount("budget", "0.90"))
    with open_books(settings, Clock(), campaign(1, ACME, budget)) as opened:
        with AdsStore.open(settings) as store:
            store.save_account(replace(store.account("acme"), budget_day_micros=None), ANN)
        yield opened
        assert opened.check() == ()


def sums(settings: Settings) -> dict[str, int]:
    engine = open_engine(database_url(settings))
    with engine.connect() as connection:
        query = text("SELECT book, SUM(micros) FROM ads_ledger_legs GROUP BY book")
        found = {book: int(micros) for book, micros in connection.execute(query)}
    engine.dispose()
    return found


def example(page: Path) -> list[list[str]]:
    table = re.search(
        r"^\| [^\n]*\| cash \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)", page.read_text("utf-8"), re.M
    )
    assert table is not None
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.group(1).strip().split("\n")
    ]


def test_the_table_and_the_bill_of_the_example_are_what_comes_out(
    books: AdsLedger, settings: Settings
) -> None:
    lease = books.take_lease("acc_1", "worker", 60)
    assert lease is not None
    english, chinese = map(example, PAGES)
    assert len(english) == len(chinese) == len(STEPS)
    before: dict[str, int] = {}
    for step, row, translated in zip(STEPS, english, chinese, strict=True):
        outcome, after = step(books, lease), sums(settings)
        moved = [after.get(book, 0) - before.get(book, 0) for book in ("cash", "clearing", "revenue")]
        (spent,) = (r.spent_micros for r in books.budgets() if (r.entity_id, r.period) == ("cmp_1", f"{DAY}"))
        assert row[1:] == [outcome, *("" if n == 0 else amount_text(n) for n in moved), amount_text(spent)]
        assert translated[2:] == row[2:]
        assert translated[1] == ("已扣费" if outcome == "charged before" else outcome)
        before = after
    bill = books.statement(ACME, DAY, DAY)
    figures = [amount_text(n) for n in (bill.billed_micros, bill.paid_micros, bill.closing_micros)]
    assert figures == ["0.400001", "0.25", "0.150001"]
    assert " {} billed, {} paid, {} owed".format(*figures) in PAGES[0].read_text("utf-8")
    assert "计费 {}，已付 {}，尚欠 {}".format(*figures) in PAGES[1].read_text("utf-8")
