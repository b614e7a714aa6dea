"""Prices in queries, in English and Chinese."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.search.understanding.price import price_range


def bounds(text: str, currency: str | None = None) -> tuple[float | None, float | None] | None:
    found = price_range(text, currency)
    if found is None:
        return None
    least, most = (None if each is None else each / 1e6 for each in (found.least_micros, found.most_micros))
    return least, most


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dress under 20 dollars", (None, 20)),
        ("dress below $20", (None, 20)),
        ("lamp up to 19.99 usd", (None, 19.99)),
        ("tv over 1,000 dollars", (1000, None)),
        ("lamp between $5 and $10.50", (5, 10.5)),
        ("$10-$20 lamp", (10, 20)),
        ("lamp 20 to 10 dollars", (10, 20)),
        ("price 30 euros or less", (None, 30)),
        ("20-30 元 茶杯", (20, 30)),
        ("100元以下", (None, 100)),
        ("不超过100块钱的鞋", (None, 100)),
        ("100元以上的手表", (100, None)),
        ("50到80元", (50, 80)),
    ],
)
def test_amounts_of_money_with_a_bound_are_read(
    text: str, expected: tuple[float | None, float | None]
) -> None:
    assert bounds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "pipe under 20 inches",
        "under 20",
        "10 - 20 inch",
        "dumbbell under 20 pounds",
        "door $289.00",
        "100元",
        "$20 bill",
        "top 10 under",
        "1/2 - 3/4 in",
    ],
)
def test_other_numbers_are_no_price(text: str) -> None:
    assert bounds(text) is None


def test_an_amount_in_another_currency_than_the_shops_says_nothing() -> None:
    assert bounds("under $20", "USD") == (None, 20)
    assert bounds("under $20", "EUR") is None
    assert bounds("100元以下", "CNY") == (None, 100)


@given(st.text(max_size=200))
def test_no_text_is_too_strange(text: str) -> None:
    found = price_range(text, None)
    assert found is None or 0 <= found.start < found.end <= len(text)
