"""Windows of users' last actions as flat arrays, and the histories that models read from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys.arrays import IntArray
from recsys.dataset.interactions import Histories, Vocabulary


@dataclass(frozen=True)
class HistoryWindows:
    """W windows over A actions, each oldest first: window w is about `place[offsets[w]:offsets[w + 1]]`.

    Windows of one user overlap, so each action is held once however many of them it is in.

    Attributes:
        item_keys: (A,) stable keys.
        kinds: (A,) kind codes.
        at_seconds: (A,) Unix seconds.
        place: (T,) int64 into the actions.
        offsets: (W + 1,) int64 into `place`.
    """

    item_keys: IntArray
    kinds: IntArray
    at_seconds: IntArray
    place: IntArray
    offsets: IntArray

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True)
class WindowsPart:
    """Windows of some of the rows that asked; a row that is in no part has no history.

    Attributes:
        rows: (W,) int64, which row asked for each window.
    """

    rows: IntArray
    windows: HistoryWindows


def windows_of_lists(
    item_keys: Sequence[npt.NDArray[np.int64]],
    kinds: Sequence[npt.NDArray[np.integer]],
    at_seconds: Sequence[npt.NDArray[np.int64]],
) -> HistoryWindows:
    """The windows of parallel arrays, one of each a row, as a training set holds them."""
    offsets = np.cumsum([0, *(len(row) for row in item_keys)]).astype(np.int64)

    def flat(lists: Sequence[npt.NDArray[np.integer]]) -> IntArray:
        return np.concatenate([np.zeros(0, np.int64), *lists]).astype(np.int64)

    return HistoryWindows(flat(item_keys), flat(kinds), flat(at_seconds), np.arange(offsets[-1]), offsets)


def histories_from_windows(
    parts: Iterable[WindowsPart], request_at_seconds: IntArray, vocabulary: Vocabulary, length: int
) -> Histories:
    """The last `length` actions of each request's window, of items that `vocabulary` knows.

    The rest moves together, as in `recsys.dataset.interactions.histories_from_features`.

    Args:
        parts: rows are places in `request_at_seconds` (B,).
    """
    shape = (len(request_at_seconds), length)
    items, kinds, at_seconds = (np.zeros(shape, np.int64) for _ in range(3))  # (B, L)
    for part in parts:
        windows = part.windows
        index = vocabulary.indexes_of_keys(windows.item_keys)
        owner = np.repeat(np.arange(len(windows)), np.diff(windows.offsets))
        known = index[windows.place] > 0
        owner, place = owner[known], windows.place[known]
        ends = np.cumsum(np.bincount(owner, minlength=len(windows)))
        from_end = ends[owner] - np.arange(len(owner))  # 1 = the last action of its window
        kept = from_end <= length
        row, column, place = part.rows[owner[kept]], length - from_end[kept], place[kept]
        items[row, column] = index[place]
        kinds[row, column] = windows.kinds[place]
        at_seconds[row, column] = windows.at_seconds[place]
    return Histories(items, kinds, at_seconds, np.asarray(request_at_seconds, np.int64))
