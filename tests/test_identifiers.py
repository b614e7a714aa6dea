"""The rule of ids, and that a column follows it cell by cell."""

import sys
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from recsys.identifiers import HAS_CONTROL, trimmed_identifier
from recsys.ingest.raw.cells import LIST_MARK
from recsys.ingest.raw.ids import INEXACT, IS_LIST, IS_OBJECT, as_ids


def accepted(text: str) -> str | None:
    try:
        return trimmed_identifier(text)
    except ValueError:
        return None


def test_blanks_around_an_id_are_no_part_of_it() -> None:
    assert trimmed_identifier("  sku 7\t\n") == "sku 7"


@pytest.mark.parametrize(
    ("text", "why"),
    [(" ", "is empty"), ("a\x00b", "control character"), ("a\nb", "control"), ("x" * 257, "more than 256")],
)
def test_a_text_that_cannot_be_an_id_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        trimmed_identifier(text)


def test_256_characters_are_an_id_whatever_their_bytes() -> None:
    assert trimmed_identifier("ü" * 256) == "ü" * 256
    assert not as_ids(pa.array(["ü" * 256])).bad.any()


def reasons(cells: Any) -> list[str | None]:
    found: list[str | None] = [None] * len(cells.texts)
    for why, rows in cells.faults:
        for row in rows.nonzero()[0].tolist():
            found[row] = why
    return found


def test_whole_numbers_with_decimals_are_the_ids_without_them_and_counted() -> None:
    for column in (
        pa.array(["12358.0", "7", "7.00", None, "1.5", "v1.0"]),
        pa.array(["12358.0", "7", "7.00", None, "1.5", "v1.0"]).dictionary_encode(),
    ):
        cells = as_ids(column)
        assert cells.texts.to_pylist() == ["12358", "7", "7", None, "1.5", "v1.0"]
        assert cells.cast == 2
    floats = as_ids(pa.array([12358.0, None, 1.5]))
    assert (floats.texts.to_pylist(), floats.cast) == (["12358", None, "1.5"], 1)
    decimals = as_ids(pa.array([Decimal("7.00"), Decimal("7.50"), Decimal("100.00")]))
    assert (decimals.texts.to_pylist(), decimals.cast) == (["7", "7.5", "100"], 2)
    assert as_ids(pa.array([Decimal(700)])).texts.to_pylist() == ["700"]
    assert as_ids(pa.array([7, 8])).cast == 0


def test_lists_objects_and_inexact_numbers_are_no_ids() -> None:
    assert reasons(as_ids(pa.array([["a"], ["b", "c"], None]))) == [IS_LIST, IS_LIST, None]
    texts = as_ids(pa.array([f"a{LIST_MARK}", "b", '{"id":1}', "{}", "{6F96-01}", "a\x00"]))
    assert reasons(texts) == [IS_LIST, None, IS_OBJECT, IS_OBJECT, None, HAS_CONTROL]
    assert reasons(as_ids(pa.array([2.0**60, 1.0]))) == [INEXACT, None]


def test_a_slice_of_a_column_is_judged_by_its_own_cells() -> None:
    column = pa.array(["a\x00", "b.0", "7.0", "c\x00"])
    assert not as_ids(column.slice(1, 2)).bad.any()
    assert as_ids(column.slice(1, 2)).cast == 1
    assert as_ids(column.slice(2)).bad.tolist() == [False, True]


def test_a_column_is_judged_as_its_cells_are() -> None:
    blanks_and_controls, others = range(0x3100), range(0x3100, sys.maxunicode + 1, 101)
    codes = [code for code in (*blanks_and_controls, *others, 0xFEFF) if not 0xD800 <= code < 0xE000]
    texts = [text for code in codes for text in (chr(code), f"a{chr(code)}b")]
    texts += ["", "x" * 256, "x" * 257, " " * 300, "7.0", "-7.00", "7.5", "\u0663.0"]
    cells = as_ids(pa.array(texts))
    found = [
        None if bad else text for text, bad in zip(cells.texts.to_pylist(), cells.bad.tolist(), strict=True)
    ]
    assert found == [accepted(text) for text in texts]


def test_texts_of_lists_and_objects_are_ids_nowhere() -> None:
    texts = ['["a","b"]', '[ "a" ]', '{"id": 7}', "{}", "[a]", "{a}", "a[0]"]
    refused = [IS_LIST, IS_LIST, IS_OBJECT, IS_OBJECT, None, None, None]
    assert reasons(as_ids(pa.array(texts))) == refused
    assert [accepted(text) for text in texts] == [
        text if why is None else None for text, why in zip(texts, refused, strict=True)
    ]
