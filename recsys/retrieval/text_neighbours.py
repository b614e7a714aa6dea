"""The items of most similar text: the nearest of each by its text's vector, and by its words."""

from collections.abc import Sequence

import faiss
import numpy as np
from scipy import sparse

from recsys.arrays import FloatArray, SmallIntArray
from recsys.progress import Progress, silent
from recsys.retrieval.neighbours import top_of_rows
from recsys.retrieval.tfidf import tfidf_matrix

_ROWS_AT_ONCE = 1024
_EXACT_UP_TO = 30_000  # rows; beyond, only the nearest cells of an inverted file are looked at
_CELLS_VISITED = 32
_MOST_PAIRS = 300_000_000  # of texts that share a word: a few seconds of work


def nearest_by_vector(
    vectors: FloatArray, count: int, progress: Progress = silent
) -> tuple[SmallIntArray, FloatArray]:
    """The `count` rows with the largest positive cosine to each: indexes and cosines, both (N + 1, count).

    Args:
        vectors: (N + 1, T) unit rows; zero rows (padding, no text) are near nothing.

    Columns run from the nearest to the farthest; 0 where there are fewer. No row is its own neighbour.
    """
    size = len(vectors)
    found, cosines = np.zeros((size, count), np.int32), np.zeros((size, count), np.float32)
    rows = np.flatnonzero(vectors.any(axis=1))
    depth = min(count + 1, len(rows))
    if depth < 2:
        return found, cosines
    index = _index(np.ascontiguousarray(vectors[rows], np.float32))
    with progress("nearest texts", len(rows)) as advance:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            cosine, place = index.search(np.ascontiguousarray(vectors[part], np.float32), depth)
            other = np.where(place >= 0, rows[place], part[:, None])
            # Stable: what stays keeps its order, the row itself and what is not similar moves to the end.
            good = (other != part[:, None]) & (cosine > 0)
            order = np.argsort(~good, axis=1, kind="stable")[:, :count]
            kept = np.take_along_axis(good, order, 1)
            width = order.shape[1]
            found[part, :width] = np.where(kept, np.take_along_axis(other, order, 1), 0)
            cosines[part, :width] = np.where(kept, np.take_along_axis(cosine, order, 1), 0)
            advance(len(part))
    return found, cosines


def nearest_by_words(
    texts: Sequence[str], count: int, progress: Progress = silent
) -> tuple[SmallIntArray, FloatArray]:
    """The `count` texts that share most with each by TF-IDF cosine: indexes and cosines, (len(texts), count).

    Texts without a word are near nothing; index 0 is padding and is never found. In a large catalog the
    commonest words, such as a unit of measure, are left out: they join everything with everything.
    """
    words = _rarer(tfidf_matrix(texts))
    others = words.T.tocsr()  # (W, N + 1)
    shape = len(texts), count
    found, cosines = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    with progress("nearest words", len(texts)) as advance:
        for start in range(0, len(texts), _ROWS_AT_ONCE):
            shared: sparse.csr_matrix = (words[start : start + _ROWS_AT_ONCE] @ others).tocsr()
            shared.sort_indices()
            row = np.repeat(np.arange(shared.shape[0]), np.diff(shared.indptr))
            shared.data[(shared.indices == row + start) | (shared.indices == 0)] = 0
            top, cosine = top_of_rows(shared, count)
            part = slice(start, start + len(top))
            found[part], cosines[part] = np.where(cosine > 0, top, 0), cosine
            advance(len(top))
    return found, cosines


def _rarer(words: sparse.csr_matrix) -> sparse.csr_matrix:
    """`words` (n, W) without the commonest, so that at most _MOST_PAIRS pairs of texts share a word."""
    used = np.bincount(words.indices, minlength=words.shape[1]).astype(np.float64)
    order = np.argsort(used, kind="stable")
    kept = np.zeros(words.shape[1], np.float32)
    kept[order[np.cumsum(used[order] ** 2) <= _MOST_PAIRS]] = 1
    rarer: sparse.csr_matrix = (words @ sparse.diags(kept)).tocsr()
    rarer.eliminate_zeros()
    return rarer


def _index(rows: FloatArray) -> faiss.IndexFlatIP | faiss.IndexIVFFlat:
    exact = faiss.IndexFlatIP(rows.shape[1])
    if len(rows) <= _EXACT_UP_TO:
        exact.add(rows)
        return exact
    cells = int(np.sqrt(len(rows)))
    index = faiss.IndexIVFFlat(exact, rows.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.seed = 10, 1
    index.train(rows)
    index.add(rows)
    index.nprobe = _CELLS_VISITED
    return index
