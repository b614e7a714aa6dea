"""Packed rows of a view: the keys that they have, and K of them as columns, numbers as views on the bytes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from feast.infra.online_stores.helpers import compute_versioned_name

from recsys.arrays import BoolArray, IntArray
from recsys.errors import SchemaMismatchError
from recsys.stores.packed.integer_arrays import unpack_integers
from recsys.stores.packed.layout import (
    ARRAYS,
    INTEGER_ARRAYS,
    SCALARS,
    TEXT_LISTS,
    Blob,
    Layout,
    layout_of,
    split_texts,
)


@dataclass(frozen=True)
class PackedView:
    """A Feast view as the packed store sees it.

    Attributes:
        layout: where its features lie in a row.
        head: what all keys of its rows begin with.
        schema_key: the key that names the fingerprint of the schema that was written last.
        ttl_us: microseconds after its event timestamp a row expires; 0 = never.
    """

    layout: Layout
    head: bytes
    schema_key: bytes
    ttl_us: int

    @property
    def schema_head(self) -> bytes:
        """What the keys of all generations of its rows begin with."""
        return self.schema_key.removesuffix(b"schema") + self.layout.fingerprint.encode()

    def of_generation(self, number: int) -> "PackedView":
        """The same view with the keys of another generation; 0 is the first, see `generations.py`."""
        mark = b".%d" % number if number else b""
        return replace(self, head=self.schema_head + mark + b":{")

    def keys(self, entities: Iterable[bytes]) -> list[bytes]:
        """The key of each entity's row."""
        head = self.head
        return [head + entity + b"}" for entity in entities]

    def keys_of_texts(self, ids: Sequence[str]) -> list[bytes]:
        """`keys` of ids that are texts, three times as fast: one join, one encode, one split."""
        head = self.head.decode()
        keys = (head + f"}}\0{head}".join(ids) + "}").encode().split(b"\0")
        # An id with a zero byte has been cut, and no id at all has made one key.
        return keys if len(keys) == len(ids) else self.keys([each.encode() for each in ids])

    def oldest(self, now_us: int) -> int | None:
        """The earliest event timestamp that has not expired; None where rows never do."""
        return now_us - self.ttl_us if self.ttl_us else None


def packed_view(project: str, view: Any, versions: bool = False) -> PackedView:
    """A Feast view's layout and keys.

    Args:
        view: a Feast FeatureView.
        versions: whether the registry's `enable_online_feature_view_versioning` is on.
    """
    name = compute_versioned_name(view, versions)
    layout = layout_of(
        name,
        tuple((field.name, field.dtype.to_value_type().name) for field in view.entity_columns),
        tuple((field.name, field.dtype.to_value_type().name) for field in view.features),
    )
    ttl: timedelta | None = view.ttl
    ttl_us = int(ttl / timedelta(microseconds=1)) if ttl else 0
    head = f"{project}:{name}:"
    return PackedView(layout, f"{head}{layout.fingerprint}:{{".encode(), f"{head}schema".encode(), ttl_us)


def materialized_key(project: str) -> bytes:
    """The key of a project's hash view -> microseconds at which it was last materialized."""
    return f"{project}:materialized".encode()


def view_pattern(project: str, name: str) -> str:
    """A SCAN pattern of all rows of a view, whatever their schema."""
    return f"{_literal(project)}:{_literal(name)}:*"


def _literal(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?[]\\^" else letter for letter in text)


class PackedRows(Mapping[str, npt.NDArray[Any]]):
    """Columns of K packed rows of one view, each made when it is asked for.

    Where a row is missing a number is 0, a text "" and an array empty; where a value is null it is the
    same, save that a float is NaN.

    Attributes:
        missing: (K,) bool, true where there is no row or it has expired.
        event_at: (K,) int64 microseconds, 0 where missing.
    """

    def __init__(self, layout: Layout, values: Sequence[Blob], oldest: int | None = None) -> None:
        """Reads what MGET returned.

        Args:
            values: K packed rows, None where there is none.
            oldest: rows with an earlier event timestamp (microseconds) have expired.

        Raises:
            SchemaMismatchError: a value is not a row of this layout.
        """
        self.layout = layout
        self._values = values
        self._joined, self._stride = b"", 0  # set where the variable blocks are equally long
        missing = np.zeros(len(values), np.bool_)
        any_missing = False
        try:
            joined = b"".join(values)  # type: ignore[arg-type]
        except TypeError:  # there is a None
            any_missing = True
            missing[:] = [value is None for value in values]
            self._rows = self._scattered(missing)
        else:
            self._rows = self._read(values, joined)
        if oldest is not None:
            expired = self._rows["event_at"] < oldest
            if expired.any():
                missing |= expired
                any_missing = True
                self._rows = self._rows.copy()
                self._rows[expired] = np.zeros((), layout.dtype)
        self.missing: BoolArray = missing
        self._any_missing = any_missing
        self._nulls: npt.NDArray[np.uint8] | None = self._rows["nulls"] if self._rows["nulls"].any() else None

    @property
    def event_at(self) -> IntArray:
        """(K,) microseconds, 0 where there is no row."""
        return np.ascontiguousarray(self._rows["event_at"])

    @property
    def has_nulls(self) -> bool:
        """Whether any value of any row is null."""
        return self._nulls is not None

    def null(self, name: str) -> BoolArray | None:
        """(K,) mask of null values of a feature; None where there are none."""
        if self._nulls is None:
            return None
        bit = self.layout.null_bit[name]
        mask = np.asarray(self._nulls[:, bit >> 3] >> (bit & 7) & 1, np.bool_)
        return mask if mask.any() else None

    def vectors(self, name: str, width: int) -> npt.NDArray[Any]:
        """(K, width) matrix of an array feature, a row of zeros where it is missing or null.

        It is a view on the bytes that came from the store where all rows are there.

        Raises:
            SchemaMismatchError: an array has another length.
        """
        matrix = self._uniform(name)
        if matrix is not None and matrix.shape[1] == width:
            return matrix
        out = np.zeros((len(self._values), width), ARRAYS[self.layout.kinds[name]])
        for place, row in enumerate(self[name]):
            if len(row) == width:
                out[place] = row
            elif len(row):
                raise SchemaMismatchError(
                    f"feature {name!r} of view {self.layout.view!r} has an array of {len(row)} values, "
                    f"not {width}. Materialize the view again with one encoder."
                )
        return out

    def absent(self, name: str) -> BoolArray:
        """(K,) bool, true where a feature is null or its row missing."""
        null = self.null(name)
        return self.missing if null is None else self.missing | null

    def blob(self, name: str) -> list[Blob]:
        """K byte strings as `pack_rows` took them, None where missing or null."""
        blobs, kind = self._kept(name), self.layout.kinds[name]
        if kind not in INTEGER_ARRAYS:
            return blobs
        return [None if blob is None else unpack_integers(blob, ARRAYS[kind]).tobytes() for blob in blobs]

    def _kept(self, name: str) -> list[Blob]:
        place, width = self.layout.blobs.index(name), self.layout.dtype.itemsize
        ends = self._rows["ends"][:, place] + np.uint32(width)
        starts = self._rows["ends"][:, place - 1] + np.uint32(width) if place else np.full_like(ends, width)
        out: list[Blob] = [
            None if value is None else value[start:end]
            for value, start, end in zip(self._values, starts.tolist(), ends.tolist(), strict=True)
        ]
        for row in np.flatnonzero(self.absent(name)):
            out[row] = None
        return out

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        kind = self.layout.kinds[name]
        if kind in SCALARS:
            column: npt.NDArray[Any] = self._rows[f"f:{name}"]
            return column
        out = np.empty(len(self._values), object)
        matrix = self._uniform(name)
        rows = (
            self._texts(name, kind)
            if kind not in ARRAYS
            else self._arrays(name)
            if matrix is None
            else matrix
        )
        for place, row in enumerate(rows):
            out[place] = row
        return out

    def __iter__(self) -> Iterator[str]:
        return iter(self.layout.kinds)

    def __len__(self) -> int:
        return len(self.layout.kinds)

    def _read(self, values: Sequence[Any], joined: bytes) -> npt.NDArray[Any]:
        """The fixed blocks of rows that are all there."""
        dtype = self.layout.dtype
        length = len(values[0]) if values else dtype.itemsize
        if length >= dtype.itemsize and len(joined) == length * len(values):
            if not self.layout.blobs:
                if length == dtype.itemsize:
                    return np.frombuffer(joined, dtype)
            else:
                rows = np.ndarray(len(values), dtype, joined, strides=(length,))
                # Sound by induction: row 0 lies at 0 and, if rows 0..i are `length` long, row i+1 lies at
                # (i+1) * length and its own ends tell how long it is.
                ends = rows["ends"]
                if (ends == ends[:1]).all() and (not values or ends[0, -1] + dtype.itemsize == length):
                    self._joined, self._stride = joined, length
                    return rows
        return self._read_ragged(values)

    def _read_ragged(self, values: Sequence[bytes]) -> npt.NDArray[Any]:
        dtype = self.layout.dtype
        fixed = b"".join([value[: dtype.itemsize] for value in values])
        lengths = np.fromiter(map(len, values), np.int64, len(values))
        if len(fixed) == dtype.itemsize * len(values):
            rows = np.frombuffer(fixed, dtype)
            block = rows["ends"][:, -1].astype(np.int64) if self.layout.blobs else 0
            if np.array_equal(lengths, np.broadcast_to(dtype.itemsize + block, lengths.shape)):
                return rows
        raise SchemaMismatchError(
            f"a stored row of view {self.layout.view!r} has other bytes than its schema "
            f"{self.layout.fingerprint} says ({dtype.itemsize} bytes and more; lengths from {lengths.min()} "
            f"to {lengths.max()}). Another program wrote to its keys: delete them and materialize again."
        )

    def _scattered(self, missing: BoolArray) -> npt.NDArray[Any]:
        rows = np.zeros(len(missing), self.layout.dtype)
        there = [value for value in self._values if value is not None]
        if there:
            rows[~missing] = self._read(there, b"".join(there))
            self._joined, self._stride = b"", 0
        return rows

    def _uniform(self, name: str) -> npt.NDArray[Any] | None:
        """(K, n) view on an array feature where every row is there and equally long."""
        if not self._stride or self._any_missing or not len(self._values):
            return None
        place, dtype = self.layout.blobs.index(name), ARRAYS.get(self.layout.kinds[name])
        if dtype is None:
            return None
        ends = self._rows["ends"][0]
        start = int(ends[place - 1]) if place else 0
        count, rest = divmod(int(ends[place]) - start, dtype.itemsize)
        if rest:  # whole numbers in fewer bytes
            return None
        offset = self.layout.dtype.itemsize + start
        shape, strides = (len(self._values), count), (self._stride, dtype.itemsize)
        return np.ndarray(shape, dtype, self._joined, offset, strides)

    def _arrays(self, name: str) -> list[npt.NDArray[Any]]:
        kind = self.layout.kinds[name]
        dtype, blobs = ARRAYS[kind], self._kept(name)
        if kind in INTEGER_ARRAYS:
            return [unpack_integers(blob or b"", dtype) for blob in blobs]
        return [np.frombuffer(blob or b"", dtype) for blob in blobs]

    def _texts(self, name: str, kind: str) -> Sequence[Any]:
        blobs = self._kept(name)
        if kind == "STRING":
            return [(blob or b"").decode() for blob in blobs]
        if kind in TEXT_LISTS:
            lists = [split_texts(blob or b"") for blob in blobs]
            return [[text.decode() for text in texts] for texts in lists] if kind == "STRING_LIST" else lists
        return [blob or b"" for blob in blobs]
