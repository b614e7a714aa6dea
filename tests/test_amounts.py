"""Quantities in thousandths and money in millionths: rounded once, and never beyond int64."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.amounts import (
    MOST_MICROS,
    MOST_THOUSANDTHS,
    amount_text,
    as_pieces,
    as_thousandths,
    line_micros,
    parse_amount,
    saturating_sums,
    unit_micros,
)
from recsys.errors import RequestError

INT64 = np.iinfo(np.int64)


@pytest.mark.parametrize(
    ("pieces", "thousandths"),
    [(1, 1000), (0.25, 250), (0.1 + 0.2, 300), (2.5, 2500), (0.001, 1), (1.23456, 1235)],
)
def test_a_quantity_is_kept_to_the_thousandth(pieces: float, thousandths: int) -> None:
    assert as_thousandths(pieces) == thousandths


@pytest.mark.parametrize("pieces", [0, -1, 0.0001, float("nan"), float("inf"), 10**400, MOST_THOUSANDTHS])
def test_what_is_no_quantity_has_no_thousandths(pieces: float) -> None:
    assert as_thousandths(pieces) is None


@given(st.integers(1, MOST_THOUSANDTHS))
def test_pieces_come_back_as_they_were(thousandths: int) -> None:
    assert as_thousandths(as_pieces(thousandths)) == thousandths


@given(st.integers(0, MOST_MICROS), st.integers(1, MOST_THOUSANDTHS))
def test_the_money_of_a_line_is_rounded_once_or_beyond_the_bounds(price: int, thousandths: int) -> None:
    exact = Fraction(price * thousandths, 1000)
    rounded = int(exact + Fraction(1, 2))  # halves up
    [found] = line_micros(np.array([price]), np.array([thousandths])).tolist()
    assert found == (rounded if exact <= MOST_MICROS else MOST_MICROS + 1)


def test_a_price_a_piece_stays_within_the_bounds() -> None:
    value, thousandths = np.array([MOST_MICROS, MOST_MICROS, 999, 0]), np.array([1, 1000, 3000, 500])
    assert unit_micros(value, thousandths).tolist() == [MOST_MICROS, MOST_MICROS, 333, 0]


@given(st.lists(st.integers(INT64.min + 1, INT64.max), max_size=20))
def test_sums_end_at_the_bounds_of_int64_and_come_back_from_there(amounts: list[int]) -> None:
    exact = [sum(amounts[: place + 1]) for place in range(len(amounts))]
    sums = saturating_sums(np.cumsum, np.array(amounts, np.int64))
    assert sums.tolist() == [min(max(total, INT64.min), INT64.max) for total in exact]


@given(st.integers(0, MOST_MICROS), st.sampled_from([None, "USD"]))
def test_an_amount_is_written_and_read_exactly(micros: int, currency: str | None) -> None:
    assert parse_amount("bid", amount_text(micros, currency), currency) == micros


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1,50", "digits with a point"),
        ("-1", "digits with a point"),
        ("1e3", "digits with a point"),
        ("0.0000001", "up to six decimals"),
        ("\u0661", "digits with a point"),
        ("nan", "digits with a point"),
        ("", "digits with a point"),
        ("5 EUR", "is in EUR, the shop's is USD"),
        ("9999999999", "too large"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_remedy(text: str, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        parse_amount("--bid", text, "USD")
