"""Packed rows: what is written comes back, whatever the schema, the nulls and the missing rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import SchemaMismatchError
from recsys.stores.packed.layout import ARRAYS, SCALARS, Layout, join_texts, layout_of, pack_rows, split_texts
from recsys.stores.packed.rows import PackedRows

KINDS = (*SCALARS, *ARRAYS, "STRING", "BYTES", "STRING_LIST", "BYTES_LIST")
KEYS = (("item_id", "STRING"),)


def numbers(kind: str) -> st.SearchStrategy[Any]:
    dtype = SCALARS[kind]
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind == "f":
        return st.floats(width=8 * dtype.itemsize, allow_nan=False)
    limits = np.iinfo(dtype)
    return st.integers(int(limits.min), int(limits.max))


def values(kind: str) -> st.SearchStrategy[Any]:
    """A value of a kind as it goes into `pack_rows`: a number, or bytes."""
    if kind in SCALARS:
        return numbers(kind)
    if kind in ARRAYS:
        plain = numbers(kind.removesuffix("_LIST"))
        return st.lists(plain, max_size=5).map(lambda each: np.array(each, ARRAYS[kind]).tobytes())
    if kind == "STRING":
        return st.text(max_size=8).map(str.encode)
    if kind == "BYTES":
        return st.binary(max_size=8)
    texts = st.text(max_size=4).map(str.encode) if kind == "STRING_LIST" else st.binary(max_size=4)
    return st.lists(texts, max_size=4).map(join_texts)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Layout, list[dict[str, Any]], list[bool]]:
    """A schema, K rows of it (None = null) and which of them are missing from the store."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=9))
    layout = layout_of("v", KEYS, tuple((f"x{place}", kind) for place, kind in enumerate(kinds)))
    row = st.fixed_dictionaries({name: st.none() | values(kind) for name, kind in layout.fields})
    rows = draw(st.lists(row, max_size=6))
    return layout, rows, [draw(st.booleans()) for _ in rows]


def packed(layout: Layout, rows: list[dict[str, Any]], at: int = 5, created: int = 7) -> list[bytes]:
    scalars = {}
    blobs = {}
    for name, kind in layout.fields:
        column = [row[name] for row in rows]
        if kind in SCALARS:
            null = np.array([each is None for each in column], np.bool_)
            filled = np.array([0 if each is None else each for each in column], SCALARS[kind])
            scalars[name] = (filled, null if null.any() else None)
        else:
            blobs[name] = column
    stamps = np.full(len(rows), at, np.int64), np.full(len(rows), created, np.int64)
    return pack_rows(layout, *stamps, scalars, blobs)


@settings(max_examples=200, deadline=None)
@given(tables())
def test_what_is_packed_comes_back(table: tuple[Layout, list[dict[str, Any]], list[bool]]) -> None:
    layout, rows, missing = table
    stored = [None if gone else value for gone, value in zip(missing, packed(layout, rows), strict=True)]
    found = PackedRows(layout, stored)
    assert found.missing.tolist() == missing
    assert found.event_at.tolist() == [0 if gone else 5 for gone in missing]
    for name, kind in layout.fields:
        null = found.null(name)
        column = found[name]
        assert len(column) == len(rows)
        for place, row in enumerate(rows):
            is_null = not missing[place] and row[name] is None
            assert bool(null is not None and null[place]) == is_null
            wanted = None if missing[place] else row[name]
            if kind in SCALARS:
                empty = np.nan if is_null and SCALARS[kind].kind == "f" else 0
                np.testing.assert_equal(column[place], empty if wanted is None else wanted)
            else:
                assert found.blob(name)[place] == wanted


def test_all_numbers_are_views_on_one_buffer() -> None:
    layout = layout_of("v", KEYS, (("a", "INT64"), ("b", "FLOAT"), ("c", "BOOL")))
    found = PackedRows(layout, packed(layout, [{"a": 1, "b": 0.5, "c": True}] * 3))
    assert found["a"].tolist() == [1, 1, 1]
    assert found["b"].tolist() == [0.5, 0.5, 0.5]
    assert found["c"].tolist() == [True, True, True]
    assert found["a"].base is not None
    assert layout.dtype.itemsize == 32  # 8 + 8 + 8 + 4 + 1 + 1 null byte, up to a multiple of 8


def test_equally_long_vectors_are_one_matrix_without_a_copy() -> None:
    layout = layout_of("v", KEYS, (("a", "FLOAT"), ("t", "STRING"), ("vector", "FLOAT_LIST")))
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    texts = (b"ab", b"cd")
    rows = [{"a": 1.0, "t": text, "vector": row.tobytes()} for text, row in zip(texts, vectors, strict=True)]
    found = PackedRows(layout, packed(layout, rows))
    matrix = found.vectors("vector", 3)
    assert np.array_equal(matrix, vectors)
    assert not matrix.flags.owndata
    assert [row.tolist() for row in found["vector"]] == vectors.tolist()
    assert found["t"].tolist() == ["ab", "cd"]


def test_vectors_of_missing_rows_are_zeros_and_of_another_width_an_error() -> None:
    layout = layout_of("v", KEYS, (("vector", "FLOAT_LIST"),))
    ones = np.ones(3, np.float32).tobytes()
    stored = packed(layout, [{"vector": ones}, {"vector": None}, {"vector": ones}])
    found = PackedRows(layout, [stored[0], None, stored[1]])
    assert found.vectors("vector", 3).tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert [len(row) for row in found["vector"]] == [3, 0, 0]
    with pytest.raises(SchemaMismatchError, match="an array of 3 values, not 4"):
        found.vectors("vector", 4)


def test_an_expired_row_is_missing_and_empty() -> None:
    layout = layout_of("v", KEYS, (("a", "INT64"), ("t", "STRING")))
    stored = packed(layout, [{"a": 1, "t": b"x"}], at=99) + packed(layout, [{"a": 2, "t": b"y"}], at=100)
    found = PackedRows(layout, stored, oldest=100)
    assert found.missing.tolist() == [True, False]
    assert found["a"].tolist() == [0, 2]
    assert found["t"].tolist() == ["", "y"]
    assert found.event_at.tolist() == [0, 100]


@pytest.mark.parametrize("value", [b"", b"short", b"x" * 33, b"x" * 31])
def test_foreign_bytes_are_refused(value: bytes) -> None:
    layout = layout_of("v", KEYS, (("a", "INT64"),))
    with pytest.raises(SchemaMismatchError, match="'v'"):
        PackedRows(layout, [*packed(layout, [{"a": 1}]), value])


def test_foreign_bytes_that_add_up_to_the_right_length_are_refused() -> None:
    layout = layout_of("v", KEYS, (("t", "STRING"),))
    row = packed(layout, [{"t": b"abcd"}])[0]
    with pytest.raises(SchemaMismatchError):
        PackedRows(layout, [row, row[:-1], row + b"e"])


def test_the_fingerprint_ignores_order_and_sees_everything_else() -> None:
    layout = layout_of("v", KEYS, (("a", "INT64"), ("b", "FLOAT")))
    assert layout_of("v", KEYS, (("b", "FLOAT"), ("a", "INT64"))).fingerprint == layout.fingerprint
    others = [
        layout_of("w", KEYS, layout.fields),
        layout_of("v", (("item_id", "INT64"),), layout.fields),
        layout_of("v", KEYS, (("a", "INT64"),)),
        layout_of("v", KEYS, (("a", "INT32"), ("b", "FLOAT"))),
        layout_of("v", KEYS, (("a", "INT64"), ("c", "FLOAT"))),
    ]
    assert len({layout.fingerprint, *(other.fingerprint for other in others)}) == 6


@given(st.lists(st.binary(max_size=5), max_size=5))
def test_joined_texts_come_apart(texts: list[bytes]) -> None:
    assert split_texts(join_texts(texts)) == texts
