"""What the books promise, on SQLite and on a real PostgreSQL alike."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from recsys.ads.campaigns.bidding import Budget
from recsys.ads.campaigns.campaign import Line
from recsys.ads.ledger.books import Booking
from recsys.ads.ledger.charges import ChargeResult
from recsys.ads.ledger.statement import StatementLine
from recsys.config import Settings
from recsys.errors import LeaseLostError, RequestError
from recsys.stores.ads.leases import Lease
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.store import AdsStore
from recsys.stores.registry.database import database_url, open_engine
from tests.stores.ads.books_shop import ACME, ANN, NOON, PREPAID, Clock, campaign, click, open_books

DAY = date(2026, 5, 1)  # noon in UTC is in the evening of it in Shanghai
NEXT_DAY = date(2026, 5, 2)
CAMPAIGNS = (
    campaign(1, ACME, Budget(600, 900)),
    campaign(2, ACME, Budget(), Line("lin_2", "main", ("1",), budget=Budget(100, 150))),
    campaign(3, PREPAID, Budget()),
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books(shop: Settings, clock: Clock) -> Iterator[AdsLedger]:
    with open_books(shop, clock, *CAMPAIGNS) as opened:
        yield opened
        assert opened.check() == ()


@pytest.fixture
def lease(books: AdsLedger) -> Lease:
    taken = books.take_lease("acc_1", "worker 1", 60 * 60 * 24 * 40)
    assert taken is not None
    return taken


def spent(books: AdsLedger) -> dict[str, int]:
    return {f"{row.entity_id} {row.period}": row.spent_micros for row in books.budgets() if row.spent_micros}


def test_a_click_is_charged_to_its_account_campaign_and_line_on_its_day_and_in_total(
    books: AdsLedger, lease: Lease
) -> None:
    assert books.charge(lease, click("t1", 400)) == ChargeResult("click:t1", "charged", 400, DAY)
    ids, periods = ("acc_1", "cmp_1", "lin_1"), ("2026-05-01", "total")
    assert spent(books) == {f"{each} {period}": 400 for each in ids for period in periods}


def test_the_same_click_again_changes_nothing_and_is_told_what_the_first_was(
    books: AdsLedger, lease: Lease
) -> None:
    first = books.charge(lease, click("t1", 400))
    before = books.budgets()
    for again in (click("t1", 400), click("t1", 5), click("t1", 50, 2)):  # dearer, or of another campaign
        assert books.charge(lease, again) == replace(first, is_duplicate=True)
    assert books.budgets() == before
    assert (
        books.charge(lease, click("t1", 100, event="purchase")).micros == 100
    )  # another event of the same ad


@pytest.mark.parametrize(
    ("charges", "level"),
    [
        ([click("a", 600), click("b", 1)], "campaign"),  # 600 a day
        ([click("a", 100, 2), click("b", 1, 2)], "line"),  # 100 a day
        ([click("a", 1001)], "account"),  # 1000 a day
        ([click("a", 600), click("b", 100, 2), click("c", 301, 2)], "account"),  # 600 + 100 + 301 > 1000
    ],
)
def test_what_passes_a_cap_of_any_level_is_free_and_counted_as_lost(
    books: AdsLedger, lease: Lease, charges: list[object], level: str
) -> None:
    *within, beyond = books.charge_all(lease, charges)
    assert {each.outcome for each in within} <= {"charged"}
    assert (beyond.outcome, beyond.refused_by, beyond.micros) == ("over_budget", level, 0)
    lost = {row.lost_nanos for row in books.budgets() if row.entity_id == "acc_1"}
    assert lost == {charges[-1].price_nanos}
    assert books.charge(lease, charges[-1]) == replace(beyond, is_duplicate=True)


def test_the_budget_in_total_holds_over_days(books: AdsLedger, lease: Lease) -> None:
    charges = [click(f"t{n}", 400, occurred_at=NOON + timedelta(days=n)) for n in range(3)]
    first, second, third = books.charge_all(lease, charges)  # 400 + 400 + 400 > 900
    assert (first.outcome, second.outcome, third.outcome) == ("charged", "charged", "over_budget")
    assert third.refused_by == "campaign"
    assert books.charge(lease, click("t9", 100, occurred_at=NOON + timedelta(days=2))).outcome == "charged"


def test_a_cap_that_is_lowered_or_raised_counts_from_the_next_charge_on(
    books: AdsLedger, lease: Lease, shop: Settings
) -> None:
    books.charge(lease, click("a", 400))
    with AdsStore.open(shop) as store:
        store.save_account(replace(store.account("acme"), budget_day_micros=300), ANN)
        assert books.charge(lease, click("b", 1)).refused_by == "account"
        store.save_account(replace(store.account("acme"), budget_day_micros=None), ANN)
    assert books.charge(lease, click("c", 200)).outcome == "charged"


def test_a_click_more_than_30_minutes_after_serving_is_free_and_a_purchase_is_not(
    books: AdsLedger, lease: Lease
) -> None:
    served = NOON - timedelta(minutes=30)
    assert books.charge(lease, click("a", 5, served_at=served)).outcome == "charged"
    late = books.charge(lease, click("b", 5, served_at=served - timedelta(microseconds=1)))
    assert (late.outcome, late.micros) == ("late", 0)
    bought = click("c", 5, event="purchase", served_at=NOON - timedelta(days=3))
    assert books.charge(lease, bought).outcome == "charged"


def test_a_purchase_counts_on_the_day_of_the_purchase_in_the_accounts_time_zone(
    books: AdsLedger, lease: Lease, clock: Clock
) -> None:
    clock.now = NOON + timedelta(days=5)  # the worker comes to it later
    midnight = datetime(2026, 5, 1, 16, tzinfo=UTC)  # of Shanghai
    before, after = (
        click(name, 5, event="purchase", occurred_at=at, served_at=NOON - timedelta(days=2))
        for name, at in (("a", midnight - timedelta(microseconds=1)), ("b", midnight))
    )
    assert [each.day for each in books.charge_all(lease, [before, after])] == [DAY, NEXT_DAY]


def test_a_charge_of_a_line_that_is_not_in_that_campaign_or_account_is_nobodys(
    books: AdsLedger, lease: Lease
) -> None:
    for wrong in (click("a", 5, line_id="lin_2"), click("b", 5, 3), click("c", 5, line_id="lin_77")):
        assert books.charge(lease, wrong) == ChargeResult(wrong.key, "unknown_line")
    assert spent(books) == {}
    with pytest.raises(ValueError, match="not of the account"):
        books.charge(lease, click("d", 5, 3, account_id="acc_2"))


def test_fractions_of_a_micro_are_billed_once_they_are_whole(books: AdsLedger, lease: Lease) -> None:
    views = [click(f"t{n}", 0, event="viewable", price_nanos=300) for n in range(10)]  # a CPM of 0.0003
    billed = [each.micros for each in books.charge_all(lease, views)]
    assert billed == [0, 0, 0, 1, 0, 0, 1, 0, 0, 1]  # .3, .6, .9, 1.2 -> 1 and .2, ...
    assert spent(books)["lin_1 total"] == 3  # 10 x .3


def test_a_remainder_outlives_the_day(books: AdsLedger, lease: Lease) -> None:
    at = NOON + timedelta(days=1)
    views = [
        click("a", 0, event="viewable", price_nanos=900),
        click("b", 0, event="viewable", price_nanos=100, occurred_at=at),
    ]
    assert [each.micros for each in books.charge_all(lease, views)] == [0, 1]


def test_an_account_that_pays_in_advance_spends_no_more_than_it_paid_in(books: AdsLedger) -> None:
    lease = books.take_lease("acc_2", "worker 1", 60)
    assert lease is not None
    broke = books.charge(lease, click("a", 1, 3, account_id="acc_2"))
    assert (broke.outcome, broke.refused_by) == ("over_budget", "account")
    assert books.top_up(PREPAID, 500, "bank 7") == Booking("top_up:acc_2:bank 7", 500, DAY)
    assert books.charge(lease, click("b", 400, 3, account_id="acc_2")).outcome == "charged"
    assert books.charge(lease, click("c", 101, 3, account_id="acc_2")).outcome == "over_budget"
    books.credit(PREPAID, 1, "sorry")
    assert books.charge(lease, click("d", 101, 3, account_id="acc_2")).outcome == "charged"
    bill = books.statement(PREPAID, DAY, DAY)
    assert (bill.billed_micros, bill.paid_micros, bill.closing_micros) == (400 + 101 - 1, 500, 0)


def test_a_payment_is_booked_once(books: AdsLedger) -> None:
    first = books.top_up(ACME, 500, "bank 7")
    assert books.top_up(ACME, 500, "bank 7") == replace(first, is_duplicate=True)
    with pytest.raises(RequestError, match=r"was booked with 0.0005, not 0.0006"):
        books.top_up(ACME, 600, "bank 7")
    books.credit(ACME, 500, "bank 7")  # another kind
    assert books.statement(ACME, DAY, DAY).closing_micros == -1000
    for micros, reference in ((0, "a"), (-1, "a"), (2**51 + 1, "a"), (1, ""), (1, "a" * 101)):
        with pytest.raises(RequestError, match=r"amount|reference"):
            books.top_up(ACME, micros, reference)


def test_what_is_returned_on_its_day_may_be_spent_again_once(books: AdsLedger, lease: Lease) -> None:
    books.charge(lease, click("a", 600))
    assert books.charge(lease, click("b", 600)).outcome == "over_budget"
    returned = books.return_charge("click:a", "write_off", "a robot")
    assert returned == Booking("return:click:a", 600, DAY, DAY)
    assert books.return_charge("click:a", "refund") == replace(returned, is_duplicate=True)
    assert spent(books) == {}
    assert books.charge(lease, click("c", 600)).outcome == "charged"


def test_what_is_returned_later_does_not_reopen_the_day(books: AdsLedger, lease: Lease, clock: Clock) -> None:
    books.charge(lease, click("a", 600))
    clock.now = NOON + timedelta(days=1)
    assert books.return_charge("click:a", "refund") == Booking("return:click:a", 600, NEXT_DAY, None)
    assert spent(books) == {f"{each} 2026-05-01": 600 for each in ("acc_1", "cmp_1", "lin_1")}
    assert books.charge(lease, click("b", 1)).outcome == "over_budget"  # a click of the day that is over
    assert books.charge(lease, click("c", 600, occurred_at=clock.now)).outcome == "charged"  # 900 in total


def test_nothing_is_returned_of_what_was_free_or_is_not_there(books: AdsLedger, lease: Lease) -> None:
    books.charge(lease, click("a", 2000))
    assert books.return_charge("click:a", "refund").micros == 0
    with pytest.raises(RequestError, match=r"no charge 'click:b'"):
        books.return_charge("click:b", "refund")


def test_a_bill_is_the_sum_of_its_ledger_lines(books: AdsLedger, lease: Lease, clock: Clock) -> None:
    books.top_up(ACME, 100, "before")
    clock.now = NOON + timedelta(days=1)
    at = clock.now
    books.charge_all(lease, [click("a", 7, occurred_at=at), click("b", 5, occurred_at=at)])
    books.charge(lease, click("c", 50, 2, occurred_at=at))
    books.return_charge("click:b", "refund")
    bill = books.statement(ACME, NEXT_DAY, NEXT_DAY)
    assert bill.lines == (
        StatementLine(NEXT_DAY, "charge", "campaign 1", "main", 2, 12),
        StatementLine(NEXT_DAY, "charge", "campaign 2", "main", 1, 50),
        StatementLine(NEXT_DAY, "refund", "campaign 1", "main", 1, -5),
    )
    assert (bill.opening_micros, bill.billed_micros, bill.paid_micros) == (-100, 12 + 50 - 5, 0)
    assert bill.closing_micros == -100 + 57
    whole = books.statement(ACME, DAY, NEXT_DAY)
    assert (whole.opening_micros, whole.paid_micros, whole.closing_micros) == (0, 100, -43)


def test_one_worker_charges_an_account_until_its_lease_ends(books: AdsLedger, clock: Clock) -> None:
    first = books.take_lease("acc_1", "worker 1", 60)
    assert first == Lease("acc_1", "worker 1", NOON + timedelta(seconds=60))
    assert books.take_lease("acc_1", "worker 2", 60) is None
    assert books.take_lease("acc_2", "worker 2", 60) is not None  # another account
    clock.now += timedelta(seconds=59)
    first = books.take_lease("acc_1", "worker 1", 60)  # its own is made longer
    assert first is not None
    clock.now += timedelta(seconds=60)
    with pytest.raises(LeaseLostError, match="run out"):
        books.charge(first, click("a", 1))
    second = books.take_lease("acc_1", "worker 2", 60)
    assert second is not None
    with pytest.raises(LeaseLostError, match="'worker 2'"):
        books.charge(first, click("a", 1))
    books.end_lease(first)  # which it has no longer
    assert books.charge(second, click("a", 1)).outcome == "charged"
    books.end_lease(second)
    assert books.take_lease("acc_1", "worker 1", 60) is not None


@pytest.mark.parametrize("table", ["ads_ledger_entries", "ads_ledger_legs", "ads_charges"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_database_refuses_to_change_what_was_booked(
    books: AdsLedger, lease: Lease, shop: Settings, table: str, change: str
) -> None:
    books.charge(lease, click("a", 7))
    column = "kind" if table == "ads_ledger_entries" else "micros"
    engine = open_engine(database_url(shop))
    with pytest.raises(DBAPIError, match=f"rows of {table} are never changed"), engine.begin() as connection:
        connection.execute(text(change.format(table, column, column)))
    engine.dispose()


def test_an_event_twice_in_one_batch_is_charged_once(books: AdsLedger, lease: Lease) -> None:
    first, again, late = books.charge_all(
        lease, [click("a", 7), click("a", 9), click("b", 7, served_at=NOON - timedelta(hours=1))]
    )
    assert again == replace(first, is_duplicate=True)
    assert late.outcome == "late"
    assert spent(books)["acc_1 total"] == 7


def test_a_batch_is_booked_as_a_whole_or_not_at_all(books: AdsLedger, lease: Lease) -> None:
    too_far = click("b", 7, occurred_at=datetime(2300, 1, 1, tzinfo=UTC))  # days end with the year 2200
    with pytest.raises(RequestError, match="too far away"):
        books.charge_all(lease, [click("a", 7), too_far])
    assert books.budgets() == ()
    assert not books.charge(lease, click("a", 7)).is_duplicate


def test_running_numbers_are_those_of_the_periods_that_are_asked_for(books: AdsLedger, lease: Lease) -> None:
    books.charge(lease, click("t1", 400))
    numbers = books.running_numbers(["total"]).numbers
    found = {(each.entity_id, each.period): each.spent_micros for each in numbers}
    rows = [row for row in books.budgets(periods=["total"]) if row.period == "total"]
    assert found == {(row.entity_id, row.period): row.spent_micros for row in rows}
    assert found[("lin_1", "total")] > 0
    assert books.running_numbers(["1970-01-01"]).numbers == []


def test_running_numbers_since_an_entry_are_those_that_later_ones_moved(
    books: AdsLedger, lease: Lease
) -> None:
    periods = ["total", "2026-05-01"]
    assert books.running_numbers(periods) == (0, [])
    books.charge(lease, click("t1", 400))
    booked, all_numbers = books.running_numbers(periods)
    assert {each.entity_id for each in all_numbers} == {"acc_1", "cmp_1", "lin_1"}
    assert books.running_numbers(periods, booked) == (booked, ())
    assert sorted(books.running_numbers(periods, booked - 1).numbers) == sorted(all_numbers)
    books.top_up(ACME, 5_000_000, "bank 1")
    later, moved = books.running_numbers(periods, booked)
    assert later > booked
    assert {each.entity_id for each in moved} == {"acc_1"}
    assert max(each.paid_in_micros for each in moved) == 5_000_000
