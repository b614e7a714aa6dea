"""Entries of the books: double entry in whole micros, and the legs that each kind of entry has.

Four books. `cash`: what came in. `wallet`: what accounts that pay in advance have left, which the shop owes
them. `clearing`: what accounts that pay by bill owe the shop. `revenue`: what was earned. A leg above 0
debits its book and one below 0 credits it; the legs of an entry sum to zero. An entry is never changed: a
correction is another entry.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

Book = Literal["cash", "wallet", "revenue", "clearing"]
BOOKS: tuple[Book, ...] = get_args(Book)
EntryKind = Literal["charge", "top_up", "credit", "refund", "write_off"]
ENTRY_KINDS: tuple[EntryKind, ...] = get_args(EntryKind)
ReturnKind = Literal["refund", "write_off"]


@dataclass(frozen=True)
class Leg:
    """`micros` of one book: above 0 a debit, below 0 a credit."""

    book: Book
    micros: int


@dataclass(frozen=True)
class Entry:
    """One entry of the books.

    Attributes:
        key: unique among all entries, so that nothing is booked twice.
        day: of the account's time zone; the day of the bill that the entry is on.
        budget_day: the day whose budget it moved; None = it moved no day's.
        campaign_id, line_id: of what is charged or returned; None for money of the whole account.
        remark: why, in the words of who booked it.

    Raises:
        ValueError: the legs do not sum to zero, or one of them moves nothing.
    """

    kind: EntryKind
    key: str
    account_id: str
    day: date
    legs: tuple[Leg, ...]
    budget_day: date | None = None
    campaign_id: str | None = None
    line_id: str | None = None
    remark: str = ""

    def __post_init__(self) -> None:
        if not self.legs or any(leg.micros == 0 for leg in self.legs) or sum_of(self.legs) != 0:
            raise ValueError(f"the legs of the entry {self.key!r} do not balance: {self.legs}")

    @property
    def billed_micros(self) -> int:
        """What the account is billed by it: above 0 for a charge, below 0 for what is given back."""
        return -sum_of(leg for leg in self.legs if leg.book == "revenue")


@dataclass(frozen=True)
class Booking:
    """What came of a payment, a credit or a return.

    Attributes:
        key: of the entry.
        micros: that moved; 0 where there was nothing to return.
        day: of the bill that it is on.
        budget_day: the day whose budget may be spent again by that much; None = no day's.
        is_duplicate: whether it was booked before. Then this changed nothing, and the rest is of then.
    """

    key: str
    micros: int
    day: date
    budget_day: date | None = None
    is_duplicate: bool = False


def sum_of(legs: Iterable[Leg]) -> int:
    """The sum of the legs' micros.

    >>> sum_of(charge_legs(7, prepaid=True))
    0
    """
    return sum(leg.micros for leg in legs)


def charge_legs(micros: int, prepaid: bool) -> tuple[Leg, ...]:
    """An event is billed: the wallet shrinks, or what is owed grows; the shop has earned it.

    >>> charge_legs(400_000, prepaid=False)
    (Leg(book='clearing', micros=400000), Leg(book='revenue', micros=-400000))
    """
    return Leg(balance_book(prepaid), micros), Leg("revenue", -micros)


def top_up_legs(micros: int, prepaid: bool) -> tuple[Leg, ...]:
    """Money came in: into the wallet, or against what is owed."""
    return Leg("cash", micros), Leg(balance_book(prepaid), -micros)


def credit_legs(micros: int, prepaid: bool) -> tuple[Leg, ...]:
    """The shop gives an account something without a charge that it returns: it earned that much less."""
    return Leg("revenue", micros), Leg(balance_book(prepaid), -micros)


def reversed_legs(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """The legs that undo these, as a refund and a write-off of invalid traffic have them.

    >>> reversed_legs(charge_legs(7, prepaid=True))
    (Leg(book='wallet', micros=-7), Leg(book='revenue', micros=7))
    """
    return tuple(Leg(leg.book, -leg.micros) for leg in legs)


def balance_book(prepaid: bool) -> Book:
    """The book that an account's balance is in.

    >>> balance_book(True), balance_book(False)
    ('wallet', 'clearing')
    """
    return "wallet" if prepaid else "clearing"
