"""An inverted file: rows in the cells of k-means, of which a search multiplies only the nearest."""

from dataclasses import dataclass, replace

import faiss
import numpy as np

from recsys.arrays import BoolArray, FloatArray, IntArray

IN_CELLS = 3  # what a row costs in a cell that is visited, in rows that are multiplied all at once
RECALL_AIM = 0.99  # without a filter; under one the nearest cells say less, and .97 is held
_SAMPLE = 64  # queries that the number of rows to pass is chosen by
_MIXED = 4  # rows a query is the mean of, at most: a user's vector lies between items
_DEPTH = 500  # their answers' length
_STEP = 2**0.5  # what one try more multiplies the number of rows by
_ALL_TRUE = np.ones(8, np.bool_).view(np.uint64)[0]
_ROUNDING = 1e-6  # of one product, computed in two ways


@dataclass(frozen=True)
class InvertedFile:
    """N rows in C cells, cell after cell, so that the rows of one are multiplied without being gathered.

    A search passes the cells from the nearest centroid on until `passed` of the rows that it may find were
    among them, whatever the share of these is: under a filter it goes as much further as the filter is
    narrow where the query is, and cells without an allowed row are skipped.

    Attributes:
        centroids: (C, D). edges: (C + 1,) where each cell begins, and N.
        rows: (N, D) float32. names: (N,) their numbers, from 1 on.
        cell: (N + 1,) the cell of each number; of padding none that is looked at.
        passed: rows to pass for `depth` answers; more answers need as many more.
    """

    centroids: FloatArray
    edges: IntArray
    rows: FloatArray
    names: IntArray
    cell: IntArray
    passed: float
    depth: int

    @classmethod
    def build(cls, vectors: FloatArray, seed: int) -> "InvertedFile | None":
        """Of `vectors` (N + 1, D) but for row 0, with as many rows to pass as recall needs.

        The number grows until the recall of the 500 nearest of sampled queries reaches RECALL_AIM. None
        where a share of 1 / IN_CELLS of all rows would not do.
        """
        rows = np.ascontiguousarray(vectors[1:], np.float32)
        centroids, cell = _k_means(rows, seed)
        order = np.argsort(cell, kind="stable")
        edges = np.append(0, np.cumsum(np.bincount(cell, minlength=len(centroids))))
        depth = min(_DEPTH, max(len(rows) // 10, 1))
        passed = 8 * len(rows) / len(centroids)
        queries = _queries(rows, np.random.default_rng(seed))
        edge = [np.partition(rows @ query, -depth)[-depth] for query in queries]  # of the true answers
        file = cls(centroids, edges, rows[order], order + 1, np.append(0, cell), passed, depth)
        while file.passed <= len(rows) / IN_CELLS:
            if np.mean([file._recall(*one) for one in zip(queries, edge, strict=True)]) >= RECALL_AIM:
                return file
            file = replace(file, passed=file.passed * _STEP)
        return None

    @property
    def size(self) -> int:
        """N + 1."""
        return len(self.cell)

    def products(
        self, query: FloatArray, count: int, allowed: BoolArray | None, most: float
    ) -> tuple[IntArray, FloatArray] | None:
        """Allowed rows, among them the `count` nearest to `query` (D,), as numbers and dot products.

        None where more than `most` rows would be multiplied for it. At least `count` are there, or all that
        are allowed.

        Args:
            allowed: (N + 1,), false for padding; None for all.
        """
        sizes = np.diff(self.edges)
        eligible = sizes
        if allowed is not None:
            eligible = self._eligible(allowed, sizes)
        cells = self._nearest_cells(query, count, eligible)
        if sizes[cells].sum() > most:
            return None
        names, scores = self._multiply(query, cells)
        if allowed is None:
            return names, scores
        kept = allowed[names]
        return names[kept], scores[kept]

    def _eligible(self, allowed: BoolArray, sizes: IntArray) -> IntArray:
        """(C,) how many rows of each cell are `allowed` (N + 1,); counted on the side that has fewer rows."""
        others = _false_places(allowed)[1:]  # the first is padding
        if 2 * len(others) < len(allowed):
            return sizes - np.bincount(self.cell[others], minlength=len(sizes))
        return np.bincount(self.cell[np.flatnonzero(allowed)], minlength=len(sizes))

    def _recall(self, query: FloatArray, edge: np.float32) -> float:
        """The share that is found of the `depth` true answers, the last of which has the product `edge`."""
        cells = self._nearest_cells(query, self.depth, np.diff(self.edges))
        found = np.count_nonzero(self._multiply(query, cells)[1] >= edge - _ROUNDING)
        return min(int(found) / self.depth, 1.0)

    def _nearest_cells(self, query: FloatArray, count: int, eligible: IntArray) -> IntArray:
        """The cells to visit for `count` answers, of which each has so many `eligible` rows (C,)."""
        nearest = np.argsort(-(self.centroids @ query))
        needed = self.passed * max(1.0, count / self.depth)
        reached = int(np.searchsorted(np.cumsum(eligible[nearest]), needed)) + 1
        visited = nearest[:reached]
        some: IntArray = visited[eligible[visited] > 0]
        return some

    def _multiply(self, query: FloatArray, cells: IntArray) -> tuple[IntArray, FloatArray]:
        """The numbers of all rows of `cells`, and their products with `query`."""
        first, last = self.edges[cells], self.edges[cells + 1]
        ends = np.cumsum(last - first)
        total = int(ends[-1]) if len(ends) else 0
        names, scores = np.empty(total, np.int64), np.empty(total, np.float32)
        starts = ends - (last - first)
        for start, end, here, there in np.stack([starts, ends, first, last], axis=1).tolist():
            names[start:end] = self.names[here:there]
            np.dot(self.rows[here:there], query, out=scores[start:end])
        return names, scores


def _false_places(mask: BoolArray) -> IntArray:
    """Ascending places where a mask is false, looked for eight at a time: they are few, as a rule.

    >>> _false_places(np.array([False, *[True] * 9, False])).tolist()
    [0, 10]
    """
    whole = len(mask) & ~7
    eights = mask[:whole].view(np.uint64)
    some = np.flatnonzero(eights != _ALL_TRUE)
    inside = np.flatnonzero(~eights[some].view(np.bool_))
    rest = np.flatnonzero(~mask[whole:]) + whole
    return np.concatenate([8 * some[inside >> 3] + (inside & 7), rest])


def _k_means(rows: FloatArray, seed: int) -> tuple[FloatArray, IntArray]:
    """Centroids (C, D) of `rows` (N, D) and the one that each row has the largest product with, (N,)."""
    cells = min(int(np.sqrt(len(rows))), 4096)
    index = faiss.IndexFlatIP(rows.shape[1])
    clustering = faiss.Clustering(rows.shape[1], cells)
    clustering.niter, clustering.seed = 10, seed + 1
    clustering.min_points_per_centroid = 1  # few rows a cell are no reason to complain
    clustering.train(rows, index)
    return index.reconstruct_n(0, cells), index.search(rows, 1)[1][:, 0]


def _queries(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(_SAMPLE, D) means of one to _MIXED rows each, like the vectors of users with that many interests."""
    chosen = rng.integers(0, len(rows), (_SAMPLE, _MIXED))
    counts = rng.integers(1, _MIXED + 1, _SAMPLE)
    weights = (np.arange(_MIXED) < counts[:, None]).astype(np.float32)  # (_SAMPLE, _MIXED)
    queries: FloatArray = np.einsum("sm,smd->sd", weights, rows[chosen])
    return queries
