"""Segments: what their expressions say, what is true of whom, and how mistakes are told."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.catalog import stable_key
from recsys.errors import DataError
from recsys.rules.expression_parsing import MAX_DEPTH, MAX_LENGTH, MAX_TESTS, parse_expression
from recsys.rules.expressions import KnownFacts, NoFacts, fields_of, is_true
from recsys.rules.fields import FieldNames

NAMES = FieldNames({"income": "text", "size": "number", "hobbies": "texts"})
ANN = KnownFacts(
    {
        "purchases_30d": 3.0,
        "spent_90d": 12.5,
        "top_category": (stable_key("PASTA"),),
        "top_categories": (stable_key("PASTA"), stable_key("SOUP")),
        "user.income": "50-74K",
        "user.hobbies": ("chess", "cooking"),
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("purchases_30d >= 3", True),
        ("purchases_30d > 3", False),
        ("purchases_30d < 3.5 and purchases_30d != 2", True),
        ("purchases_30d in [1, 3]", True),
        ("purchases_30d not in [1, 3]", False),
        ("spent_90d == 12.50", True),
        ("top_category == 'PASTA'", True),
        ('top_category in ["SOUP", "BREAD"]', False),
        ("top_category != 'PASTA'", False),
        ("top_categories contains 'SOUP'", True),
        ("top_categories contains 'BREAD'", False),
        ("user.income in ['50-74K', '75-99K']", True),
        ("user.income contains '74'", True),
        ("user.hobbies == 'chess' and user.hobbies != 'golf'", True),
        ("purchases_30d >= 3 and top_category == 'PASTA' and user.income in ['50-74K']", True),
        ("purchases_30d > 9 or (spent_90d > 10 and not (user.income == '0'))", True),
        ("purchases_30d > 9 or spent_90d > 10 and user.income == '0'", False),  # `and` binds closer
        ("NOT purchases_30d > 9 AND user.income IS NOT MISSING", True),
    ],
)
def test_an_expression_is_true_of_whom_it_says(text: str, expected: bool) -> None:
    assert is_true(parse_expression(text, NAMES), ANN) is expected


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
def test_a_comparison_with_what_is_missing_is_false(operator: str) -> None:
    assert not is_true(parse_expression(f"user.size {operator} 3", NAMES), ANN)
    assert is_true(parse_expression(f"not user.size {operator} 3", NAMES), ANN)
    assert is_true(parse_expression("user.size is missing", NAMES), ANN)
    assert not is_true(parse_expression("user.size not in [1, 2]", NAMES), ANN)


def test_nothing_is_known_of_a_visitor() -> None:
    assert is_true(parse_expression("purchases_30d is missing"), NoFacts())
    assert not is_true(parse_expression("purchases_30d < 1"), NoFacts())


def test_an_attribute_of_another_kind_than_before_is_unequal() -> None:
    texts = KnownFacts({"user.size": "large"})
    assert not is_true(parse_expression("user.size > 3"), texts)
    assert is_true(parse_expression("user.size != 3"), texts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("purchses_30d > 3", r"character 1: unknown field 'purchses_30d'. Did you mean 'purchases_30d'\?"),
        ("spent_7d > 1 and incom == 1", r"character 18: unknown field 'incom'"),
        ("user.incme == 'x'", r"character 1: unknown field 'user.incme'. Did you mean 'user.income'\?"),
        ("user.colour == 'x'", r"Attributes of users are: user.hobbies, user.income, user.size\."),
        ("user. == 'x'", r"unknown field"),
        ("purchases_30d > 'three'", r"character 17: the field is a number: compare it with one, found"),
        ("top_category == 3", r"character 17: the field is a text: compare it with one in quotes"),
        ("user.income > 'a'", r"character 15: > compares numbers only"),
        ("purchases_30d = 3", r"character 15: '=' begins nothing that is known"),
        ("purchases_30d", r"character 14: ==, !=, .* was expected, found the end"),
        ("(purchases_30d > 3", r"character 19: `\)` was expected, found the end"),
        ("purchases_30d > 3)", r"character 18: `and`, `or` or the end was expected"),
        ("purchases_30d in [1, ]", r"character 22: a number or a text in quotes was expected"),
        ("purchases_30d in []", r"character 19: a number or a text"),
        ("purchases_30d is 3", r"character 18: `missing` was expected"),
        ("", r"character 1: the name of a field was expected, found the end"),
        ("'x' == 'x'", r"character 1: the name of a field was expected"),
        ("__import__('os')", r"character 1: unknown field '__import__'"),
        ("purchases_30d > 1e9", r"'1' begins nothing|begins nothing"),
        ("purchases_30d > 3; drop table", r"character 18: ';' begins nothing"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_expression(text, NAMES)


def test_length_depth_and_number_of_comparisons_are_bounded() -> None:
    test = "spent_7d > 1"
    with pytest.raises(DataError, match=f"{MAX_LENGTH} are allowed"):
        parse_expression(test + " " * MAX_LENGTH)
    parse_expression("(" * MAX_DEPTH + test + ")" * MAX_DEPTH)
    with pytest.raises(DataError, match=f"more than {MAX_DEPTH} parentheses"):
        parse_expression("not " * (MAX_DEPTH + 1) + test)
    with pytest.raises(DataError, match=f"more than {MAX_TESTS} comparisons"):
        parse_expression(" or ".join(["spent_7d > 1"] * (MAX_TESTS + 1)))


def test_a_quote_may_stand_in_a_text_behind_a_backslash() -> None:
    parsed = parse_expression(r"user.name == 'O\'Neill \\ 红'")
    assert is_true(parsed, KnownFacts({"user.name": "O'Neill \\ 红"}))


def test_the_fields_that_are_read_are_known() -> None:
    parsed = parse_expression("not (user.a == 1) and (spent_7d > 1 or user.b is missing)")
    assert fields_of(parsed) == {"user.a", "spent_7d", "user.b"}


@given(st.text(max_size=60))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    with suppress(DataError):
        is_true(parse_expression(text), NoFacts())


NUMBERS = st.integers(-1000, 1000)


@given(NUMBERS, NUMBERS)
def test_comparisons_are_those_of_numbers(value: int, bound: int) -> None:
    facts = KnownFacts({"spent_7d": float(value)})
    for operator, expected in {"<": value < bound, ">=": value >= bound, "==": value == bound}.items():
        assert is_true(parse_expression(f"spent_7d {operator} {bound}"), facts) is expected
