"""The rule of ids, and that a column follows it cell by cell."""

import sys

import pyarrow as pa
import pytest

from recsys.identifiers import trimmed_identifier
from recsys.ingest.raw.ids import as_ids


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


def test_a_column_is_judged_as_its_cells_are() -> None:
    texts = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    texts = [*texts, *(f"a{text}b" for text in texts[:0x3000]), "", "x" * 256, "x" * 257, " " * 300]
    cells = as_ids(pa.array(texts))
    found = [
        None if bad else text for text, bad in zip(cells.texts.to_pylist(), cells.bad.tolist(), strict=True)
    ]
    assert found == [accepted(text) for text in texts]
