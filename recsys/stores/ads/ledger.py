"""The books of advertising in SQL: charges, payments and returns, each one transaction; checks and bills."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from recsys.ads.campaigns.account import Account
from recsys.ads.ledger.books import Booking, ReturnKind
from recsys.ads.ledger.budgets import BudgetRow
from recsys.ads.ledger.charges import Charge, ChargeResult
from recsys.ads.ledger.identities import BrokenIdentity, check_books
from recsys.ads.ledger.statement import Statement
from recsys.ads.selection.spending import RunningNumbers
from recsys.config import Settings
from recsys.instants import utc_now
from recsys.stores.ads.budget_rows import budget_rows, running_numbers
from recsys.stores.ads.charging import Charging
from recsys.stores.ads.generations import generations, kept_at, note_generations
from recsys.stores.ads.leases import Lease, end_lease, hold_lease, take_lease
from recsys.stores.ads.ledger_rows import charge_results
from recsys.stores.ads.ledger_sums import book_sums, statement
from recsys.stores.ads.payments import PaymentKind, Payments
from recsys.stores.ads.records import Author
from recsys.stores.registry.database import database_errors
from recsys.stores.registry.sql_store import SqlStore, open_database

T = TypeVar("T")


class AdsLedger(SqlStore):
    """The books; safe to share between threads. Use `open`.

    Every method raises StoreUnavailableError where the database does not answer. What was under way then is
    booked as a whole or not at all, and is safe to repeat.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(engine)
        self._clock = clock

    @classmethod
    def open(cls, settings: Settings, clock: Callable[[], datetime] = utc_now) -> "AdsLedger":
        """The books of the database that `settings` name, its tables brought up to date.

        Raises:
            ConfigError: DATABASE_URL is malformed, or a newer version made the tables.
            StoreUnavailableError: the database did not answer.
        """
        return cls(open_database(settings), clock)

    # -- who charges --------------------------------------------------------------------------

    def take_lease(self, account_id: str, owner: str, seconds: float) -> Lease | None:
        """The right to charge an account, for `seconds` from now; None while another owner has it.

        The same owner gets a longer one. `owner` must name one worker of one process: a process that comes
        back under the same name would take over its lease.
        """
        with self._writing("take the lease of an account") as connection:
            return take_lease(connection, account_id, owner, self._clock(), seconds)

    def end_lease(self, lease: Lease) -> None:
        """Ends a lease now, so that others need not wait until it has run out."""
        with self._writing("end the lease of an account") as connection:
            end_lease(connection, lease, self._clock())

    # -- what moves money ---------------------------------------------------------------------

    def charge(self, lease: Lease, charge: Charge) -> ChargeResult:
        """Books one event; see `charge_all`."""
        return self.charge_all(lease, (charge,))[0]

    def charge_all(self, lease: Lease, charges: Sequence[Charge]) -> list[ChargeResult]:
        """Books events of one account in one transaction: all results, in their order, or none.

        An event is billed where its price still fits the budgets of account, campaign and line, for its day
        and in total; else it is free and counted as lost. One that was there before changes nothing.

        Raises:
            LeaseLostError: the lease has run out, or another worker has it.
            ValueError: a charge is of another account than the lease.
        """
        if any(charge.account_id != lease.account_id for charge in charges):
            raise ValueError(f"a charge is not of the account {lease.account_id!r} that the lease is of")
        with database_errors(self._engine.url, "charge an account"):
            return self._repeated(lambda connection: self._charge_all(connection, lease, charges))

    def top_up(
        self, account: Account, micros: int, reference: str, remark: str = "", author: Author | None = None
    ) -> Booking:
        """Books what an account paid: into its wallet, or against its bill.

        Args:
            reference: names the payment; the same one again changes nothing.
            author: who books it, for the audit; None = a program, and the entry is all there is of it.

        Raises:
            RequestError: amount or reference cannot be, or the reference was booked with another amount.
        """
        return self._pay("top_up", account, micros, reference, remark, author)

    def credit(
        self, account: Account, micros: int, reference: str, remark: str = "", author: Author | None = None
    ) -> Booking:
        """Books what the shop gives an account without a charge that it returns; as `top_up`."""
        return self._pay("credit", account, micros, reference, remark, author)

    def return_charge(
        self, charge_key: str, kind: ReturnKind, remark: str = "", author: Author | None = None
    ) -> Booking:
        """Gives back what a charge billed, once.

        While the charge's day lasts, that day's budget may be spent again; a day that is over stays as it is,
        and only the total shrinks.

        Args:
            charge_key: of its result, as `click:TOKEN`.
            kind: `refund` of a cancelled purchase, or `write_off` of invalid traffic.
            author: as of `top_up`.

        Raises:
            RequestError: there is no such charge.
        """
        with database_errors(self._engine.url, "return a charge"):
            return self._repeated(
                lambda connection: Payments(connection, self._clock(), author).return_charge(
                    charge_key, kind, remark
                )
            )

    # -- what is read -------------------------------------------------------------------------

    def budgets(
        self, account_id: str | None = None, periods: Collection[str] | None = None
    ) -> tuple[BudgetRow, ...]:
        """The running numbers of an account with its campaigns and lines, or of all.

        Args:
            periods: those that are asked for, see `period_of`; None = all.
        """
        with self._snapshot("read budgets") as connection:
            return budget_rows(connection, account_id, periods)

    def running_numbers(self, periods: Collection[str], since: int | None = None) -> RunningNumbers:
        """What was spent in these periods, see `period_of`, of all accounts, campaigns and lines.

        Args:
            since: an entry of the books: only those that later ones moved; None = all.
        """
        with self._snapshot("read budgets") as connection:
            return running_numbers(connection, periods, since)

    def known(self, charges: Sequence[Charge]) -> frozenset[str]:
        """The keys of those charges that were there before, whatever came of them."""
        with self._snapshot("read charges") as connection:
            return frozenset(charge_results(connection, charges))

    def check(self) -> tuple[BrokenIdentity, ...]:
        """The identities of the books that do not hold, all of one instant; none where they are right."""
        with self._snapshot("check the books") as connection:
            return check_books(book_sums(connection))

    def statement(self, account: Account, first: date, last: date) -> Statement:
        """The bill of an account from one day to another, both included."""
        with self._snapshot("read a bill") as connection:
            return statement(connection, account, first, last)

    # -- the gate's generations ---------------------------------------------------------------

    def generation(self, account_id: str) -> int:
        """The newest generation of the account's gate that was noted; 0 = none."""
        return self.generations().get(account_id, 0)

    def generations(self) -> dict[str, int]:
        """The newest generations that were noted, by account."""
        with self._snapshot("read the gate's generations") as connection:
            return generations(connection)

    def kept_at(self) -> datetime | None:
        """When a charge worker last looked at the gate, which it does each second; None = never."""
        with self._snapshot("read when the gate was kept") as connection:
            return kept_at(connection)

    def note_generation(self, account_id: str, generation: int) -> None:
        """Keeps a generation that was seen; an older one than was noted changes nothing."""
        self.note_generations({account_id: generation})

    def note_generations(self, seen: Mapping[str, int]) -> None:
        """Keeps generations by account, in one transaction; see `note_generation`."""
        if seen:
            with self._writing("keep the gate's generations") as connection:
                note_generations(connection, seen, self._clock())

    # -- inside a transaction -----------------------------------------------------------------

    def _charge_all(
        self, connection: Connection, lease: Lease, charges: Sequence[Charge]
    ) -> list[ChargeResult]:
        now = self._clock()
        hold_lease(connection, lease, now)
        return Charging(connection, now).charge_all(charges)

    def _pay(
        self,
        kind: PaymentKind,
        account: Account,
        micros: int,
        reference: str,
        remark: str,
        author: Author | None,
    ) -> Booking:
        with database_errors(self._engine.url, f"book a {kind}"):
            return self._repeated(
                lambda connection: Payments(connection, self._clock(), author).pay(
                    kind, account, micros, reference, remark
                )
            )

    def _repeated(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns. The second time it finds what another transaction kept under the same key."""
        try:
            with self._transaction() as connection:
                return work(connection)
        except IntegrityError:
            with self._transaction() as connection:
                return work(connection)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        # Not `write_transaction`: writers of PostgreSQL wait for those of the same account only.
        with (
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _writing(self, operation: str) -> Iterator[Connection]:
        with database_errors(self._engine.url, operation), self._transaction() as connection:
            yield connection
