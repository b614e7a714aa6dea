"""Random charges, duplicates, returns, payments and changed budgets: the books beside plain Python."""

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget
from recsys.ads.campaigns.campaign import Line
from recsys.ads.campaigns.local_days import local_day
from recsys.ads.ledger.charges import Charge, ChargedEvent
from recsys.config import Settings
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.store import AdsStore
from recsys.stores.registry.database import database_url, open_engine
from tests.stores.ads.books_shop import ACME, ANN, NOON, PREPAID, Clock, campaign, click, open_books

OWNERS = {1: ACME, 2: ACME, 3: PREPAID}
CAMPAIGNS = (
    campaign(1, ACME, Budget(600, 1500)),
    campaign(2, ACME, Budget(None, 900), Line("lin_2", "main", ("1",), budget=Budget(400, None))),
    campaign(3, PREPAID, Budget(500, None)),
)
PRICES = (0, 1, 300, 999, 1000, 50_400, 100_000, 399_999, 700_000)  # nanos
LIVE = 10**9  # seconds of a lease


@dataclass
class Reference:
    """The books as a person would keep them: lists and sums."""

    caps: dict[str, tuple[int | None, int | None]]  # by id: of a day, in total
    paid_in: Counter[str] = field(default_factory=Counter)
    spent: Counter[tuple[str, str]] = field(default_factory=Counter)
    remainders: Counter[str] = field(default_factory=Counter)
    charged: dict[str, tuple[str, int, Charge]] = field(default_factory=dict)
    returned: set[str] = field(default_factory=set)
    owed: Counter[tuple[str, date]] = field(default_factory=Counter)  # by account and day of the bill

    def charge(self, charge: Charge, account: Account) -> tuple[str, int]:
        if charge.key in self.charged:
            return self.charged[charge.key][:2]
        result = self._billed(charge, account)
        self.charged[charge.key] = (*result, charge)
        return result

    def _billed(self, charge: Charge, account: Account) -> tuple[str, int]:
        if charge.event != "purchase" and charge.occurred_at > charge.served_at + timedelta(minutes=30):
            return "late", 0
        nanos = self.remainders[charge.line_id] + charge.price_nanos
        micros, rest = nanos // 1000, nanos % 1000
        day = local_day(charge.occurred_at, account.zone)
        for each in ids(charge):
            of_day, total = self.caps[each]
            if each == account.account_id and account.prepaid:
                total = self.paid_in[each]
            if of_day is not None and self.spent[each, str(day)] + micros > of_day:
                return "over_budget", 0
            if total is not None and self.spent[each, "total"] + micros > total:
                return "over_budget", 0
        self.remainders[charge.line_id] = rest
        for each in ids(charge):
            self.spent[each, str(day)] += micros
            self.spent[each, "total"] += micros
        self.owed[account.account_id, day] += micros
        return "charged", micros

    def left(self, charge: Charge, account: Account) -> int | None:
        """What still fits all budgets on the charge's day, at least 0; None where there is no bound."""
        day, found = str(local_day(charge.occurred_at, account.zone)), list[int]()
        for each in ids(charge):
            of_day, total = self.caps[each]
            if each == account.account_id and account.prepaid:
                total = self.paid_in[each]
            found += [] if of_day is None else [of_day - self.spent[each, day]]
            found += [] if total is None else [total - self.spent[each, "total"]]
        return max(0, min(found)) if found else None

    def give_back(self, key: str, account: Account, today: date) -> int:
        _, micros, charge = self.charged[key]
        if key in self.returned or micros == 0:
            return micros
        self.returned.add(key)
        day = local_day(charge.occurred_at, account.zone)
        for each in ids(charge):
            self.spent[each, "total"] -= micros
            if day >= today:
                self.spent[each, str(day)] -= micros
        self.owed[account.account_id, today] -= micros
        return micros


def ids(charge: Charge) -> tuple[str, str, str]:
    return charge.account_id, charge.campaign_id, charge.line_id


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the campaigns, which each example begins with a copy of."""
    home = tmp_path_factory.mktemp("template")
    open_books(Settings(home=home), Clock(), *CAMPAIGNS).close()
    return home


class BooksMachine(RuleBasedStateMachine):
    """Both books, and what may happen to them; begins with a copy of `template`."""

    def __init__(self, template: Path) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.settings = Settings(home=shutil.copytree(template, self.folder / "home"))
        self.clock = Clock()
        self.books = AdsLedger(open_engine(database_url(self.settings)), self.clock)
        taken = [self.books.take_lease(each.account_id, "w", LIVE) for each in (ACME, PREPAID)]
        self.leases = {each.account_id: each for each in taken if each is not None}
        caps: dict[str, tuple[int | None, int | None]] = {
            each.account_id: (each.budget_day_micros, None) for each in (ACME, PREPAID)
        }
        for each in CAMPAIGNS:
            caps[each.campaign_id] = (each.budget.day_micros, each.budget.total_micros)
            for line in each.lines:
                caps[line.line_id] = (line.budget.day_micros, line.budget.total_micros)
        self.reference = Reference(caps)

    def teardown(self) -> None:
        self.books.close()
        shutil.rmtree(self.folder)

    @rule(
        number=st.sampled_from([1, 2, 3]),
        token=st.integers(0, 9),
        event=st.sampled_from(["click", "viewable", "purchase"]),
        nanos=st.sampled_from(PRICES),
        age=st.integers(0, 40).map(lambda hours: timedelta(hours=hours)),
        wait=st.integers(0, 40).map(lambda minutes: timedelta(minutes=minutes)),
    )
    def charge(
        self, number: int, token: int, event: ChargedEvent, nanos: int, age: timedelta, wait: timedelta
    ) -> None:
        at, account = self.clock.now - age, OWNERS[number]
        charge = click(f"t{token}", 0, number, event=event, occurred_at=at, served_at=at - wait)
        charge = replace(charge, account_id=account.account_id, price_nanos=nanos)
        known = charge.key in self.reference.charged
        wanted = self.reference.charge(charge, account)
        result = self.books.charge(self.leases[account.account_id], charge)
        assert (result.outcome, result.micros) == wanted
        assert result.is_duplicate == known
        if not known and result.micros:
            self.check_caps(charge, str(result.day), account)

    @rule(number=st.sampled_from([1, 2, 3]), token=st.integers(10, 19), beyond=st.sampled_from([0, 1]))
    def charge_what_is_left(self, number: int, token: int, beyond: int) -> None:
        """The last micro of the tightest budget fits, and one more does not."""
        account = OWNERS[number]
        charge = click(f"t{token}", 0, number, account_id=account.account_id, occurred_at=self.clock.now)
        left = self.reference.left(charge, account)
        if left is None or charge.key in self.reference.charged:
            return
        nanos = max(0, (left + beyond) * 1000 - self.reference.remainders[charge.line_id])
        charge = replace(charge, price_nanos=nanos)
        wanted = self.reference.charge(charge, account)
        result = self.books.charge(self.leases[account.account_id], charge)
        assert (result.outcome, result.micros) == wanted

    def check_caps(self, charge: Charge, day: str, account: Account) -> None:
        rows = {(row.entity_id, row.period): row for row in self.books.budgets()}
        for each in ids(charge):
            caps = zip((day, "total"), self.reference.caps[each], strict=True)
            assert all(cap is None or rows[each, period].spent_micros <= cap for period, cap in caps)
        total = rows[account.account_id, "total"]
        assert not account.prepaid or total.spent_micros <= total.paid_in_micros

    @rule(which=st.integers(0, 30), kind=st.sampled_from(["refund", "write_off"]))
    def give_back(self, which: int, kind: str) -> None:
        if not self.reference.charged:
            return
        key = sorted(self.reference.charged)[which % len(self.reference.charged)]
        account = PREPAID if self.reference.charged[key][2].account_id == "acc_2" else ACME
        today = local_day(self.clock.now, account.zone)
        micros = self.reference.give_back(key, account, today)
        assert self.books.return_charge(key, kind).micros == micros  # type: ignore[arg-type]

    @rule(account=st.sampled_from([ACME, PREPAID]), token=st.integers(0, 3), is_credit=st.booleans())
    def pay(self, account: Account, token: int, is_credit: bool) -> None:
        micros = 100 * (token + 1)
        book = self.books.credit if is_credit else self.books.top_up
        if not book(account, micros, f"r{token}").is_duplicate:
            self.reference.paid_in[account.account_id] += micros
            day = local_day(self.clock.now, account.zone)
            self.reference.owed[account.account_id, day] -= micros

    @rule(micros=st.sampled_from([None, 1, 500, 1000, 3000]))
    def change_budget(self, micros: int | None) -> None:
        with AdsStore(open_engine(database_url(self.settings))) as store:
            store.save_account(replace(store.account("acme"), budget_day_micros=micros), ANN)
        self.reference.caps["acc_1"] = (micros, None)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.clock.now += timedelta(hours=hours)

    @invariant()
    def books_are_right(self) -> None:
        assert self.books.check() == ()
        rows = self.books.budgets()
        found = {(row.entity_id, row.period): row.spent_micros for row in rows if row.spent_micros}
        assert found == {key: micros for key, micros in self.reference.spent.items() if micros}
        nanos = {row.entity_id: row.remainder_nanos for row in rows if row.remainder_nanos}
        assert nanos == {key: number for key, number in self.reference.remainders.items() if number}

    @invariant()
    def bills_are_the_sums_of_their_lines(self) -> None:
        last = local_day(self.clock.now, ACME.zone)
        first = last - timedelta(days=2)
        for account in (ACME, PREPAID):
            bill = self.books.statement(account, first, last)
            mine = {day: n for (who, day), n in self.reference.owed.items() if who == account.account_id}
            assert bill.opening_micros == sum(n for day, n in mine.items() if day < first)
            assert bill.closing_micros == sum(n for day, n in mine.items() if day <= last)


def test_after_each_step_the_books_are_right_and_equal_the_reference(template: Path) -> None:
    assert NOON.utcoffset() == timedelta(0)
    run_state_machine_as_test(
        lambda: BooksMachine(template),
        settings=settings(
            max_examples=10,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
