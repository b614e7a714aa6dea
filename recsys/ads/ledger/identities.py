"""What always holds of the books: identities between their sums and the running numbers of the budgets.

entry     the legs of each entry sum to zero
books     all legs sum to zero
balance   wallet + clearing of an account = what it spent less what it paid in
spent     a budget row's spent_micros = the entries of its account, campaign or line in its period
charge    each billed charge has one entry of its micros, and each entry of a charge its charge
price     the prices of a line's billed events = what was billed, in nanos, + the line's remainder
remainder a remainder is from 0 to 999 nanos
lost      a budget row's lost_nanos = the prices of its events over the budget
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from recsys.ads.ledger.books import Book
from recsys.ads.ledger.budgets import TOTAL, BudgetRow
from recsys.ads.ledger.charges import NANOS
from recsys.documents import JsonObject

Identity = Literal["entry", "books", "balance", "spent", "charge", "price", "remainder", "lost"]
Period = tuple[str, str]  # the id of an account, campaign or line, and a day or `total`


@dataclass(frozen=True)
class Sold:
    """Sums over the billed charges of one line."""

    price_nanos: int
    micros: int


@dataclass(frozen=True)
class BookSums:
    """Sums over the ledger beside the running numbers, all of one instant.

    Attributes:
        unbalanced: legs of each entry whose legs do not sum to zero, by its key.
        books: legs by book, of all accounts.
        balances: legs of wallet and clearing by account.
        billed: what entries billed less what they returned, by period.
        lost: prices of events over the budget, in nanos, by period.
        sold: by line.
        mismatched: billed micros of charges and of their entries where the two differ, by the charge's key.
        rows: the budget rows.
    """

    unbalanced: Mapping[str, int] = field(default_factory=dict)
    books: Mapping[Book, int] = field(default_factory=dict)
    balances: Mapping[str, int] = field(default_factory=dict)
    billed: Mapping[Period, int] = field(default_factory=dict)
    lost: Mapping[Period, int] = field(default_factory=dict)
    sold: Mapping[str, Sold] = field(default_factory=dict)
    mismatched: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rows: tuple[BudgetRow, ...] = ()


@dataclass(frozen=True)
class BrokenIdentity:
    """An identity that does not hold.

    Attributes:
        subject: what it does not hold of: an entry's key, an account, or a budget and its period.
        expected: the sum over the ledger. found: what there is instead.
    """

    identity: Identity
    subject: str
    expected: int
    found: int

    @property
    def difference(self) -> int:
        """`found` less `expected`."""
        return self.found - self.expected

    def to_json(self) -> JsonObject:
        """What `recsys ads ledger check` prints."""
        return {**vars(self), "difference": self.difference}


def check_books(sums: BookSums) -> tuple[BrokenIdentity, ...]:
    """The identities that do not hold; none where the books are right.

    >>> check_books(BookSums(books={"cash": 5, "wallet": -4}))
    (BrokenIdentity(identity='books', subject='all', expected=0, found=1),)
    """
    rows = {(row.entity_id, row.period): row for row in sums.rows}
    totals = {row.account_id: row for row in sums.rows if (row.level, row.period) == ("account", TOTAL)}
    remainders = {row.entity_id: row.remainder_nanos for row in sums.rows if row.period == TOTAL}
    spent = {period: row.spent_micros for period, row in rows.items()}
    lost = {period: row.lost_nanos for period, row in rows.items()}
    owed = {account: row.spent_micros - row.paid_in_micros for account, row in totals.items()}
    sold = {line: each.price_nanos - each.micros * NANOS for line, each in sums.sold.items()}
    found = [
        *(BrokenIdentity("entry", key, 0, micros) for key, micros in sums.unbalanced.items()),
        *_differences("books", {"all": 0}, {"all": sum(sums.books.values())}),
        *_differences("balance", sums.balances, owed),
        *_differences("spent", _named(sums.billed), _named(spent)),
        *(BrokenIdentity("charge", key, *both) for key, both in sums.mismatched.items()),
        *_differences("price", sold, remainders),
        *(
            BrokenIdentity("remainder", f"{row.entity_id} {row.period}", row.remainder_nanos % NANOS, number)
            for row in sums.rows
            if not 0 <= (number := row.remainder_nanos) < NANOS
        ),
        *_differences("lost", _named(sums.lost), _named(lost)),
    ]
    return tuple(each for each in found if each.difference)


def _differences(
    identity: Identity, expected: Mapping[str, int], found: Mapping[str, int]
) -> Iterator[BrokenIdentity]:
    for subject in sorted(expected.keys() | found.keys()):
        yield BrokenIdentity(identity, subject, expected.get(subject, 0), found.get(subject, 0))


def _named(numbers: Mapping[Period, int]) -> dict[str, int]:
    return {" ".join(period): number for period, number in numbers.items()}
