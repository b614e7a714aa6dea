"""The items of training that are nearest to a text or a content, found without a look at each in full."""

from collections.abc import Callable
from functools import cached_property
from threading import Lock

from recsys.arrays import FloatArray, IntArray
from recsys.retrieval.coded_rows import RowScan

NEAR_TEXTS = 1024  # beyond, a text has no place among the nearest of an item's
NEAR_CONTENTS = 200


class NearItems:
    """Scans over what is known of the items of training; made when first asked. For many threads.

    Args:
        known: gives their texts (N + 1, T) and what is known of them in all (N + 1, D), unit rows.
    """

    def __init__(self, known: Callable[[], tuple[FloatArray, FloatArray]]) -> None:
        self._known = known
        self._lock = Lock()

    def by_text(self, vectors: FloatArray) -> IntArray:
        """(K, C) the items with the texts nearest to vectors (K, T); 0 = none."""
        return self._opened()[0].nearest(vectors, NEAR_TEXTS)

    def by_content(self, vectors: FloatArray) -> IntArray:
        """(K, C) the items with the contents nearest to vectors (K, D); 0 = none."""
        return self._opened()[1].nearest(vectors, NEAR_CONTENTS)

    def _opened(self) -> tuple[RowScan, RowScan]:
        with self._lock:
            return self._scans

    @cached_property
    def _scans(self) -> tuple[RowScan, RowScan]:
        texts, contents = self._known()
        return RowScan(texts), RowScan(contents)
