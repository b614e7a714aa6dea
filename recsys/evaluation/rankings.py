"""The whole catalog ranked for every case; never a sample of it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import torch

from recsys import columns
from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.dataset.interactions import EvalCases, Interactions, Vocabulary
from recsys.dataset.split import histories_before
from recsys.errors import DataError
from recsys.evaluation.scorer import Scorer
from recsys.metrics import hits_at, ndcg, target_ranks
from recsys.progress import Progress, silent

Seen = Literal["keep", "remove"]
_CELLS_AT_ONCE = 8_000_000  # scores held at a time: 32 MB, and a few temporary arrays as large


@dataclass(frozen=True)
class Rankings:
    """The first K items for each of U cases.

    Attributes:
        user_index: (U,) int64.
        items: (U, K) int64 item indexes from the best, 0 = no further item.
        scores: (U, K) float32, what the model gave; -inf where there is no item.
    """

    user_index: IntArray
    items: IntArray
    scores: FloatArray

    def __len__(self) -> int:
        return len(self.user_index)

    def table(self, users: Vocabulary, items: Vocabulary) -> pa.Table:
        """One row an item shown: user_id, item_id, rank (from 1), score."""
        case, place = np.nonzero(self.items)
        user_ids, item_ids = pa.array(users.ids, pa.string()), pa.array(items.ids, pa.string())
        return pa.table(
            {
                columns.USER_ID: user_ids.take(self.user_index[case]),
                columns.ITEM_ID: item_ids.take(self.items[case, place]),
                "rank": pa.array(place + 1, pa.int32()),
                "score": pa.array(self.scores[case, place], pa.float32()),
            }
        )


def rank_catalog(
    scorer: Scorer,
    cases: EvalCases,
    interactions: Interactions,
    k: int,
    seen: Seen = "remove",
    batch: int | None = None,
    progress: Progress = silent,
) -> Rankings:
    """The `k` best items of the whole catalog for each case; equal scores by item index.

    Args:
        interactions: all actions; with `seen="remove"` a case's items from strictly before its
            instant are left out.
        batch: cases scored at a time; by default as many as keep memory bounded.

    Raises:
        DataError: the scorer gave another shape, or a value that is not a number.
    """
    size = len(interactions.items)
    k = min(k, size - 1)
    batch = batch or min(max(_CELLS_AT_ONCE // size, 16), 1024)
    items, scores = np.zeros((len(cases), k), np.int64), np.zeros((len(cases), k), np.float32)
    with progress(f"ranking by {scorer.name}", len(cases)) as advance:
        for start in range(0, len(cases), batch):
            part = cases.take(np.arange(start, min(start + batch, len(cases))))
            matrix = _scored(scorer, part, size)
            if seen == "remove":
                row, item = seen_items(interactions, part)
                matrix[row, item] = -np.inf
            found, values = top_k(matrix, k)
            if np.isnan(values[:, :1]).any():
                raise DataError(
                    f"{scorer.name} gave a score that is not a number. Check its training for divergence."
                )
            items[start : start + len(part)], scores[start : start + len(part)] = found, values
            advance(len(part))
    return Rankings(cases.user_index, items, scores)


def seen_of(repeats: bool) -> Seen:
    """Whether to keep what a user had before, where people take things again or not."""
    return "keep" if repeats else "remove"


def list_ndcg(items: IntArray, cases: EvalCases, k: int) -> DoubleArray:
    """(U,) NDCG@k of each case's list of item indexes (U, P), 0 = none."""
    hits = hits_at(target_ranks(items[:, :k], cases.target_offsets, cases.targets), cases.target_offsets, k)
    return ndcg(hits, np.diff(cases.target_offsets), k)


def seen_items(interactions: Interactions, cases: EvalCases) -> tuple[IntArray, IntArray]:
    """What each case's user acted on strictly before its instant: rows of `cases` and item indexes."""
    case, action = histories_before(interactions, cases)
    return case, interactions.item_index[action]


def top_k(scores: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    """The `k` best columns of each row and their scores; equal scores by column; -inf is no item.

    NaN comes first, before every number.

    >>> items, _ = top_k(np.array([[0, 1, 3, 3, 2]], np.float32), 3)
    >>> items
    array([[2, 3, 4]])
    """
    found = torch.topk(torch.from_numpy(scores), min(k + 1, scores.shape[1]))
    values, items = found.values.numpy(), found.indices.numpy()
    # topk is free to take any of several equal scores at the edge: those rows are done again.
    torn = values[:, k - 1] == values[:, k] if values.shape[1] > k else np.zeros(len(values), np.bool_)
    values, items = values[:, :k].copy(), items[:, :k].copy()
    for row in np.flatnonzero(torn & np.isfinite(values[:, -1])):
        inside = np.flatnonzero(scores[row] >= values[row, -1])
        items[row] = inside[np.argsort(-scores[row, inside], kind="stable")[:k]]
        values[row] = scores[row, items[row]]
    tied = np.flatnonzero((values[:, 1:] == values[:, :-1]).any(axis=1) & ~torn)
    order = np.lexsort((items[tied], -values[tied]), axis=-1)
    items[tied] = np.take_along_axis(items[tied], order, axis=1)  # equal values stay as they are
    return np.where(np.isneginf(values), 0, items), values


def _scored(scorer: Scorer, cases: EvalCases, size: int) -> FloatArray:
    """The scorer's matrix, checked and fit to be written to, without the padding column's score."""
    matrix = np.array(scorer.score(cases), np.float32, order="C")
    if matrix.shape != (len(cases), size):
        raise DataError(
            f"{scorer.name} scored {matrix.shape}, expected {(len(cases), size)}: one row a case, one column "
            "an item index, padding included. Rebuild it for this catalog."
        )
    matrix[:, 0] = -np.inf
    return matrix
