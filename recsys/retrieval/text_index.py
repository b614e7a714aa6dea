"""Items by the meaning of their texts: all whose cosine with a query reaches a threshold, or the nearest.

Vectors are kept as 8-bit integers, and a query becomes 8-bit integers too, so that float32 adds the products
without any rounding. A cosine is then the same to the last bit however it was found, by the scan, for single
items, under a filter or for rows that came later: a total, its facets and its pages agree. (faiss does the
same: of integers that are signed it multiplies only the low 8 bits of a query.)
"""

from copy import copy
from typing import Any

import faiss
import numpy as np

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.retrieval.coded_rows import CodedQuery, Scale, build_scan
from recsys.retrieval.dense_index import DELTA_UP_TO, top_places
from recsys.versions.spare_capacity import SpareCapacity

BACKGROUND = 1024  # items that say how near a query is to anything at all
_WIDE = 0.25  # of the rows: where more are allowed, a scan of all is quicker than one that skips
_SMALLEST = 1e-6  # of a deviation


class TextIndex:
    """Answers by cosine with text vectors; rows without a text, the padding among them, are never found.

    Every answer is exact with regard to the rows as integers, under any filter. A scan takes 18 microseconds
    for 1,000 rows of width 384, on one core; of a million rows it is quicker than nearest cells of k-means.
    """

    def __init__(self, vectors: FloatArray) -> None:
        """Args:
        vectors: (N + 1, E) unit rows; a zero row has no text.
        """
        vectors = np.ascontiguousarray(vectors, np.float32)
        self._size = len(vectors)
        self._rows = _rows_with_text(vectors)
        texts = vectors[self._rows]
        self._scale = Scale.of(texts)
        self._place = _places(self._rows, len(vectors))
        self._codes = self._scale.codes(texts).astype(np.int8)
        self._scan = build_scan(self._codes)
        step = max(1, len(self._rows) // BACKGROUND)
        self._background = self._codes[::step][:BACKGROUND].astype(np.float32)
        self._spare = SpareCapacity()
        self._late = np.zeros(0, np.int64)  # rows that changed or came later, ascending
        self._late_codes = np.zeros((0, vectors.shape[1]), np.float32)
        self._late_text: BoolArray = np.zeros(0, bool)

    def __len__(self) -> int:
        """N + 1."""
        return self._size

    @property
    def width(self) -> int:
        """E, of a vector."""
        return len(self._scale.mean)

    @property
    def delta(self) -> int:
        """How many rows lie beside the main index."""
        return len(self._late)

    def with_rows(self, vectors: FloatArray, changed: IntArray) -> "TextIndex":
        """An index over `vectors` for little work; this one stays as it is.

        Args:
            vectors: (N' + 1, E): this index's rows but for those in `changed`, and N' - N new ones.
            changed: (C,) rows that differ; new ones may be among them.
        """
        rows = np.unique(np.concatenate([self._late, changed, np.arange(self._size, len(vectors))]))
        if len(rows) > DELTA_UP_TO:
            return TextIndex(vectors)
        other, new = copy(self), np.union1d(changed, np.arange(self._size, len(vectors)))
        texts = np.ascontiguousarray(vectors[new], np.float32)
        stay, place = ~np.isin(self._late, new), np.searchsorted(rows, new)
        others = np.delete(np.arange(len(rows)), place)
        codes, with_text = np.empty((len(rows), self.width), np.float32), np.empty(len(rows), bool)
        codes[place], with_text[place] = self._scale.codes(texts), texts.any(1)
        codes[others], with_text[others] = self._late_codes[stay], self._late_text[stay]
        other._size, other._late = len(vectors), rows
        other._late_codes, other._late_text = codes, with_text
        nowhere = np.full(len(new), -1)
        other._place = self._spare.with_rows("place", self._place, len(vectors), new, nowhere)
        return other

    def above(
        self, vector: FloatArray, threshold: float, allowed: BoolArray | None = None
    ) -> tuple[IntArray, FloatArray]:
        """ALL rows whose cosine with `vector` (E,) is at least `threshold`, ascending, and their cosines.

        Args:
            allowed: (N + 1,) only rows where it holds are found.
        """
        query = self._scale.query(vector)
        wide = allowed is not None and np.count_nonzero(allowed) > _WIDE * len(allowed)
        parameters = self._parameters(None if wide else allowed)
        _, products, places = self._scan.range_search(
            query.numbers[None], query.least_product(threshold), params=parameters
        )
        rows, cosines = self._with_late(query, self._rows[places], query.cosines(products), allowed)
        kept = cosines >= np.float32(threshold)
        if wide and allowed is not None:
            kept &= allowed[rows]
        rows, cosines = rows[kept], cosines[kept]
        order = np.argsort(rows)
        return rows[order], cosines[order]

    def top(
        self, vector: FloatArray, count: int, allowed: BoolArray | None = None
    ) -> tuple[IntArray, FloatArray]:
        """The `count` rows with the largest cosine with `vector` (E,), best first, and the cosines.

        Fewer only where fewer have a text and are allowed. Equal ones in the order of rows.

        Args:
            allowed: (N + 1,) only rows where it holds are found.
        """
        if count < 1:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        rows, cosines = self._scanned(self._scale.query(vector), count, allowed)
        best = top_places(cosines, count)
        return rows[best], cosines[best]

    def cosines(self, vector: FloatArray, index: IntArray) -> FloatArray:
        """(K,) cosines of `vector` (E,) with the rows `index`; 0 for rows without a text."""
        query = self._scale.query(vector)
        products = np.full(len(index), np.nan, np.float32)
        place = self._place[index]
        main = place >= 0
        products[main] = self._codes[place[main]].astype(np.float32) @ query.numbers
        if len(self._late):
            late = np.searchsorted(self._late, index).clip(max=len(self._late) - 1)
            is_late = (self._late[late] == index) & self._late_text[late]
            products[is_late] = self._late_codes[late[is_late]] @ query.numbers
        cosines = query.cosines(products)
        return np.nan_to_num(cosines, copy=False)

    def centre(self, index: IntArray) -> FloatArray:
        """(E,) the mean of the rows `index` that have a text; a cosine with it is the mean of theirs."""
        place = self._place[index]
        codes = [self._codes[place[place >= 0]].astype(np.float32)]
        if len(self._late):
            late = np.flatnonzero(np.isin(self._late, index) & self._late_text)
            codes.append(self._late_codes[late])
        rows = np.concatenate(codes)
        if not len(rows):
            return np.zeros(rows.shape[1], np.float32)
        mean: FloatArray = rows.mean(0) / self._scale.factor + self._scale.mean
        return mean

    def background(self, vector: FloatArray) -> tuple[float, float]:
        """Mean and standard deviation of the cosines of `vector` (E,) with a fixed sample of items.

        What a cosine says depends on how near the query is to anything at all, which differs by encoder and
        by query.
        """
        if not len(self._background):
            return 0.0, 1.0
        query = self._scale.query(vector)
        cosines = query.cosines(self._background @ query.numbers)
        return float(cosines.mean()), max(float(cosines.std()), _SMALLEST)

    def _scanned(
        self, query: CodedQuery, count: int, allowed: BoolArray | None
    ) -> tuple[IntArray, FloatArray]:
        """Rows in ascending order, the `count` nearest among them, and their cosines."""
        # Rows that changed stay in the scan, where they may take the places of others.
        depth = min(count + len(self._late), len(self._rows))
        if not depth:
            rows, cosines = np.zeros(0, np.int64), np.zeros(0, np.float32)
        else:
            products, places = self._scan.search(query.numbers[None], depth, params=self._parameters(allowed))
            filled = places[0] >= 0
            rows, cosines = self._rows[places[0][filled]], query.cosines(products[0][filled])
        rows, cosines = self._with_late(query, rows, cosines, allowed)
        order = np.argsort(rows)
        return rows[order], cosines[order]

    def _with_late(
        self, query: CodedQuery, rows: IntArray, cosines: FloatArray, allowed: BoolArray | None
    ) -> tuple[IntArray, FloatArray]:
        """What the scan found, without rows that changed since, and all of these as they are now."""
        if not len(self._late):
            return rows, cosines
        kept = self._place[rows] >= 0
        some = self._late_text if allowed is None else self._late_text & allowed[self._late]
        late = query.cosines(self._late_codes[some] @ query.numbers)
        return np.concatenate([rows[kept], self._late[some]]), np.concatenate([cosines[kept], late])

    def _parameters(self, allowed: BoolArray | None) -> Any:
        if allowed is None:
            return None
        bits = np.packbits(allowed[self._rows], bitorder="little")
        selector: Any = faiss.IDSelectorBitmap  # its stub is of C++, where a size is given too
        parameters: Any = faiss.SearchParametersIVF
        return parameters(sel=selector(bits), nprobe=1)


def _rows_with_text(vectors: FloatArray) -> IntArray:
    with_text = np.asarray(vectors.any(1))
    with_text[0] = False
    return np.flatnonzero(with_text)


def _places(rows: IntArray, size: int) -> IntArray:
    """(size,) the place of each row in `rows`; -1 for those that are not there."""
    place = np.full(size, -1, np.int64)
    place[rows] = np.arange(len(rows))
    return place
