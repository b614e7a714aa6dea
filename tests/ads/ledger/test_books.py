"""Double entry: the legs of every kind of entry, and what a reversal leaves."""

from datetime import date

import hypothesis.strategies as st
import pytest
from hypothesis import given

from recsys.ads.ledger.books import (
    Entry,
    EntryKind,
    Leg,
    charge_legs,
    credit_legs,
    reversed_legs,
    sum_of,
    top_up_legs,
)

DAY = date(2026, 5, 1)
MICROS = st.integers(1, 2**51)


def entry(kind: EntryKind, legs: tuple[Leg, ...]) -> Entry:
    return Entry(kind, "key", "acc_1", DAY, legs)


@given(MICROS, st.booleans())
def test_the_legs_of_every_entry_sum_to_zero(micros: int, prepaid: bool) -> None:
    charge = charge_legs(micros, prepaid)
    for legs in (
        charge,
        top_up_legs(micros, prepaid),
        credit_legs(micros, prepaid),
        reversed_legs(charge),
    ):
        assert sum_of(legs) == 0
        assert sum_of((*legs, *reversed_legs(legs))) == 0


def test_a_charge_bills_what_a_refund_gives_back_and_a_payment_bills_nothing() -> None:
    charge = charge_legs(7, prepaid=False)
    assert entry("charge", charge).billed_micros == 7
    assert entry("refund", reversed_legs(charge)).billed_micros == -7
    assert entry("credit", credit_legs(7, prepaid=False)).billed_micros == -7
    assert entry("top_up", top_up_legs(7, prepaid=False)).billed_micros == 0


def test_who_pays_in_advance_has_a_wallet_and_who_pays_by_bill_a_clearing_account() -> None:
    assert charge_legs(7, prepaid=True) == (Leg("wallet", 7), Leg("revenue", -7))
    assert charge_legs(7, prepaid=False) == (Leg("clearing", 7), Leg("revenue", -7))
    assert top_up_legs(7, prepaid=True) == (Leg("cash", 7), Leg("wallet", -7))


@pytest.mark.parametrize(
    "legs", [(), (Leg("cash", 1),), (Leg("cash", 1), Leg("wallet", -2)), (Leg("cash", 0), Leg("wallet", 0))]
)
def test_an_entry_that_does_not_balance_cannot_be(legs: tuple[Leg, ...]) -> None:
    with pytest.raises(ValueError, match="do not balance"):
        entry("charge", legs)
