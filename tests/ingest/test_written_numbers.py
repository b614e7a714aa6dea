"""Numbers as shops write them: what is certain is read, what could be two numbers is not."""

import pyarrow as pa
import pytest

from recsys.ingest.raw.cells import as_micros, as_number
from recsys.ingest.raw.written_numbers import read_number


def value(text: str, decimal: str | None = None) -> float | None:
    found = read_number(text, decimal)
    return None if found is None else found.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12,99", 12.99),
        ("1.299,00", 1299.0),
        ("1,299.00", 1299.0),
        ("1.299", 1.299),  # as everywhere where a point is the decimal mark
        ("1,299", None),  # 1299 or 1.299
        ("0,299", 0.299),  # no group begins with 0
        ("1.234.567", 1_234_567.0),
        ("12,34,567.50", 1_234_567.5),  # lakh
        ("1'299.50", 1299.5),
        ("1 299,50", 1299.5),
        ("1\u00a0299\u202f000", 1_299_000.0),
        ("(12.99)", -12.99),
        ("12,99-", -12.99),
        ("\u221212.99", -12.99),
        ("１２．５", 12.5),
        ("12,-", 12.0),
        ("true", 1.0),
        ("FALSE", 0.0),
        ("1.2.3", None),
        ("12,3,4", None),
        ("1,23.456,7", None),
        ("--5", None),
        ("(5", None),
        ("EUR 5", None),
        ("", None),
    ],
)
def test_numbers_without_a_declared_decimal_mark(text: str, expected: float | None) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "with_comma", "with_point"),
    [
        ("1.299", 1299.0, 1.299),
        ("1,299", 1.299, 1299.0),
        ("12,99", 12.99, None),
        ("12.99", None, 12.99),
        ("1.299,50", 1299.5, None),
        ("1,299.50", None, 1299.5),
        ("1.000.000", 1e6, None),
    ],
)
def test_a_declared_decimal_mark_decides(
    text: str, with_comma: float | None, with_point: float | None
) -> None:
    assert (value(text, ","), value(text, ".")) == (with_comma, with_point)


def test_a_thousand_beside_decimal_commas_is_not_taken_for_one() -> None:
    parsed = as_micros(pa.array(["12,99", "1.299", "3.5", None]))
    assert parsed.values.tolist() == [12_990_000, 0, 3_500_000, 0]
    assert parsed.bad.tolist() == [False, True, False, False]
    assert parsed.by_comma is not None
    assert parsed.by_comma.tolist() == [True, False, False, False]
    declared = as_micros(pa.array(["12,99", "1.299", None]), decimal=",")
    assert declared.values.tolist() == [12_990_000, 1_299_000_000, 0]
    assert not declared.bad.any()


def test_booleans_are_numbers_but_no_money() -> None:
    for column in (pa.array([True, False]), pa.array(["True", "false"])):
        assert as_number(column).values.tolist() == [1.0, 0.0]
        assert as_micros(column).bad.tolist() == [True, True]


def test_currency_signs_are_stripped_where_the_mapping_says_so() -> None:
    cells = pa.array(["€ 1.299,50", "-12,99€", "($3)"])
    assert as_micros(cells, strip="€$").values.tolist() == [1_299_500_000, -12_990_000, -3_000_000]
    assert as_micros(cells).bad.all()


@pytest.mark.parametrize(
    ("strip", "decimal", "cells"),
    [
        ("Rs.", None, ["Rs. 1,299.50", "Rs.1299.50", "1299.50 Rs.", "1299.50"]),
        ("S/.", None, ["S/. 1,299.50", "S/.1299.50", "S/ 1299.50"]),
        ("kr.", ",", ["1.299,50 kr.", "kr. 1299,50", "1.299,50 kr"]),
        ("EUR", ",", ["EUR 1.299,50", "1299,5 EUR"]),
        ("$,", None, ["$1,299.50", "1,299.5"]),
    ],
)
def test_a_decimal_mark_behind_letters_is_ignored_with_them_only(
    strip: str, decimal: str | None, cells: list[str]
) -> None:
    parsed = as_micros(pa.array(cells), strip=strip, decimal=decimal)
    assert parsed.values.tolist() == [1_299_500_000] * len(cells)
    assert not parsed.bad.any()
