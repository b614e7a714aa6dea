"""Nearest items by dot product: exact while that is cheap, inverted lists beyond."""

from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from recsys.dataset.interactions import FloatArray, IntArray

# Numbers to multiply for one exact answer, at most: 31,000 items of width 64 take a third of a millisecond.
EXACT_UP_TO = 2_000_000
RECALL_AIM = 0.97
_SAMPLE = 64  # questions that the number of lists to visit is chosen by
_MIXED = 4  # rows a question is the mean of, at most: a user's vector lies between items
_DEPTH = 500  # their answers' length
_FEW = 100  # rows that are not allowed and can be left out afterwards


class DenseIndex:
    """Answers `search` over the rows of one matrix; row 0 is padding and is never found.

    Beyond `exact_up_to` numbers an inverted file is built: k-means cells, of which a search visits the
    nearest. How many is chosen at build time, by doubling until the recall of the 500 nearest of sampled
    questions reaches RECALL_AIM; where half of all cells would not do, the search stays exact.
    """

    def __init__(self, vectors: FloatArray, exact_up_to: int = EXACT_UP_TO, seed: int = 0) -> None:
        rows = np.ascontiguousarray(vectors[1:], np.float32)  # (N, D)
        self._count, self.width = rows.shape
        self._index = faiss.IndexFlatIP(self.width)
        self._index.add(rows)
        self._cells: faiss.IndexIVFFlat | None = None
        if rows.size > exact_up_to:
            self._cells = _inverted_file(rows, self._index, seed)

    @property
    def exact(self) -> bool:
        """Whether every answer is the true one."""
        return self._cells is None

    def search(
        self, vector: FloatArray, count: int, allowed: npt.NDArray[np.bool_] | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Up to `count` rows with the largest dot products with `vector` (D,), best first, and the products.

        Args:
            allowed: (N + 1,) only rows where it holds are found.
        """
        count = min(count, self._count)
        blocked = 0 if allowed is None else self._count - int(np.count_nonzero(allowed[1:]))
        if count < 1 or blocked == self._count:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        if allowed is not None and blocked <= _FEW:
            # Cheaper than a selector, which asks about every row.
            rows, scores = self.search(vector, count + blocked)
            kept = allowed[rows]
            return rows[kept][:count], scores[kept][:count]
        query = np.ascontiguousarray(vector[None], np.float32)  # (1, D)
        index = self._index if self._cells is None else self._cells
        scores, rows = index.search(query, count, params=self._parameters(allowed))
        found = rows[0] >= 0
        return rows[0][found] + 1, scores[0][found]

    def _parameters(self, allowed: npt.NDArray[np.bool_] | None) -> Any:
        parameters: Any = faiss.SearchParameters()
        if self._cells is not None:
            parameters = faiss.SearchParametersIVF()
            parameters.nprobe = self._cells.nprobe
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
    questions = _questions(rows, np.random.default_rng(seed))
    depth = min(_DEPTH, len(rows) // 10)
    true = exact.search(questions, depth)[1]
    index.nprobe = 8
    while index.nprobe <= cells // 2:
        found = index.search(questions, depth)[1]
        if np.mean([np.isin(t, f).mean() for t, f in zip(true, found, strict=True)]) >= RECALL_AIM:
            return index
        index.nprobe *= 2
    return None


def _questions(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(_SAMPLE, D) means of one to _MIXED rows each, like the vectors of users with that many interests."""
    chosen = rng.integers(0, len(rows), (_SAMPLE, _MIXED))
    counts = rng.integers(1, _MIXED + 1, _SAMPLE)
    weights = (np.arange(_MIXED) < counts[:, None]).astype(np.float32)  # (_SAMPLE, _MIXED)
    questions: FloatArray = np.einsum("sm,smd->sd", weights, rows[chosen])
    return questions
