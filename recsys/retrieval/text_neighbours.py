"""The items of most similar text: the nearest of each by its text's vector, and by its words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import pandas as pd
from scipy import sparse

from recsys.arrays import FloatArray, IntArray, SmallIntArray
from recsys.progress import Progress, silent
from recsys.retrieval.neighbours import top_of_rows, without_itself
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
    unit = np.ascontiguousarray(vectors[rows], np.float32)
    groups = _Groups.of(unit.view(np.dtype((np.void, unit.dtype.itemsize * unit.shape[1])))[:, 0])
    distinct = unit[groups.order[groups.starts[:-1]]]
    index = _index(distinct)
    with progress("nearest texts", len(rows)) as advance:
        for first, members, group in groups.blocks():
            cosine, place = index.search(unit[first], min(depth, len(distinct)))
            place, cosine = groups.members_of(place, np.where(cosine > 0, cosine, 0), depth)
            other = np.where(place >= 0, rows[place], 0)
            part = rows[members]
            found[part], cosines[part] = without_itself(part, other[group], cosine[group], count)
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
    groups = _Groups.of(np.asarray(texts, object))
    with progress("nearest words", len(texts)) as advance:
        for first, members, group in groups.blocks():
            shared: sparse.csr_matrix = (words[first] @ others).tocsr()
            shared.data[shared.indices == 0] = 0
            top, cosine = top_of_rows(shared, count + 1)
            found[members], cosines[members] = without_itself(members, top[group], cosine[group], count)
            advance(len(members))
    return found, cosines


@dataclass(frozen=True)
class _Groups:
    """Rows that are the same, as a catalog has many of one title: what is near one is near all of them.

    Attributes:
        order: (n,) rows, group by group. starts: (G + 1,) where each group begins in `order`.
    """

    order: IntArray
    starts: IntArray

    @classmethod
    def of(cls, values: np.ndarray[tuple[int, ...], np.dtype[Any]]) -> "_Groups":
        code, _ = pd.factorize(values)
        order = np.argsort(code, kind="stable")
        return cls(order, np.append(np.flatnonzero(np.diff(code[order], prepend=-1)), len(order)))

    def blocks(self) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
        """Of _ROWS_AT_ONCE groups: the first row of each, all rows, and for each of them its group."""
        for start in range(0, len(self.starts) - 1, _ROWS_AT_ONCE):
            edges = self.starts[start : start + _ROWS_AT_ONCE + 1]
            group = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
            yield self.order[edges[:-1]], self.order[edges[0] : edges[-1]], group

    def members_of(self, groups: IntArray, values: FloatArray, count: int) -> tuple[IntArray, FloatArray]:
        """The first `count` rows of some groups (B, G), one group after the other, and the groups' `values`.

        Both are (B, count); -1 and 0 where there are fewer. A group of -1 has no rows.
        """
        sizes = np.where(groups >= 0, np.diff(self.starts)[groups], 0)  # (B, G)
        before = np.cumsum(sizes, axis=1) - sizes
        taken = np.clip(count - before, 0, sizes)
        length = taken.sum(axis=1)
        places, kept = np.full((len(groups), count), -1, np.int64), np.zeros((len(groups), count), np.float32)
        inside = np.arange(count) < length[:, None]
        first = np.cumsum(taken) - taken.ravel()  # of each group, among all that are taken
        within = np.arange(length.sum()) - np.repeat(first, taken.ravel())
        places[inside] = self.order[np.repeat(self.starts[groups.ravel()], taken.ravel()) + within]
        kept[inside] = np.repeat(values.ravel(), taken.ravel())
        return places, kept


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
