"""Nearest items by dot product: exact while that is cheap, inverted lists beyond."""

from copy import copy
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import torch

from recsys.arrays import BoolArray, FloatArray, IntArray

# Numbers to multiply for one exact answer, at most: 31,000 items of width 64 take a third of a millisecond.
EXACT_UP_TO = 2_000_000
RECALL_AIM = 0.97
_SAMPLE = 64  # queries that the number of lists to visit is chosen by
_MIXED = 4  # rows a query is the mean of, at most: a user's vector lies between items
_DEPTH = 500  # their answers' length
_FEW = 100  # rows that are not allowed and can be left out afterwards
DELTA_UP_TO = 4096  # changed rows beside the index: a twentieth of a millisecond a search


class DenseIndex:
    """Answers `search` over the rows of one matrix; row 0 is padding and is never found.

    Beyond `exact_up_to` numbers an inverted file is built: k-means cells, of which a search visits the
    nearest. How many is chosen at build time, by doubling until the recall of the 500 nearest of sampled
    queries reaches RECALL_AIM; where half of all cells would not do, the search stays exact.

    Rows that changed or came later (`with_rows`) lie in a delta beside it, which is searched exactly.
    """

    def __init__(self, vectors: FloatArray, exact_up_to: int = EXACT_UP_TO, seed: int = 0) -> None:
        self._seed, self._exact_up_to = seed, exact_up_to
        self._vectors = torch.from_numpy(np.ascontiguousarray(vectors, np.float32))
        self._main = _Main(vectors, exact_up_to, seed)
        self._delta = _Delta.none(self._main.width)
        self._count = self._main.count

    @property
    def exact(self) -> bool:
        """Whether every answer is the true one."""
        return self._main.cells is None

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
        new = np.arange(self._count + 1, len(vectors))
        rows = np.unique(np.concatenate([self._delta.rows, changed, new]))
        if len(rows) > DELTA_UP_TO:
            return DenseIndex(vectors, self._exact_up_to, self._seed)
        other = copy(self)
        other._vectors = torch.from_numpy(np.ascontiguousarray(vectors, np.float32))
        other._count = len(vectors) - 1
        other._delta = _Delta(rows, np.ascontiguousarray(vectors[rows], np.float32))
        return other

    def products(self, vectors: FloatArray) -> FloatArray | None:
        """(R, N + 1) all dot products of vectors (R, D) with the rows; None where that is too much work."""
        if self._vectors.numel() > self._exact_up_to:
            return None
        with torch.inference_mode():
            out: FloatArray = (torch.from_numpy(vectors) @ self._vectors.T).numpy()
        return out

    def search(
        self, vector: FloatArray, count: int, allowed: BoolArray | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Up to `count` rows with the largest dot products with `vector` (D,), best first, and the products.

        Args:
            allowed: (N + 1,) only rows where it holds are found.
        """
        products = self.products(np.ascontiguousarray(vector[None], np.float32))
        if products is not None:
            mask = np.ones(products.shape[1], bool) if allowed is None else allowed.copy()
            mask[0] = False
            rows = np.flatnonzero(nearest_mask(products, mask[None], count))
            rows = rows[top_places(products[0, rows], count)]
            return rows, products[0, rows]
        if not len(self._delta.rows):
            return self._main.search(vector, count, allowed)
        rows, scores = self._main.search(vector, count, self._delta.others(self._main.count, allowed))
        late, late_scores = self._delta.products(vector, allowed)
        rows, scores = np.concatenate([rows, late]), np.concatenate([scores, late_scores])
        best = top_places(scores, count)
        return rows[best], scores[best]


def nearest_mask(products: FloatArray, allowed: BoolArray, count: int) -> BoolArray:
    """(R, N + 1) true for the `count` largest `allowed` products of each row, and equals of the last.

    >>> nearest_mask(np.array([[0, 1, 3, 3, 2]], np.float32), np.array([[False, True, True, True, False]]), 1)
    array([[False, False,  True,  True, False]])
    """
    if count < 1:
        return np.zeros_like(allowed)
    least = products.shape[1] - min(count, products.shape[1])
    lowered = np.where(allowed, products, -np.inf)
    edge = np.partition(lowered, least, axis=1)[:, least, None]  # (R, 1)
    return allowed & (lowered >= edge)


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
    """Rows beside the main index: their numbers (C,), sorted, and their vectors (C, D)."""

    rows: IntArray
    vectors: FloatArray

    @classmethod
    def none(cls, width: int) -> "_Delta":
        return cls(np.zeros(0, np.int64), np.zeros((0, width), np.float32))

    def others(self, count: int, allowed: BoolArray | None) -> BoolArray:
        """(count + 1,) what is allowed of the main index: no row that lies here."""
        mask = np.ones(count + 1, bool) if allowed is None else allowed[: count + 1].copy()
        mask[self.rows[self.rows <= count]] = False
        return mask

    def products(self, vector: FloatArray, allowed: BoolArray | None) -> tuple[IntArray, FloatArray]:
        scores: FloatArray = self.vectors @ np.asarray(vector, np.float32)  # (C,)
        if allowed is None:
            return self.rows, scores
        kept = allowed[self.rows]
        return self.rows[kept], scores[kept]


class _Main:
    """The index as it was built: exact, or an inverted file (`cells`)."""

    def __init__(self, vectors: FloatArray, exact_up_to: int, seed: int) -> None:
        rows = np.ascontiguousarray(vectors[1:], np.float32)  # (N, D)
        self.count, self.width = rows.shape
        self._index = faiss.IndexFlatIP(self.width)
        self._index.add(rows)
        self.cells: faiss.IndexIVFFlat | None = None
        if rows.size > exact_up_to:
            self.cells = _inverted_file(rows, self._index, seed)

    def search(
        self, vector: FloatArray, count: int, allowed: BoolArray | None
    ) -> tuple[IntArray, FloatArray]:
        """As `DenseIndex.search`."""
        count = min(count, self.count)
        blocked = 0 if allowed is None else self.count - int(np.count_nonzero(allowed[1:]))
        if count < 1 or blocked == self.count:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        if allowed is not None and blocked <= _FEW:
            # Cheaper than a selector, which is called for every row.
            rows, scores = self.search(vector, count + blocked, None)
            kept = allowed[rows]
            return rows[kept][:count], scores[kept][:count]
        query = np.ascontiguousarray(vector[None], np.float32)  # (1, D)
        index = self._index if self.cells is None else self.cells
        scores, rows = index.search(query, count, params=self._parameters(allowed))
        found = rows[0] >= 0
        return rows[0][found] + 1, scores[0][found]

    def _parameters(self, allowed: BoolArray | None) -> Any:
        parameters: Any = faiss.SearchParameters()
        if self.cells is not None:
            parameters = faiss.SearchParametersIVF()
            parameters.nprobe = self.cells.nprobe
        if allowed is not None:
            bits: Any = np.packbits(allowed[1:], bitorder="little")
            parameters.sel = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg]  # faiss wraps it so
        return parameters


def _inverted_file(rows: FloatArray, exact: faiss.IndexFlatIP, seed: int) -> faiss.IndexIVFFlat | None:
    cells = min(int(np.sqrt(len(rows))), 4096)
    index = faiss.IndexIVFFlat(
        faiss.IndexFlatIP(rows.shape[1]), rows.shape[1], cells, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter, index.cp.seed = 10, seed + 1
    index.cp.min_points_per_centroid = 1  # few rows a cell are no reason to complain
    index.train(rows)
    index.add(rows)
    queries = _queries(rows, np.random.default_rng(seed))
    depth = min(_DEPTH, max(len(rows) // 10, 1))
    true = exact.search(queries, depth)[1]
    index.nprobe = 8
    while index.nprobe <= cells // 2:
        found = index.search(queries, depth)[1]
        if np.mean([np.isin(t, f).mean() for t, f in zip(true, found, strict=True)]) >= RECALL_AIM:
            return index
        index.nprobe *= 2
    return None


def _queries(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(_SAMPLE, D) means of one to _MIXED rows each, like the vectors of users with that many interests."""
    chosen = rng.integers(0, len(rows), (_SAMPLE, _MIXED))
    counts = rng.integers(1, _MIXED + 1, _SAMPLE)
    weights = (np.arange(_MIXED) < counts[:, None]).astype(np.float32)  # (_SAMPLE, _MIXED)
    queries: FloatArray = np.einsum("sm,smd->sd", weights, rows[chosen])
    return queries
