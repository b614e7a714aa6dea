"""The items of training that are nearest to a text or a content, found without a look at each in full."""

from collections.abc import Callable
from functools import cached_property
from threading import Lock

from recsys.arrays import FloatArray, IntArray
from recsys.retrieval.coded_rows import RowScan

NEAR_TEXTS = 2048  # beyond, a text has no place among the nearest of an item's
NEAR_CONTENTS = 200


class NearItems:
    """Scans over what is known of the items of training; made when first asked. For many threads.

    Args:
        texts: gives their texts (N + 1, T), unit rows. contents: gives what else is known of them (N + 1, D).
    """

    def __init__(self, texts: Callable[[], FloatArray], contents: Callable[[], FloatArray]) -> None:
        self._read_texts, self._read_contents = texts, contents
        self._lock = Lock()

    def by_text(self, vectors: FloatArray) -> IntArray:
        """(K, C) the items with the texts nearest to vectors (K, T); 0 = none."""
        with self._lock:
            scan = self._texts
        return scan.nearest(vectors, NEAR_TEXTS)

    def by_content(self, vectors: FloatArray) -> IntArray:
        """(K, C) the items with the contents nearest to vectors (K, D); 0 = none."""
        with self._lock:
            scan = self._contents
        return scan.nearest(vectors, NEAR_CONTENTS)

    @cached_property
    def _texts(self) -> RowScan:
        return RowScan(self._read_texts())

    @cached_property
    def _contents(self) -> RowScan:
        return RowScan(self._read_contents())
