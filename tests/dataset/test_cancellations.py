"""What a cancellation takes back: the latest line first, a part of it, money with it or by itself."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.amounts import UNKNOWN
from recsys.dataset.cancellations import match_cancellations

BUY, BACK = False, True


def left(*rows: tuple[bool, int, int, int]) -> dict[int, tuple[int, int]]:
    """Place of each purchase -> quantity and money left of it; rows are (cancels, at, quantity, value)."""
    cancels, at, quantity, value = (list(column) for column in zip(*rows, strict=True))
    pair = np.zeros(len(rows), np.int64)
    arrays = (np.array(column, np.int64) for column in (at, quantity, value))
    taken = match_cancellations(pair, np.array(cancels), *arrays)
    found = {place: (row[2] or 1000, row[3]) for place, row in enumerate(rows) if not row[0]}
    for place, *rest in zip(taken.purchase, taken.quantity_left, taken.value_left, strict=True):
        found[int(place)] = (int(rest[0]), int(rest[1]))
    return found


def test_a_part_of_a_line_leaves_the_rest_of_it_and_of_its_money() -> None:
    assert left((BUY, 1, 1400, 14_000_000), (BACK, 2, 400, UNKNOWN)) == {0: (1000, 10_000_000)}


def test_what_comes_back_reaches_over_several_purchases_the_latest_first() -> None:
    rows = ((BUY, 1, 2000, 20), (BUY, 2, 1000, 12), (BACK, 3, 2500, UNKNOWN))
    assert left(*rows) == {0: (500, 5), 1: (0, 0)}


def test_a_cancellation_without_a_quantity_takes_the_latest_line_whole() -> None:
    assert left((BUY, 1, 1000, 7), (BUY, 2, 3000, 9), (BACK, 3, 0, UNKNOWN)) == {0: (1000, 7), 1: (0, 0)}


def test_a_refund_of_less_than_was_paid_takes_money_only() -> None:
    rows = ((BUY, 1, 2000, 1299), (BACK, 2, 0, 500), (BACK, 3, 0, 300))
    assert left(*rows) == {0: (2000, 499)}
    assert left(*rows, (BACK, 4, 0, 499)) == {0: (0, 0)}


def test_a_refund_of_all_or_more_or_of_an_unknown_price_takes_one_line() -> None:
    for refund, paid in ((1299, 1299), (1500, 1299), (5, UNKNOWN), (0, 1299)):
        rest = left((BUY, 1, 0, 10), (BUY, 2, 0, paid), (BACK, 3, 0, refund))
        assert rest == {0: (1000, 10), 1: (0, min(paid, 0))}


def test_a_quantity_decides_where_both_are_said() -> None:
    assert left((BUY, 1, 3000, 900), (BACK, 2, 1000, 250)) == {0: (2000, 600)}


def test_at_one_instant_purchases_come_first_and_later_ones_do_not() -> None:
    assert left((BACK, 5, 0, UNKNOWN), (BUY, 5, 0, 3)) == {1: (0, 0)}
    assert left((BACK, 4, 0, UNKNOWN), (BUY, 5, 0, 3)) == {1: (1000, 3)}
    # The purchase of the same day, not the earlier one.
    assert left((BUY, 1, 0, 3), (BACK, 5, 0, UNKNOWN), (BUY, 5, 0, 4)) == {0: (1000, 3), 2: (0, 0)}


def test_nothing_is_taken_from_other_users_or_items() -> None:
    one = np.array([1])
    taken = match_cancellations(
        np.array([1, 2]), np.array([False, True]), np.array([1, 2]), one.repeat(2), one.repeat(2)
    )
    assert len(taken) == 0


EVENTS = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(0, 20),
        st.sampled_from([0, 250, 1000, 3000]),
        st.sampled_from([UNKNOWN, 0, 7, 999]),
    ),
    min_size=1,
    max_size=25,
)


@given(EVENTS, st.integers(0, 25))
def test_a_log_without_its_beginning_gives_the_same_for_what_it_holds(rows: list[Any], cut: int) -> None:
    rows = sorted(rows, key=lambda row: (row[1], row[0]))
    cut = min(cut, len(rows) - 1)
    whole, part = left(*rows), left(*rows[cut:])
    assert {place + cut: rest for place, rest in part.items()} == {
        place: rest for place, rest in whole.items() if place >= cut
    }


@given(EVENTS)
def test_what_is_left_is_never_more_than_was_bought(rows: list[Any]) -> None:
    for place, (quantity, value) in left(*rows).items():
        assert 0 <= quantity <= (rows[place][2] or 1000)
        assert value == UNKNOWN if rows[place][3] == UNKNOWN else 0 <= value <= rows[place][3]
