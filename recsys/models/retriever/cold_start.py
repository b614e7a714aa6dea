"""What the model may guess of an item that few or none have met: a residual, and which items read alike."""

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import FloatArray, IntArray

COLD_EVENTS = 5.0  # an item with so many training events is half cold
ALIKE = 20  # items that are asked
_SHARPNESS = 4.0
_ROWS_AT_ONCE = 256  # bounds the (rows, N) cosines


def knn_residuals(content: Tensor, known: Tensor, residual: Tensor) -> Tensor:
    """(K, D) residuals for new items: the mean of those of the ALIKE known items with the most alike content.

        e_new = sum over j of w_j e_j / sum of w_j,    w_j = max(cos(content_new, content_j), 0)^4

    The residual is what an item's own buyers taught the model, and it is as long as the content's vector:
    without one a new item would stand apart from all others, out of reach of those whom it suits. What alike
    items share of it is the best guess (k-nearest-neighbour regression of the residual on the content).

    Args:
        content: (K, D). known: (M, D) unit rows of the items that lend. residual: (M, D) theirs.
    """
    parts = [residual.new_zeros(0, residual.shape[1])]
    for part in torch.split(nn.functional.normalize(content, dim=-1), _ROWS_AT_ONCE):
        cosines, nearest = (part @ known.T).topk(min(ALIKE, len(known)))  # (k, ALIKE)
        weights = cosines.clamp(min=0) ** _SHARPNESS
        weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)
        parts.append((residual[nearest] * weights.unsqueeze(-1)).sum(1))
    return torch.cat(parts)


def shrink_residuals(content: Tensor, residual: Tensor, events: Tensor) -> Tensor:
    """(N + 1, D) residuals after training, where those of items that few have met have faded.

        e'_m = n / (n + 5) e_m + 5 / (n + 5) e_new(m)

    A softmax teaches of an item without events only that it was never right. So what it learned counts as
    far as there were events n to learn from, and what is borrowed from familiar items with alike content
    (`knn_residuals`) takes its place. Familiar items, those with more than 5 events, keep theirs.

    Args:
        content: (N + 1, D). residual: (N + 1, D), row 0 zero. events: (N + 1,) training events.
    """
    familiar = events > COLD_EVENTS
    faded = ~familiar
    faded[0] = False
    if not familiar.any():
        return residual
    lenders = nn.functional.normalize(content[familiar], dim=-1)
    borrowed = knn_residuals(content[faded], lenders, residual[familiar])
    own = (events[faded] / (events[faded] + COLD_EVENTS)).unsqueeze(-1)
    out = residual.clone()
    out[faded] = own * residual[faded] + (1 - own) * borrowed
    return out


def read_alike(
    neighbours: IntArray, scores: FloatArray, size: int, index: IntArray, cosines: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Both tables with `size` rows, where items with a new text are neighbours of those they read like.

    And the reverse, which is how a history brings them in. A row keeps its M strongest neighbours, in any
    order; what the items' old texts had brought is gone.

    Args:
        neighbours: (N + 1, M) indexes, 0 = none. scores: (N + 1, M) cosines, above 0.
        index: (K,) items with a new text. cosines: (K, C) of their texts with the items 0 .. C - 1.
    """
    width = neighbours.shape[1]
    found, alike = np.zeros((size, width), np.int64), np.zeros((size, width), np.float32)
    found[: len(neighbours)], alike[: len(scores)] = neighbours, scores
    gone = np.isin(found, index)
    found[gone], alike[gone] = 0, 0
    if not width:
        return found, alike
    weakest = alike.min(1)  # (size,)
    for item, row in zip(index.tolist(), cosines, strict=True):
        others = row.copy()
        others[[0, item] if item < len(row) else [0]] = 0
        best = _largest(others, width)
        found[item], alike[item] = 0, 0
        found[item, : len(best)] = np.where(others[best] > 0, best, 0)
        alike[item, : len(best)] = np.maximum(others[best], 0)
        rows = np.flatnonzero(others > weakest[: len(others)])
        place = alike[rows].argmin(1)
        found[rows, place], alike[rows, place] = item, others[rows]
        rows = np.append(rows, item)
        weakest[rows] = alike[rows].min(1)
    return found, alike


def _largest(values: FloatArray, count: int) -> IntArray:
    """The places of the `count` largest values."""
    if len(values) <= count:
        return np.arange(len(values))
    largest: IntArray = np.argpartition(-values, count)[:count]
    return largest
