"""Each identity of the books is broken alone, and is named with the difference."""

from dataclasses import replace

import pytest

from recsys.ads.ledger.budgets import TOTAL, BudgetRow
from recsys.ads.ledger.charges import Level
from recsys.ads.ledger.identities import BookSums, BrokenIdentity, Sold, check_books


def row(entity_id: str, level: Level, period: str = TOTAL, **numbers: int) -> BudgetRow:
    return BudgetRow(entity_id, period, level, "acc_1", **numbers)


# One line sold 7,300 nanos and billed 7 micros, lost 2,000 nanos; 5 micros were paid.
RIGHT = BookSums(
    books={"cash": 5, "clearing": 2, "revenue": -7},
    balances={"acc_1": 2},
    billed={("acc_1", TOTAL): 7, ("lin_1", TOTAL): 7, ("lin_1", "2026-05-01"): 7},
    lost={("lin_1", TOTAL): 2000},
    sold={"lin_1": Sold(7300, 7)},
    rows=(
        row("acc_1", "account", spent_micros=7, paid_in_micros=5),
        row("lin_1", "line", spent_micros=7, remainder_nanos=300, lost_nanos=2000),
        row("lin_1", "line", "2026-05-01", spent_micros=7),
    ),
)


def test_right_books_break_no_identity() -> None:
    assert check_books(RIGHT) == check_books(BookSums()) == ()


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        ({"unbalanced": {"click:t": 3}}, BrokenIdentity("entry", "click:t", 0, 3)),
        ({"books": {"cash": 5, "revenue": -7}}, BrokenIdentity("books", "all", 0, -2)),
        ({"balances": {"acc_1": 3}}, BrokenIdentity("balance", "acc_1", 3, 2)),
        ({"balances": {"acc_1": 2, "acc_2": 1}}, BrokenIdentity("balance", "acc_2", 1, 0)),
        (
            {"billed": {**RIGHT.billed, ("lin_1", "2026-05-01"): 8}},
            BrokenIdentity("spent", "lin_1 2026-05-01", 8, 7),
        ),
        ({"mismatched": {"click:t": (7, 0)}}, BrokenIdentity("charge", "click:t", 7, 0)),
        ({"sold": {"lin_1": Sold(7299, 7)}}, BrokenIdentity("price", "lin_1", 299, 300)),
        ({"lost": {}}, BrokenIdentity("lost", "lin_1 total", 0, 2000)),
    ],
)
def test_a_broken_identity_is_named(changed: dict[str, object], broken: BrokenIdentity) -> None:
    assert check_books(replace(RIGHT, **changed)) == (broken,)  # type: ignore[arg-type]
    assert broken.to_json()["difference"] == broken.found - broken.expected != 0


def test_a_remainder_of_a_whole_micro_is_wrong() -> None:
    sums = BookSums(sold={"lin_1": Sold(1000, 0)}, rows=(row("lin_1", "line", remainder_nanos=1000),))
    assert check_books(sums) == (BrokenIdentity("remainder", "lin_1 total", 0, 1000),)
