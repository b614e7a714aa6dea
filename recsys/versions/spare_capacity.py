"""Versions of arrays with a row an item: one that differs in a few rows shares the memory of all others."""

import mmap
import os
import weakref
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, IntArray

LEAST_SPARE = 1024  # rows; more for a large catalog
PAGED_FROM = 1 << 22  # bytes from which on a copy costs more than new pages for the rows that differ
MOST_CHANGED = 512  # known rows that each version writes into pages of its own

Rows = npt.NDArray[Any]


def rows_differ(array: Rows, index: IntArray, rows: Rows) -> BoolArray:
    """(K,) whether the row of `array` at `index` is another than the one of `rows`; true behind its end."""
    differs = index >= len(array)
    known = np.flatnonzero(~differs)
    unequal = array[index[known]] != rows[known]
    differs[known] = unequal.any(1) if unequal.ndim > 1 else unequal
    return differs


class SpareCapacity:
    """Spare rows behind a bundle's arrays, so that changing it again and again copies little.

    No array that was handed out is ever written to: new rows go where only the newest bundle looks. Where
    known rows change, a small array is copied; of a large one a version is a private mapping of the same
    memory, of which the system copies the pages alone that are written to (Linux; elsewhere it is copied).
    Safe for many threads: of two that extend one bundle, one copies.

    Args:
        paged_from: bytes of an array from which on its versions share memory.
    """

    def __init__(self, paged_from: int = PAGED_FROM) -> None:
        self._paged_from = paged_from
        self._lock = Lock()
        self._buffers: dict[str, Rows] = {}
        self._used: dict[str, int] = {}
        self._pages: dict[str, _Pages] = {}
        self._derived: dict[str, tuple[Rows, Rows]] = {}

    def with_rows(self, name: str, array: Rows, size: int, index: IntArray, rows: Rows) -> Rows:
        """`array` with `size` rows: those at `index` replaced by `rows`, the other new ones 0."""
        if size == len(array) and not len(index):
            return array
        if array.nbytes >= self._paged_from and not array.dtype.hasobject and hasattr(os, "memfd_create"):
            with self._lock:
                return self._next_version(name, array, size, index, rows)
        grown = self._grown(name, array, size, copied=bool((index < len(array)).any()))
        grown[index] = rows
        return grown

    def derived(self, name: str, array: Rows, make: Callable[[Rows], Rows]) -> Rows:
        """What `make` makes of `array`, unless it was kept by `keep_derived`."""
        kept = self._derived.get(name)
        return kept[1] if kept is not None and kept[0] is array else make(array)

    def keep_derived(self, name: str, array: Rows, value: Rows) -> None:
        """Keeps `value` for the next `derived` of the same array."""
        self._derived[name] = array, value

    def _next_version(self, name: str, array: Rows, size: int, index: IntArray, rows: Rows) -> Rows:
        pages = self._pages.get(name)
        known = index < len(array)
        changed = int(known.sum())
        if pages is None or not pages.fits(array, size, changed):
            pages = self._pages[name] = _Pages(array, _with_spare(size))
            pages.write(index, rows)  # nobody else sees this memory yet
        else:
            pages.write(index[~known], rows[~known])
            pages.change(index[known], rows[known])
        return pages.version(size)

    def _grown(self, name: str, array: Rows, size: int, copied: bool) -> Rows:
        with self._lock:
            buffer = self._buffers.get(name)
            fits = buffer is not None and array.base is buffer and size <= len(buffer)
            if buffer is None or copied or not fits or self._used[name] != len(array):
                buffer = np.zeros((_with_spare(size), *array.shape[1:]), array.dtype)
                buffer[: len(array)] = array
                self._buffers[name] = buffer
            self._used[name] = size
            return buffer[:size]


class _Pages:
    """Memory that the versions of one array share, and the rows that differ in the newest of them.

    Rows behind the newest version's end are written into the shared memory; known ones that change only into
    the pages of the versions that have them, until no earlier version is in use.
    """

    def __init__(self, array: Rows, capacity: int) -> None:
        self._shape, self._dtype = (capacity, *array.shape[1:]), array.dtype
        self._bytes = int(np.prod(self._shape)) * array.dtype.itemsize
        self._file = os.memfd_create("rows", os.MFD_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        os.ftruncate(self._file, self._bytes)
        self._places = np.zeros(0, np.int64)  # of the known rows that changed
        self._changed = array[:0]
        self._newest: Rows | None = None
        self._in_use: list[weakref.ref[mmap.mmap]] = []  # by the versions
        self._shared = self._mapped(mmap.MAP_SHARED)
        self._shared[: len(array)] = array

    def fits(self, array: Rows, size: int, changed: int) -> bool:
        """Whether `array` is the newest version, and can be followed by one of `size` rows."""
        self._settle()
        room = len(self._places) + changed <= MOST_CHANGED
        return self._newest is array and size <= self._shape[0] and room

    def write(self, index: IntArray, rows: Rows) -> None:
        """Writes rows that no version shows yet."""
        self._shared[index] = rows

    def change(self, index: IntArray, rows: Rows) -> None:
        """Changes rows in the versions to come."""
        kept = ~np.isin(self._places, index)
        self._places = np.concatenate([self._places[kept], index])
        self._changed = np.concatenate([self._changed[kept], rows])

    def version(self, size: int) -> Rows:
        """The next version, of `size` rows."""
        rows = self._mapped(mmap.MAP_PRIVATE)
        rows[self._places] = self._changed
        self._newest = rows[:size]
        return self._newest

    def _settle(self) -> None:
        """Writes what changed into the shared memory if the newest version, which has it, is the only one."""
        self._in_use = [memory for memory in self._in_use if memory() is not None]
        if len(self._in_use) == 1:
            self._shared[self._places] = self._changed
            self._places, self._changed = self._places[:0], self._changed[:0]

    def _mapped(self, flags: int) -> Rows:
        memory = mmap.mmap(self._file, self._bytes, flags, mmap.PROT_READ | mmap.PROT_WRITE)
        if flags == mmap.MAP_PRIVATE:
            self._in_use.append(weakref.ref(memory))
        return np.frombuffer(memory, self._dtype).reshape(self._shape)


def _with_spare(size: int) -> int:
    return size + max(LEAST_SPARE, size // 16)
