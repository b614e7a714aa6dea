"""Arrays of whole numbers come back from fewer bytes, and rows without codings are still read."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import SchemaMismatchError
from recsys.stores.packed.integer_arrays import MOST, pack_integers, unpack_integers
from recsys.stores.packed.layout import layout_of, pack_rows
from recsys.stores.packed.protos import protos_of_rows
from recsys.stores.packed.rows import PackedRows

INT64, INT32 = np.dtype("<i8"), np.dtype("<i4")
HEAD = 4  # coding, bits, count
NOW = 1_750_000_000


def kept(values: Any, dtype: np.dtype[Any] = INT64) -> bytes:
    (blob,) = pack_integers([np.array(values, dtype).tobytes()], dtype)
    assert blob is not None
    return blob


def numbers(dtype: np.dtype[Any]) -> st.SearchStrategy[list[int]]:
    """Lists of any numbers, of small ones, of few distinct ones, and in order."""
    limits = np.iinfo(dtype)
    whole = st.integers(int(limits.min), int(limits.max))
    few = st.lists(whole, min_size=1, max_size=3).flatmap(lambda each: st.lists(st.sampled_from(each)))
    return st.one_of(
        st.lists(whole), st.lists(st.integers(0, 300)), few, st.lists(st.integers(0, 2**20)).map(sorted)
    )


def tables(dtype: np.dtype[Any]) -> st.SearchStrategy[tuple[np.dtype[Any], list[list[int] | None]]]:
    return st.tuples(st.just(dtype), st.lists(st.none() | numbers(dtype), max_size=6))


@settings(max_examples=150, deadline=None)
@given(tables(INT64) | tables(INT32))
def test_every_array_comes_back_in_no_more_bytes_and_alone_as_among_others(
    table: tuple[np.dtype[Any], list[list[int] | None]],
) -> None:
    dtype, arrays = table
    raw = [None if each is None else np.array(each, dtype).tobytes() for each in arrays]
    packed = pack_integers(raw, dtype)
    for before, blob in zip(raw, packed, strict=True):
        if before is None or blob is None:
            assert before is blob
            continue
        assert len(blob) <= len(before)
        assert unpack_integers(blob, dtype).tobytes() == before
        assert unpack_integers(blob, dtype).dtype == dtype
        assert pack_integers([before], dtype) == [blob]


def test_instants_in_order_take_the_bytes_of_their_gaps() -> None:
    # A gap up to 127 s is one byte, up to 16,383 s two; the first instant takes five.
    gaps = [120] * 30 + [16_000] * 19
    assert len(kept(NOW + np.cumsum([0, *gaps]))) == HEAD + 5 + 30 + 2 * 19  # 77; raw 400


def test_kinds_take_three_bits_each() -> None:
    assert len(kept([1, 2, 3, 4, 5] * 10, INT32)) == HEAD + 19  # 150 bits; raw 200


def test_hashed_ids_are_kept_once_and_named_by_bits() -> None:
    ids = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, 100)
    history = np.tile(ids, 4)
    # 7 bits name 100; a byte more keeps the length from being a multiple of 8, if it is one.
    size = HEAD + 2 + 8 * 100 + 350
    assert len(kept(history)) == size + (size % 8 == 0)
    assert len(kept(ids)) == 8 * 100  # nothing to gain


@pytest.mark.parametrize("count", [MOST, MOST + 1])
def test_an_array_beyond_what_a_count_holds_is_kept_raw(count: int) -> None:
    values = np.zeros(count, np.int64)
    assert (len(kept(values)) < values.nbytes) == (count <= MOST)
    assert np.array_equal(unpack_integers(kept(values), INT64), values)


def test_rows_of_before_there_were_codings_are_read() -> None:
    stamps = np.array([5]), np.array([7])
    raw = {"x": [np.arange(50).tobytes()]}
    before = layout_of("v", (), (("x", "DOUBLE_LIST"),))  # raw then and now, of the same width
    now = layout_of("v", (), (("x", "INT64_LIST"),))
    old, new = (pack_rows(layout, *stamps, {}, raw)[0] for layout in (before, now))
    assert (len(old), len(new)) == (24 + 400, 24 + HEAD + 38)  # 50 times 6 bits
    for stored in ([old, new], [old, old], [new, new], [new, None]):
        rows = PackedRows(now, stored)
        assert [row.tolist() for row in rows["x"]] == [
            [] if row is None else list(range(50)) for row in stored
        ]
        assert rows.blob("x") == [None if row is None else raw["x"][0] for row in stored]
        values = [list(value.int64_list_val.val) for value in protos_of_rows(rows, "x")]
        assert values == [row.tolist() for row in rows["x"]]


@pytest.mark.parametrize(
    "blob",
    [
        b"\x07\x00\x01\x00\x01",
        b"\x01",
        b"\x01\x00\x05\x00\x01",
        b"\x03\x08\x02\x00\x01",
        b"\x02\x08\x05\x00\x01",
    ],
)
def test_bytes_of_no_coding_are_refused_with_what_to_do(blob: bytes) -> None:
    with pytest.raises(SchemaMismatchError, match="materialize its view again"):
        unpack_integers(blob, INT64)
