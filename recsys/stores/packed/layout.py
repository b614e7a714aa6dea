"""The bytes of one packed row: all features of one view for one entity, in one string.

A row is a fixed block and, where the view has texts or arrays, a variable block after it:

    event_at  int64 us | created_at int64 us | numbers | ends uint32 x V | null bits | padding to 8
    arrays (raw, little-endian; of whole numbers in fewer bytes, see `integer_arrays`), then texts and byte
    strings, in the order of `ends`

Rows of a view without texts and arrays are equally long: K of them joined are one numpy record array,
and a feature is a strided view on it. The same holds for rows whose variable parts happen to be
equally long, such as text vectors of one encoder. Nothing is parsed per row in either case.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, IntArray
from recsys.stores.packed.integer_arrays import pack_integers

# Kinds are the names of Feast's value types; anything that is in none of these tables is stored as
# the serialized protobuf value.
SCALARS: dict[str, np.dtype[Any]] = {
    "INT64": np.dtype("<i8"),
    "DOUBLE": np.dtype("<f8"),
    "UNIX_TIMESTAMP": np.dtype("<i8"),  # seconds, which is Feast's own resolution online
    "INT32": np.dtype("<i4"),
    "FLOAT": np.dtype("<f4"),
    "BOOL": np.dtype("?"),
}
ARRAYS = {f"{kind}_LIST": dtype for kind, dtype in SCALARS.items()}
INTEGER_ARRAYS = tuple(kind for kind, dtype in ARRAYS.items() if dtype.kind == "i")  # kept in fewer bytes
TEXTS = ("STRING", "BYTES")
TEXT_LISTS = ("STRING_LIST", "BYTES_LIST")

VERSION = 1  # of this byte format; part of the fingerprint
STAMP_BYTES = 16  # event_at and created_at: what the write script compares

Blob = bytes | None
Blobs = Sequence[Blob]
ScalarColumn = tuple[npt.NDArray[Any], BoolArray | None]  # K values, and which are null (None: none is)


@dataclass(frozen=True)
class Layout:
    """Where each feature of a view lies in a packed row.

    Attributes:
        view: name of the view, with its version where Feast versions views.
        keys: (join key, kind) pairs, sorted by name.
        fields: (feature, kind) pairs, sorted by name: the order of declaration changes no byte.
    """

    view: str
    keys: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, str], ...]
    kinds: Mapping[str, str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", dict(self.fields))

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with the view's name, keys, features, types or this format."""
        text = repr((VERSION, self.view, self.keys, self.fields))
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    @cached_property
    def scalars(self) -> tuple[str, ...]:
        """Features of the fixed block, wide ones first, so that each lies on a multiple of its size."""
        names = [name for name, kind in self.fields if kind in SCALARS]
        return tuple(sorted(names, key=lambda name: -SCALARS[self.kinds[name]].itemsize))

    @cached_property
    def blobs(self) -> tuple[str, ...]:
        """Features of the variable block, arrays of wide numbers first."""
        names = [name for name, kind in self.fields if kind not in SCALARS]
        width = {name: ARRAYS[kind].itemsize for name, kind in self.fields if kind in ARRAYS}
        return tuple(sorted(names, key=lambda name: -width.get(name, 0)))

    @cached_property
    def null_bit(self) -> Mapping[str, int]:
        """Feature -> its bit in the null bitmap."""
        return {name: place for place, (name, _) in enumerate(self.fields)}

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The fixed block as a numpy record."""
        names = ["event_at", "created_at", *(f"f:{name}" for name in self.scalars)]
        formats: list[Any] = ["<i8", "<i8", *(SCALARS[self.kinds[name]] for name in self.scalars)]
        sizes = [np.dtype(each).itemsize for each in formats]
        wide = [place for place, size in enumerate(sizes) if size > 1]
        flags = [place for place, size in enumerate(sizes) if size == 1]
        names = [names[place] for place in (*wide, *flags)]
        formats = [formats[place] for place in (*wide, *flags)]
        if self.blobs:
            names.insert(len(wide), "ends")
            formats.insert(len(wide), ("<u4", (len(self.blobs),)))
        names.append("nulls")
        formats.append(("u1", (-(-len(self.fields) // 8),)))
        offsets = [0]
        for each in formats:
            offsets.append(offsets[-1] + np.dtype(each).itemsize)
        width = -(-offsets[-1] // 8) * 8
        return np.dtype({"names": names, "formats": formats, "offsets": offsets[:-1], "itemsize": width})


@lru_cache(maxsize=1024)
def layout_of(view: str, keys: tuple[tuple[str, str], ...], fields: tuple[tuple[str, str], ...]) -> Layout:
    """The layout of a view; keys and fields in any order."""
    return Layout(view, tuple(sorted(keys)), tuple(sorted(fields)))


def pack_rows(
    layout: Layout,
    event_at: IntArray,
    created_at: IntArray,
    scalars: Mapping[str, ScalarColumn],
    blobs: Mapping[str, Blobs],
) -> list[bytes]:
    """Packed rows of K entities.

    Args:
        event_at, created_at: (K,) microseconds; `created_at` is 0 where unknown.
        scalars: feature -> (K,) values and a (K,) mask of nulls, or None where there are none.
        blobs: feature -> K byte strings, arrays raw, None for null. A feature that is in neither is null
            throughout.
    """
    rows = np.zeros(len(event_at), layout.dtype)
    rows["event_at"], rows["created_at"] = event_at, created_at
    nulls = np.zeros((len(rows), len(layout.fields)), np.bool_)
    for name in layout.scalars:
        if name in scalars:
            values, null = scalars[name]
            rows[f"f:{name}"] = values
        else:
            null = np.ones(len(rows), np.bool_)
        if null is not None:
            nulls[:, layout.null_bit[name]] = null
            empty = np.nan if layout.dtype[f"f:{name}"].kind == "f" else 0
            rows[f"f:{name}"][null] = empty
    parts = [_kept_blobs(layout.kinds[name], blobs.get(name), len(rows)) for name in layout.blobs]
    for place, (name, column) in enumerate(zip(layout.blobs, parts, strict=True)):
        nulls[:, layout.null_bit[name]] = [blob is None for blob in column]
        lengths = np.fromiter((len(blob or b"") for blob in column), np.int64, len(rows))
        rows["ends"][:, place] = lengths + (rows["ends"][:, place - 1] if place else 0)
    rows["nulls"] = np.packbits(nulls, axis=1, bitorder="little")
    joined, width = rows.tobytes(), layout.dtype.itemsize
    fixed = [joined[start : start + width] for start in range(0, len(joined), width)]
    if not parts:
        return fixed
    return [b"".join((row, *(blob or b"" for blob in var))) for row, *var in zip(fixed, *parts, strict=True)]


def _kept_blobs(kind: str, blobs: Blobs | None, count: int) -> Blobs:
    if not blobs:
        return [None] * count
    return pack_integers(blobs, ARRAYS[kind]) if kind in INTEGER_ARRAYS else blobs


def join_texts(texts: Sequence[bytes]) -> bytes:
    """Byte strings as one: uint32 count, uint32 lengths, contents.

    >>> split_texts(join_texts([b"a", b"", b"bc"]))
    [b'a', b'', b'bc']
    """
    head = np.fromiter((len(texts), *map(len, texts)), "<u4", len(texts) + 1)
    return head.tobytes() + b"".join(texts)


def split_texts(blob: bytes) -> list[bytes]:
    """What `join_texts` joined; nothing for an empty string."""
    if not blob:
        return []
    count = int.from_bytes(blob[:4], "little")
    lengths = np.frombuffer(blob, "<u4", count, 4).tolist()
    out, start = [], 4 * (count + 1)
    for length in lengths:
        out.append(blob[start : start + length])
        start += length
    return out
