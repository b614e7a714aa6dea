"""Tests of columns that a mapping states: numbers and booleans are the same in every format."""

from typing import Any

import pyarrow as pa
import pytest

from recsys.ingest.mapping.event_sources import KindRule
from recsys.ingest.mapping.sources import Condition
from recsys.ingest.tables.conditions import kinds_of, matches
from recsys.ingest.tables.rejections import RowRejections


def met(cells: Any, **tests: Any) -> list[bool]:
    condition = Condition.model_validate({"column": "c", **tests})
    return matches(condition, pa.table({"c": cells})).tolist()


BOOLEANS = {
    "as Parquet has them": pa.array([True, False, None]),
    "as JSON Lines gives them": pa.array(["true", "false", None]),
    "as Python writes them": pa.array(["True", "False", ""]),
    "as spreadsheets write them": pa.array(["TRUE", "FALSE", " "]),
    "as databases write them": pa.array(["1", "0", None]),
    "as numbers": pa.array([1, 0, None]),
}


@pytest.mark.parametrize("cells", BOOLEANS.values(), ids=BOOLEANS)
def test_booleans_meet_booleans_in_every_format(cells: Any) -> None:
    assert met(cells, **{"in": [True]}) == [True, False, False]
    assert met(cells, **{"in": [False]}) == [False, True, False]
    assert met(cells, **{"in": True}) == [True, False, False]
    assert met(cells, not_in=[True]) == [False, True, False]
    assert met(cells, at_least=1) == [True, False, False]
    assert met(cells, below=1) == [False, True, False]


@pytest.mark.parametrize("wanted", ["true", "True"])
def test_the_text_true_meets_true_in_any_case(wanted: str) -> None:
    for name in ("as Parquet has them", "as Python writes them", "as spreadsheets write them"):
        assert met(BOOLEANS[name], **{"in": [wanted]}) == [True, False, False]


@pytest.mark.parametrize("wanted", [1, 1.0])
def test_a_number_meets_cells_that_are_equal_however_they_are_written(wanted: float) -> None:
    for cells in (pa.array(["1", "1.0", "1.00", "01", "2", "x", None]), pa.array([1.0, 1, 1, 1, 2, 3, None])):
        assert met(cells, **{"in": [wanted]}) == [True, True, True, True, False, False, False]


def test_a_text_meets_only_that_text() -> None:
    assert met(pa.array(["007", "7", "7.0"]), **{"in": ["007"]}) == [True, False, False]
    assert met(pa.array([7, 8]), **{"in": ["7"]}) == [True, False]


def test_a_whole_number_too_long_for_a_float_is_compared_digit_by_digit() -> None:
    cells = pa.array(["12345678901234567890", "12345678901234567891"])
    assert met(cells, **{"in": [12345678901234567890]}) == [True, False]


def kinds(cells: Any, values: dict[str, str]) -> list[str | None]:
    table = pa.table({"c": cells})
    rule = KindRule.model_validate({"column": "c", "values": values})
    found: list[str | None] = kinds_of(rule, table, RowRejections(len(table))).to_pylist()
    return found


def test_keys_of_kinds_meet_numbers_and_booleans_too() -> None:
    codes = {"1": "view", "3": "purchase"}
    assert kinds(pa.array(["1", "3.0", "4"]), codes) == ["view", "purchase", None]
    assert kinds(pa.array([1.0, 3.0, None]), codes) == ["view", "purchase", None]
    answers = {"true": "like", "false": "view"}
    assert kinds(pa.array(["TRUE", "False", "maybe"]), answers) == ["like", "view", None]
    assert kinds(pa.array([True, False, None]), answers) == ["like", "view", None]
