"""A user's last actions as padded arrays: the input of the user tower, in training and in serving alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import IntArray
from recsys.dataset.interactions import Vocabulary


@dataclass(frozen=True)
class Histories:
    """B histories of up to L actions, oldest first, right-aligned (padding, if any, on the left).

    Attributes:
        items: (B, L) int64 item indexes, 0 = padding or an item unknown to the vocabulary.
        kinds: (B, L) int64 kind codes, 0 = padding.
        at_seconds: (B, L) int64 Unix seconds, 0 = padding.
        request_at_seconds: (B,) int64 Unix seconds of the request.
    """

    items: IntArray
    kinds: IntArray
    at_seconds: IntArray
    request_at_seconds: IntArray

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: IntArray | slice) -> "Histories":
        """Only these rows, in this order."""
        return Histories(
            self.items[rows], self.kinds[rows], self.at_seconds[rows], self.request_at_seconds[rows]
        )


def histories_from_features(
    item_keys: Sequence[IntArray],
    kinds: Sequence[IntArray],
    at_seconds: Sequence[IntArray],
    request_at_seconds: IntArray,
    vocabulary: Vocabulary,
    length: int,
) -> Histories:
    """Histories from the arrays of the `user_history` view, one row a request.

    A missing row is an empty array. Items that `vocabulary` lacks are left out, the rest moves together.
    """
    rows = len(item_keys)
    items = np.zeros((rows, length), np.int64)  # (B, L)
    kind_codes = np.zeros((rows, length), np.int64)  # (B, L)
    instants = np.zeros((rows, length), np.int64)  # (B, L)
    for row in range(rows):
        index = vocabulary.indexes_of_keys(np.asarray(item_keys[row], np.int64))
        known = np.flatnonzero(index)[-length:]
        if len(known):
            items[row, -len(known) :] = index[known]
            kind_codes[row, -len(known) :] = np.asarray(kinds[row], np.int64)[known]
            instants[row, -len(known) :] = np.asarray(at_seconds[row], np.int64)[known]
    return Histories(items, kind_codes, instants, np.asarray(request_at_seconds, np.int64))
