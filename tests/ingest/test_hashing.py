"""Column hashes: the same everywhere, different where the values differ."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from recsys.ingest.cleaning.hashing import combine_hashes, hash_texts, id_texts, mix_bits

# As cleaning leaves them: an id has no control characters. With NUL at its end a text may collide.
WITHOUT_CONTROL = st.characters(exclude_categories=["Cs", "Cc"])
TEXTS = st.lists(st.one_of(st.none(), st.text(WITHOUT_CONTROL, max_size=40)), max_size=30)


@given(TEXTS)
def test_equal_texts_and_only_those_hash_alike(texts: list[str | None]) -> None:
    hashes = hash_texts(pa.array(texts, pa.string())).tolist()
    assert len(set(hashes)) == len(set(texts))
    assert all(hashes[i] == hashes[texts.index(text)] for i, text in enumerate(texts))


@given(TEXTS, st.integers(0, 30))
def test_a_hash_does_not_depend_on_the_neighbours(texts: list[str | None], start: int) -> None:
    column = pa.array(texts, pa.string())
    assert hash_texts(column)[start:].tolist() == hash_texts(column.slice(start)).tolist()


def splitmix64(state: int) -> int:
    """The published generator's output function, in plain integers."""
    mask = 2**64 - 1
    z = (state + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def test_hashes_are_the_same_on_every_machine() -> None:
    assert splitmix64(0) == 0xE220A8397B1DCDAF  # the first output for seed 0, as published
    assert mix_bits(np.array([0, -1])).tolist() == [splitmix64(0), splitmix64(2**64 - 1)]
    word = int.from_bytes(b"user-1", "little")
    assert hash_texts(pa.array(["user-1"])).tolist() == [splitmix64(word ^ 6)]


def test_an_id_shows_eighty_bits_in_sixteen_characters() -> None:
    ids = id_texts(np.array([0, 31], np.uint64), np.array([0, 1], np.uint64)).to_pylist()
    assert ids == ["a" * 16, "7" + "a" * 11 + "b" + "a" * 3]


def test_the_order_of_columns_counts() -> None:
    a, b = mix_bits(np.array([1])), mix_bits(np.array([2]))
    assert combine_hashes(a, b) != combine_hashes(b, a)
