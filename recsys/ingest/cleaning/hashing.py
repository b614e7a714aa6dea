"""Hashes of whole columns of texts and numbers, the same on every machine and in every run.

Not for secrets: a multiply-and-shift mix (the finaliser of splitmix64) over eight bytes at a time.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recsys.arrays import BoolArray, Column, IntArray, combined

HashArray = npt.NDArray[np.uint64]
_NULL = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 1 << 14
_DIGITS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", np.uint8)


def mix_bits(values: npt.NDArray[Any]) -> HashArray:
    """(n,) int64 or uint64 spread over all 64 bits; different values give different hashes."""
    words = values if values.dtype == np.uint64 else values.astype(np.int64).view(np.uint64)
    x = np.empty(len(words), np.uint64)
    for start in range(0, len(words), _BLOCK):  # blocks that stay in the cache: three times faster
        block = words[start : start + _BLOCK] + _NULL
        shifted = block >> np.uint64(30)
        block ^= shifted
        block *= np.uint64(0xBF58476D1CE4E5B9)
        np.right_shift(block, np.uint64(27), out=shifted)
        block ^= shifted
        block *= np.uint64(0x94D049BB133111EB)
        np.right_shift(block, np.uint64(31), out=shifted)
        np.bitwise_xor(block, shifted, out=x[start : start + _BLOCK])
    return x


def combine_hashes(hashes: HashArray, more: HashArray) -> HashArray:
    """One hash of two columns; their order counts."""
    return mix_bits(hashes * np.uint64(0x9FB21C651E98DF25) + more)


def hash_texts(column: Column) -> HashArray:
    """(n,) hashes of a text column; null is a value of its own, different from "".

    Texts are taken to have no control characters, as ids have none: with NUL in them two may collide.

    >>> hash_texts(pa.array(["a", "b", "a", None])).tolist()[0] == hash_texts(pa.array(["a"])).tolist()[0]
    True
    """
    array = combined(column)
    if not pa.types.is_string(array.type):
        array = array.cast(pa.string())
    count = len(array)
    if not count:
        return np.zeros(0, np.uint64)
    _, offset_buffer, data = array.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[array.offset : array.offset + count + 1].astype(np.int64)
    text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    lengths = np.diff(offsets)
    hashes = np.empty(count, np.uint64)
    # By length: ids of one shop have few lengths, and rows of one length are a matrix of words.
    for length in _distinct(lengths):
        rows = np.flatnonzero(lengths == length)
        hashes[rows] = _hash_words(_words(text, offsets[rows], length), length)
    if array.null_count:
        hashes[array.is_null().to_numpy(zero_copy_only=False)] = _NULL
    return hashes


def _distinct(lengths: IntArray) -> list[int]:
    if int(lengths.max()) > 1 << 16:
        return [int(length) for length in np.unique(lengths)]
    return [int(length) for length in np.flatnonzero(np.bincount(lengths))]


def _words(text: npt.NDArray[np.uint8], starts: IntArray, length: int) -> HashArray:
    """(rows, words) uint64: `length` bytes from each start, padded with zeros to whole words."""
    width = -(-length // 8) * 8
    padded = np.zeros((len(starts), max(width, 8)), np.uint8)
    if length and starts[-1] - starts[0] == length * (len(starts) - 1):
        padded[:, :length] = text[starts[0] : starts[0] + length * len(starts)].reshape(-1, length)
    elif length:
        padded[:, :length] = np.lib.stride_tricks.sliding_window_view(text, length)[starts]
    return padded.view("<u8")


def _hash_words(words: HashArray, length: int) -> HashArray:
    hashes = mix_bits(words[:, 0] ^ np.uint64(length))
    for place in range(1, words.shape[1]):
        hashes = combine_hashes(hashes, words[:, place])
    return hashes


def hash_numbers(column: Column) -> HashArray:
    """(n,) hashes of a column of integers or instants; null as 0."""
    return mix_bits(column.cast(pa.int64()).fill_null(0).to_numpy())


class RowHashes:
    """Two hashes of n rows, each a sum of the cells' hashes times a factor of their column's own.

    So the order in which columns are added does not count, an absent cell adds nothing whatever its
    neighbours have, and the same value in another column gives another hash.
    """

    def __init__(self, count: int) -> None:
        self._first = np.zeros(count, np.uint64)
        self._second = np.zeros(count, np.uint64)

    def add(self, place: int, cells: HashArray, absent: BoolArray | None) -> None:
        """Adds the column number `place`; `absent` (n,) marks cells to leave out."""
        if absent is not None:
            cells = np.where(absent, np.uint64(0), cells)
        factors = mix_bits(np.array([2 * place, 2 * place + 1])) | np.uint64(1)
        self._first += cells * factors[0]
        self._second += cells * factors[1]

    def ids(self) -> Column:
        """(n,) texts, see `id_texts`."""
        return id_texts(mix_bits(self._first), mix_bits(self._second))


def id_texts(first: HashArray, second: HashArray) -> Column:
    """(n,) texts of 16 letters and digits: 80 bits of two hashes, so that a billion ids do not collide."""
    digits = np.empty((len(first), 16), np.uint8)
    for place in range(12):
        digits[:, place] = _DIGITS[((first >> np.uint64(5 * place)) & np.uint64(31)).astype(np.uint8)]
    for place in range(4):
        digits[:, 12 + place] = _DIGITS[((second >> np.uint64(5 * place)) & np.uint64(31)).astype(np.uint8)]
    offsets = np.arange(0, 16 * (len(first) + 1), 16, dtype=np.int64).astype(np.int32)
    return pa.StringArray.from_buffers(len(first), pa.py_buffer(offsets.data), pa.py_buffer(digits.data))
