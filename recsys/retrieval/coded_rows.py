"""Rows of numbers as 8-bit integers, and the scan over all of them for the nearest.

A query becomes 8-bit integers too, so that float32 adds the products without any rounding.
"""

import math
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, FloatArray, IntArray

_LARGEST = 127  # of the integers of a row and of a query, either way
_EXACT = 2**24  # float32 holds every integer up to here
_SMALLEST = 1e-6  # of a scale: a dimension in which all rows are equal
_ROWS_AT_ONCE = 65_536
_SAMPLE = 4096  # rows by which a bound is chosen that the nearest of all reach
_SPARE = 2.0  # times as many as are wanted shall reach it: integers order rows not quite as their products do


@dataclass(frozen=True)
class Scale:
    """How rows become integers: `round((x - mean) * factor)`, for each of E numbers, up to `largest`."""

    mean: FloatArray
    factor: FloatArray
    largest: int

    @classmethod
    def of(cls, rows: FloatArray) -> "Scale":
        """The one in which the largest deviation of each number from its mean is `largest`."""
        width = rows.shape[1]
        largest = min(_LARGEST, math.isqrt(_EXACT // width))  # no sum of `width` products is beyond _EXACT
        if not len(rows):
            return cls(np.zeros(width, np.float32), np.ones(width, np.float32), largest)
        mean = rows.mean(0, dtype=np.float64).astype(np.float32)
        reach = np.maximum(np.maximum(rows.max(0) - mean, mean - rows.min(0)), _SMALLEST)
        return cls(mean, (largest / reach).astype(np.float32), largest)

    def codes(self, rows: FloatArray) -> FloatArray:
        """(R, E) integers as float32; what lies beyond the reach is cut."""
        out: FloatArray = np.clip(np.rint((rows - self.mean) * self.factor), -self.largest, self.largest)
        return out

    def query(self, vector: FloatArray) -> "CodedQuery":
        """`vector` (E,) in integers up to `largest`."""
        wide = vector.astype(np.float64)
        scaled, offset = wide / self.factor, float(wide @ self.mean)
        most = float(np.abs(scaled).max(initial=0))
        if not most:
            return CodedQuery(np.zeros(len(vector), np.float32), 0.0, offset)
        factor = self.largest / most
        return CodedQuery(np.rint(scaled * factor).astype(np.float32), 1 / factor, offset)


@dataclass(frozen=True)
class CodedQuery:
    """A query as integers (E,), as float32, and how products with them become cosines."""

    numbers: FloatArray
    unit: float
    offset: float

    def cosines(self, products: FloatArray) -> FloatArray:
        """Cosines of products of any shape."""
        out: FloatArray = (products.astype(np.float64) * self.unit + self.offset).astype(np.float32)
        return out

    def least_product(self, cosine: float) -> float:
        """A bound below every product whose cosine is at least that."""
        return float((cosine - self.offset) / self.unit - 1) if self.unit else float(-_EXACT)


def build_scan(codes: npt.NDArray[np.int8]) -> Any:
    """One cell with all rows: faiss scans a cell several times as fast as its flat index of integers."""
    width = codes.shape[1]
    cell = faiss.IndexFlatIP(width)
    cell.add(np.zeros((1, width), np.float32))
    kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
    index = faiss.IndexIVFScalarQuantizer(cell, width, 1, kind, faiss.METRIC_INNER_PRODUCT, False)
    index.by_residual, index.is_trained = False, True
    for start in range(0, len(codes), _ROWS_AT_ONCE):
        index.add(codes[start : start + _ROWS_AT_ONCE].astype(np.float32))
    return index


class RowScan:
    """Which of N rows have the largest dot products with a vector: 3 ms for a million of width 64.

    The last places may be others than those of the true products, by the rounding to integers.
    """

    def __init__(self, rows: FloatArray) -> None:
        """Args:
        rows: (N + 1, D), of which row 0 is padding and never found.
        """
        self._scale = Scale.of(rows[1:])
        parts = [rows[start : start + _ROWS_AT_ONCE] for start in range(1, len(rows), _ROWS_AT_ONCE)]
        coded = [self._scale.codes(part).astype(np.int8) for part in parts]
        codes = np.concatenate([np.zeros((0, rows.shape[1]), np.int8), *coded])
        self._scan = build_scan(codes)
        step = max(len(codes) // _SAMPLE, 1)
        self._sample_rows = np.arange(1, len(rows), step)
        self._sample_codes = codes[::step].astype(np.float32)

    @property
    def size(self) -> int:
        """N + 1."""
        return int(self._scan.ntotal) + 1

    def nearest(self, vectors: FloatArray, count: int) -> IntArray:
        """(K, C) the numbers of up to `count` rows nearest to vectors (K, D), best first; 0 = none."""
        queries = np.stack([self._scale.query(vector).numbers for vector in vectors])
        _, places = self._scan.search(queries, min(count, self._scan.ntotal))
        found: IntArray = places + 1
        return found

    def candidates(self, vector: FloatArray, count: int, allowed: BoolArray) -> IntArray | None:
        """Numbers of `allowed` (N + 1,) rows, nearly all of the `count` nearest to `vector` (D,) among them.

        They are those that reach a bound which, by a sample, twice as many do. None where the sample is too
        small to say, or fewer than `count` reach it.
        """
        query = self._scale.query(vector)
        products = self._sample_codes[allowed[self._sample_rows]] @ query.numbers
        share = len(products) / max(int(np.count_nonzero(allowed)), 1)
        reached = int(_SPARE * count * share) + 8
        if reached >= len(products):
            return None
        bound = float(np.partition(products, -reached)[-reached])
        _, _, places = self._scan.range_search(query.numbers[None], bound - 0.5)  # products are integers
        rows: IntArray = places + 1
        rows = rows[allowed[rows]]
        return rows if len(rows) >= count else None
