"""Nearest items by dot product: exact while that is cheap, by a scan of 8-bit integers beyond."""

from copy import copy
from dataclasses import dataclass

import numpy as np
import torch

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.retrieval.coded_rows import RowScan

# Numbers to multiply for one exact answer, at most: 125,000 items of width 64 take a millisecond.
EXACT_UP_TO = 8_000_000
_SAMPLE = 2048  # scores by which a bound is chosen that the largest of all reach
_SPARE = 1.5  # times as many as are wanted shall reach it
_GATHER = 4  # what a row costs that is gathered first, in rows that lie one after the other
DELTA_UP_TO = 4096  # changed rows beside the index: a twentieth of a millisecond a search


class DenseIndex:
    """Answers `search` over the rows of one matrix; row 0 is padding and is never found.

    Few allowed rows are gathered and multiplied. Otherwise all rows are; beyond `exact_up_to` numbers a scan
    of the rows as 8-bit integers, a quarter of the memory to read, says which of them may be the nearest, and
    the products of those are exact.

    Rows that changed or came later (`with_rows`) lie in a delta beside the scan, which is searched exactly.
    """

    def __init__(self, vectors: FloatArray, exact_up_to: int = EXACT_UP_TO) -> None:
        self._exact_up_to = exact_up_to
        self._vectors = np.ascontiguousarray(vectors, np.float32)
        self._scan = RowScan(self._vectors) if vectors[1:].size > exact_up_to else None
        self._delta = _Delta.none(vectors.shape[1])

    @property
    def exact(self) -> bool:
        """Whether every answer is the true one."""
        return self._scan is None

    @property
    def delta(self) -> int:
        """How many rows lie beside the main index."""
        return len(self._delta.rows)

    def with_rows(self, vectors: FloatArray, changed: IntArray) -> "DenseIndex":
        """An index over `vectors` for little work; this one stays as it is.

        Args:
            vectors: (N' + 1, D): this index's rows but for those in `changed`, and N' - N new ones.
            changed: (C,) rows that differ; new ones may be among them.
        """
        new = np.arange(len(self._vectors), len(vectors))
        rows = np.unique(np.concatenate([self._delta.rows, changed, new]))
        if len(rows) > DELTA_UP_TO:
            return DenseIndex(vectors, self._exact_up_to)
        other = copy(self)
        other._vectors = np.ascontiguousarray(vectors, np.float32)
        other._delta = _Delta(rows, np.ascontiguousarray(vectors[rows], np.float32))
        return other

    def products(self, vectors: FloatArray) -> FloatArray | None:
        """(R, N + 1) all dot products of vectors (R, D) with the rows; None where a scan takes less work."""
        if self._scan is not None and len(vectors) == 1:
            return None
        with torch.inference_mode():
            out: FloatArray = (torch.from_numpy(vectors) @ torch.from_numpy(self._vectors).T).numpy()
        return out

    def search(
        self, vector: FloatArray, count: int, allowed: BoolArray | None = None
    ) -> tuple[IntArray, FloatArray]:
        """The `count` rows with the largest dot products with `vector` (D,), best first, and the products.

        Fewer only where fewer are allowed.

        Args:
            allowed: (N + 1,) only rows where it holds are found.
        """
        query = np.ascontiguousarray(vector, np.float32)
        mask = np.ones(len(self._vectors), bool) if allowed is None else allowed
        if mask[0]:
            mask = mask.copy() if mask is allowed else mask  # the caller's own
            mask[0] = False
        if int(np.count_nonzero(mask)) * _GATHER < len(mask):
            rows = np.flatnonzero(mask)
            scores = self._vectors.take(rows, axis=0) @ query
        else:
            rows, scores = self._scanned(query, count, mask) or self._multiplied(query, count, mask)
        kept = largest_places(scores, count)
        rows, scores = rows[kept], scores[kept]
        best = np.lexsort((rows, -scores))[: max(count, 0)]
        return rows[best], scores[best]

    def _multiplied(self, query: FloatArray, count: int, mask: BoolArray) -> tuple[IntArray, FloatArray]:
        """Rows of `mask` (N + 1,), among them the `count` nearest, and their products."""
        scores = self._vectors @ query
        rows = _largest_allowed(scores, mask, count)
        return rows, scores[rows]

    def _scanned(self, query: FloatArray, count: int, mask: BoolArray) -> tuple[IntArray, FloatArray] | None:
        """As `_multiplied`, by scan and delta, nearly all the nearest; None where the scan cannot say."""
        if self._scan is None:
            return None
        rows = self._scan.candidates(query, count, self._delta.others(mask[: self._scan.size]))
        if rows is None:
            return None
        scores = self._vectors.take(rows, axis=0) @ query
        if not len(self._delta.rows):
            return rows, scores
        late, late_scores = self._delta.products(query, mask)
        return np.concatenate([rows, late]), np.concatenate([scores, late_scores])


def nearest_flat(products: FloatArray, allowed: BoolArray, count: int) -> IntArray:
    """The flat indexes, ascending, of the `count` largest `allowed` products of each row, and of their ties.

    Args:
        products, allowed: (R, N + 1).

    >>> nearest_flat(np.array([[0, 1, 3, 3, 2]], np.float32), np.array([[False, True, True, True, False]]), 1)
    array([2, 3])
    """
    found = [np.zeros(0, np.int64)]
    for row, (scores, mask) in enumerate(zip(products, allowed, strict=True)):
        found.append(row * len(mask) + _largest_allowed(scores, mask, count))
    return np.concatenate(found)


def _largest_allowed(scores: FloatArray, allowed: BoolArray, count: int) -> IntArray:
    """As `largest_places`, of the `allowed` (P,) alone."""
    places = largest_places(np.where(allowed, scores, np.float32(-np.inf)), count)
    return places[allowed[places]]


def largest_places(scores: FloatArray, count: int) -> IntArray:
    """The places, ascending, of the `count` largest of `scores` (P,), and of all that equal the last of them.

    Of many scores only those are sorted that reach a bound which a sample says a few more than `count` reach.
    Where it is wrong, and fewer do, all are sorted.

    >>> largest_places(np.array([5, 1, 7, 5, 2], np.float32), 2)
    array([0, 2, 3])
    """
    if count >= len(scores):
        return np.arange(len(scores))
    if count < 1:
        return np.zeros(0, np.int64)
    step = max(len(scores) // _SAMPLE, 1)
    reached = int(_SPARE * count / step) + 8  # of the sample
    if step > 1 and reached * step < len(scores):
        places = np.flatnonzero(scores >= np.partition(scores[::step], -reached)[-reached])
        if len(places) >= count:
            some = scores[places]
            kept: IntArray = places[some >= np.partition(some, -count)[-count]]
            return kept
    return np.flatnonzero(scores >= np.partition(scores, -count)[-count])


def top_places(scores: FloatArray, count: int) -> IntArray:
    """The places of the `count` largest of `scores` (P,), best first; equal ones by place.

    >>> top_places(np.array([1, 3, 2, 3], np.float32), 3)
    array([1, 3, 2])
    """
    order = np.argsort(-scores)
    ordered = scores[order]
    if (ordered[1:] == ordered[:-1]).any():  # a stable sort takes several times as long
        order = np.argsort(-scores, kind="stable")
    return order[: max(count, 0)]


@dataclass(frozen=True)
class _Delta:
    """Rows beside the scan: their numbers (C,), sorted, and their vectors (C, D)."""

    rows: IntArray
    vectors: FloatArray

    @classmethod
    def none(cls, width: int) -> "_Delta":
        return cls(np.zeros(0, np.int64), np.zeros((0, width), np.float32))

    def others(self, mask: BoolArray) -> BoolArray:
        """`mask` but for the rows that lie here."""
        if not len(self.rows):
            return mask
        others = mask.copy()
        others[self.rows[self.rows < len(mask)]] = False
        return others

    def products(self, query: FloatArray, mask: BoolArray) -> tuple[IntArray, FloatArray]:
        """The rows of `mask` that lie here, and their products."""
        kept = mask[self.rows]
        scores: FloatArray = self.vectors @ query  # (C,)
        return self.rows[kept], scores[kept]
