"""Arrays of whole numbers in fewer bytes: what a packed row holds of one, and the array again.

An array is kept raw, or in one of three codings if that is shorter. A coded one is told by its length,
which is never a multiple of an element's: rows of versions without codings are read as they are.

    coding uint8 | bits uint8 | count uint16, then
    DELTAS  differences from one element to the next as varints (LEB128): instants, oldest first
    SMALL   the elements, `bits` bits each: codes
    PLACES  uint16 D, the D distinct elements raw, then the place of each element among them in `bits` bits

Which one is taken depends on the array alone, so whoever writes it writes the same bytes.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, IntArray
from recsys.errors import SchemaMismatchError

RAW, DELTAS, SMALL, PLACES = range(4)
MOST = 2**16 - 1  # elements of a coded array; longer ones are kept raw
BLOCK_ROWS = 512  # coded at once: few enough to be sorted inside a processor's cache
_SMALL_BITS = 8
_HEAD = struct.Struct("<BBH")
_DISTINCT = struct.Struct("<H")
_VARINT_BYTES = 10  # of 64 bits at most

Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]


def pack_integers(blobs: Sequence[bytes | None], dtype: np.dtype[Any]) -> list[bytes | None]:
    """The bytes to keep for each raw array of `dtype`; None stays None."""
    width, out = dtype.itemsize, list(blobs)
    lengths = np.fromiter((len(blob or b"") for blob in blobs), np.int64, len(blobs)) // width
    chosen = np.flatnonzero((lengths > 0) & (lengths <= MOST))
    for first in range(0, len(chosen), BLOCK_ROWS):
        rows = chosen[first : first + BLOCK_ROWS].tolist()
        values = np.frombuffer(b"".join([blobs[row] or b"" for row in rows]), dtype)
        arrays = _Arrays(values.astype(np.int64), lengths[rows], width)
        for place, coded in _coded(arrays):
            out[rows[place]] = coded if len(coded) % width else coded + b"\0"
    return out


def unpack_integers(blob: bytes, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The array that a packed row holds as `blob`.

    Raises:
        SchemaMismatchError: the bytes are none of the codings.
    """
    if len(blob) % dtype.itemsize == 0:
        return np.frombuffer(blob, dtype)
    coding, bits, count = _HEAD.unpack_from(blob) if len(blob) >= _HEAD.size else (RAW, 0, 0)
    body = blob[_HEAD.size :]
    try:
        if coding == DELTAS:
            return _summed(np.frombuffer(body, np.uint8), count).astype(dtype)
        if coding == SMALL:
            return _unpacked_bits(body, bits, count).astype(dtype)
        if coding == PLACES:
            (distinct,) = _DISTINCT.unpack_from(body)
            elements = np.frombuffer(body, dtype, distinct, _DISTINCT.size)
            start = _DISTINCT.size + distinct * dtype.itemsize
            return elements[_unpacked_bits(body[start:], bits, count)]
    except (ValueError, IndexError, struct.error) as wrong:
        raise _unknown(blob) from wrong
    raise _unknown(blob)


def _unknown(blob: bytes) -> SchemaMismatchError:
    return SchemaMismatchError(
        f"a stored array of whole numbers has bytes that this version does not read ({len(blob)}, beginning "
        f"with {blob[:4].hex()}). A newer version or another program wrote it: materialize its view again."
    )


class _Arrays:
    """K arrays, none of them empty, one after the other in `values`.

    Attributes:
        counts, starts: (K,) elements of each, and where they begin. width: bytes of a raw element.
    """

    def __init__(self, values: IntArray, counts: IntArray, width: int) -> None:
        self.values, self.counts, self.width = values, counts, width
        self.starts: IntArray = np.cumsum(counts) - counts

    def __len__(self) -> int:
        return len(self.counts)

    def taken(self, rows: IntArray) -> "_Arrays":
        """Those at `rows`, ascending."""
        chosen = np.zeros(len(self), bool)
        chosen[rows] = True
        return _Arrays(self.values[np.repeat(chosen, self.counts)], self.counts[rows], self.width)

    def sums(self, numbers: IntArray) -> IntArray:
        """(K,) sums of one number an element."""
        return np.add.reduceat(numbers, self.starts)


def _coded(arrays: _Arrays) -> Iterator[tuple[int, bytes]]:
    """(row, bytes) of each array that is shorter in a coding than raw."""
    words = _differences(arrays)
    varints = _varint_lengths(words)
    bits = _bits(np.maximum.reduceat(arrays.values, arrays.starts))
    is_small = (np.minimum.reduceat(arrays.values, arrays.starts) >= 0) & (bits <= _SMALL_BITS)
    raw = arrays.counts * arrays.width
    deltas = _HEAD.size + arrays.sums(varints)
    small = np.where(is_small, _HEAD.size + _whole_bytes(arrays.counts * bits), raw)
    best = np.minimum(deltas, small)
    by_small = (small < raw) & (small <= deltas)
    by_deltas = (deltas < raw) & ~by_small
    # Equal elements are looked for where order and size say little, such as among hashed ids.
    hard = np.flatnonzero(2 * best > raw)
    rows, places = _places(arrays.taken(hard), best[hard]) if len(hard) else (hard, [])
    by_small[hard[rows]] = by_deltas[hard[rows]] = False
    yield from zip(hard[rows].tolist(), places, strict=True)
    kept = np.flatnonzero(by_deltas)
    if len(kept):
        inside = np.repeat(by_deltas, arrays.counts)
        bodies = _cut(_varints(words[inside], varints[inside]), deltas[kept] - _HEAD.size)
        heads = (_HEAD.pack(DELTAS, 0, count) for count in arrays.counts[kept].tolist())
        yield from zip(kept.tolist(), map(bytes.__add__, heads, bodies), strict=True)
    kept = np.flatnonzero(by_small)
    if len(kept):
        part = arrays.taken(kept)
        bodies = _packed_bits(part.values, part.counts, bits[kept])
        shape = zip(bits[kept].tolist(), part.counts.tolist(), strict=True)
        heads = (_HEAD.pack(SMALL, each, count) for each, count in shape)
        yield from zip(kept.tolist(), map(bytes.__add__, heads, bodies), strict=True)


def _places(arrays: _Arrays, limit: IntArray) -> tuple[IntArray, list[bytes]]:
    """Rows whose bytes as PLACES are fewer than `limit` (K,) and than raw, and these bytes."""
    owner = np.repeat(np.arange(len(arrays), dtype=np.uint16), arrays.counts)
    order = np.argsort(arrays.values)
    order = order[np.argsort(owner[order], kind="stable")]  # by owner, then value: a third of lexsort's time
    ordered, owners = arrays.values[order], owner[order]
    first = np.ones(len(ordered), bool)
    first[1:] = (ordered[1:] != ordered[:-1]) | (owners[1:] != owners[:-1])
    distinct = arrays.sums(first.astype(np.int64))
    bits = _bits(distinct - 1)
    size = _HEAD.size + _DISTINCT.size + distinct * arrays.width + _whole_bytes(arrays.counts * bits)
    kept = size < np.minimum(limit, arrays.counts * arrays.width)
    rows = np.flatnonzero(kept)
    if not len(rows):
        return rows, []
    place = np.empty(len(ordered), np.int64)
    place[order] = np.cumsum(first) - 1 - np.repeat(np.cumsum(distinct) - distinct, arrays.counts)
    inside = kept[owner]
    elements = ordered[first & kept[owners]].astype(f"<i{arrays.width}").view(np.uint8)
    return rows, [
        b"".join((_HEAD.pack(PLACES, each, count), _DISTINCT.pack(some), values, body))
        for each, count, some, values, body in zip(
            bits[rows].tolist(),
            arrays.counts[rows].tolist(),
            distinct[rows].tolist(),
            _cut(elements, distinct[rows] * arrays.width),
            _packed_bits(place[inside], arrays.counts[rows], bits[rows]),
            strict=True,
        )
    ]


def _bits(largest: IntArray) -> IntArray:
    """Bits that hold numbers from 0 to `largest`, at least one; more than _SMALL_BITS may be too many."""
    powers = 2 ** np.arange(17)
    return np.maximum(np.searchsorted(powers, largest, side="right"), 1)


def _whole_bytes(bits: IntArray) -> IntArray:
    return -(-bits // 8)


def _cut(buffer: Bytes, lengths: IntArray) -> list[bytes]:
    """`buffer` in pieces of these lengths."""
    joined = buffer.tobytes()
    ends = np.concatenate([[0], np.cumsum(lengths)]).tolist()
    return [joined[start:end] for start, end in pairwise(ends)]


def _differences(arrays: _Arrays) -> Words:
    """Differences from the element before, the first from 0, modulo 2^64: one below 0 is a long one."""
    before = np.roll(arrays.values, 1)
    before[arrays.starts] = 0
    return (arrays.values - before).view(np.uint64)


def _varint_lengths(words: Words) -> IntArray:
    lengths = np.ones(len(words), np.int64)
    for place in range(1, _VARINT_BYTES):
        longer = words >> np.uint64(7 * place) != 0
        if not longer.any():
            break
        lengths += longer
    return lengths


def _varints(words: Words, lengths: IntArray) -> Bytes:
    starts = np.cumsum(lengths) - lengths
    out = np.empty(int(lengths.sum()), np.uint8)
    for place in range(int(lengths.max())):
        there = lengths > place
        more = (lengths[there] > place + 1).astype(np.uint64) << np.uint64(7)
        out[starts[there] + place] = (words[there] >> np.uint64(7 * place)) & np.uint64(127) | more
    return out


def _summed(body: Bytes, count: int) -> IntArray:
    """The elements whose differences `body` holds."""
    ends = np.flatnonzero(body < 128)[:count]
    if len(ends) < count:
        raise ValueError(f"{len(ends)} of {count} differences")
    starts = np.concatenate([[0], ends[:-1] + 1])
    shift = 7 * (np.arange(ends[-1] + 1) - np.repeat(starts, ends - starts + 1))
    parts = (body[: ends[-1] + 1] & np.uint8(127)).astype(np.uint64) << shift.astype(np.uint64)
    summed: IntArray = np.cumsum(np.add.reduceat(parts, starts)).view(np.int64)
    return summed


def _packed_bits(numbers: IntArray, counts: IntArray, bits: IntArray) -> list[bytes]:
    """K arrays of numbers in `bits` (K,) bits each, the lowest bit first, every array in whole bytes."""
    lengths = _whole_bytes(counts * bits)
    begins = 8 * (np.cumsum(lengths) - lengths)
    place = np.arange(len(numbers)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = np.repeat(bits, counts)
    at = np.repeat(begins, counts) + place * width
    flags: BoolArray = np.zeros(8 * int(lengths.sum()), bool)
    for bit in range(int(bits.max())):
        there = width > bit
        flags[at[there] + bit] = numbers[there] >> bit & 1
    return _cut(np.packbits(flags, bitorder="little"), lengths)


def _unpacked_bits(body: bytes, bits: int, count: int) -> IntArray:
    if 8 * len(body) < bits * count:
        raise ValueError(f"{len(body)} bytes for {count} numbers of {bits} bits")
    flags = np.unpackbits(np.frombuffer(body, np.uint8), count=bits * count, bitorder="little")
    numbers: IntArray = flags.reshape(count, bits) @ (1 << np.arange(bits))
    return numbers
