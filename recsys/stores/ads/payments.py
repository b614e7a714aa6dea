"""Payments, credits and returned charges, booked inside a transaction that is open already."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, select
from sqlalchemy.engine import RowMapping

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.local_days import local_day
from recsys.ads.ledger.books import (
    Booking,
    Entry,
    Leg,
    ReturnKind,
    credit_legs,
    reversed_legs,
    top_up_legs,
)
from recsys.ads.ledger.budgets import is_open
from recsys.amounts import MOST_MICROS, amount_text
from recsys.documents import JsonObject
from recsys.errors import RequestError
from recsys.stores.ads.budget_rows import give_back, pay_in
from recsys.stores.ads.leases import lock_account
from recsys.stores.ads.ledger_rows import add_entries, charge_row, entry_row
from recsys.stores.ads.ledger_tables import LedgerLegRow
from recsys.stores.ads.records import Author, account_of
from recsys.stores.ads.rows import AdsRows
from recsys.stores.ads.tables import AccountRow

PaymentKind = Literal["top_up", "credit"]
MOST_REFERENCE = 100  # characters
_LEGS: dict[PaymentKind, Callable[[int, bool], tuple[Leg, ...]]] = {
    "top_up": top_up_legs,
    "credit": credit_legs,
}


@dataclass(frozen=True)
class Payments:
    """Money that moves without an event.

    Attributes:
        now: when it is booked.
        author: who books it, for the audit; None = a worker, whose entry says it all.
    """

    connection: Connection
    now: datetime
    author: Author | None = None

    def pay(self, kind: PaymentKind, account: Account, micros: int, reference: str, remark: str) -> Booking:
        """Books a payment or a credit; `reference` names it once for each account and kind.

        Raises:
            RequestError: amount or reference cannot be, or the reference was booked with another amount.
        """
        _check_payment(micros, reference)
        lock_account(self.connection, account.account_id)
        key, day = f"{kind}:{account.account_id}:{reference}", local_day(self.now, account.zone)
        known = entry_row(self.connection, key)
        if known is not None:
            return self._same_payment(known, micros)
        legs = _LEGS[kind](micros, account.prepaid)
        entry = Entry(kind, key, account.account_id, day, legs, remark=remark)
        pay_in(self.connection, account.account_id, micros)
        self._book(account, entry, micros)
        return Booking(key, micros, day)

    def return_charge(self, charge_key: str, kind: ReturnKind, remark: str) -> Booking:
        """Gives back what a charge billed, once: as a refund or as a write-off of invalid traffic.

        Raises:
            RequestError: there is no such charge.
        """
        charge = charge_row(self.connection, charge_key)
        if charge is None:
            raise RequestError(f"there is no charge {charge_key[:200]!r}. Write EVENT:TOKEN, as click:abc.")
        account = _account(self.connection, charge["account_id"])
        lock_account(self.connection, account.account_id)
        key, today = f"return:{charge_key}", local_day(self.now, account.zone)
        known = entry_row(self.connection, key)
        if known is not None:
            return self._known(known)
        if charge["micros"] == 0:
            return Booking(key, 0, today)
        budget_day = charge["day"] if is_open(charge["day"], today) else None
        levels = (charge["account_id"], charge["campaign_id"], charge["line_id"])
        booked = entry_row(self.connection, charge_key)
        if booked is None:
            raise ValueError(f"the charge {charge_key!r} has no entry")
        legs = reversed_legs(self._legs(booked))
        entry = Entry(kind, key, levels[0], today, legs, budget_day, levels[1], levels[2], remark)
        give_back(self.connection, levels, budget_day, charge["micros"])
        self._book(account, entry, charge["micros"])
        return Booking(key, charge["micros"], today, budget_day)

    def _book(self, account: Account, entry: Entry, micros: int) -> None:
        add_entries(self.connection, [entry], self.now)
        if self.author is None:
            return
        ids = (account.account_id, account.account_id)
        booked: JsonObject = {"key": entry.key, "micros": micros, "day": entry.day.isoformat()}
        action = entry.kind.replace("_", " ")
        AdsRows(self.connection).note(
            "account", ids, account.version, action, (None, booked), self.now, self.author
        )

    def _same_payment(self, known: RowMapping, micros: int) -> Booking:
        found = self._known(known)
        if found.micros != micros:
            raise RequestError(
                f"{found.key!r} was booked with {amount_text(found.micros)}, not {amount_text(micros)}. "
                "Give another reference."
            )
        return found

    def _known(self, row: RowMapping) -> Booking:
        micros = max(leg.micros for leg in self._legs(row))
        return Booking(row["key"], micros, row["day"], row["budget_day"], is_duplicate=True)

    def _legs(self, entry: RowMapping) -> list[Leg]:
        query = select(LedgerLegRow.book, LedgerLegRow.micros)
        found = self.connection.execute(query.where(LedgerLegRow.entry_id == entry["entry_id"]))
        return [Leg(book, micros) for book, micros in found]


def _account(connection: Connection, account_id: str) -> Account:
    query = select(AccountRow.__table__).where(AccountRow.account_id == account_id)
    return account_of(connection.execute(query).mappings().one())


def _check_payment(micros: int, reference: str) -> None:
    if not 0 < micros <= MOST_MICROS:
        raise RequestError(
            f"the amount {amount_text(micros)} is not one from above 0 to {amount_text(MOST_MICROS)}."
        )
    if not 0 < len(reference) <= MOST_REFERENCE:
        raise RequestError(
            f"the reference {reference[:MOST_REFERENCE]!r} is empty or longer than {MOST_REFERENCE} "
            "characters. Give the number of the bank transfer, or whatever names this payment once."
        )
