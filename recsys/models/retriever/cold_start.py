"""The residual of an item with few events or none: a guess from familiar items with similar content."""

import torch
from torch import Tensor, nn

COLD_EVENTS = 5.0  # an item with so many training events is half cold
NEIGHBOURS = 20  # familiar items that a residual is the mean of
MOST_FAMILIAR = 30_000  # of them, those with the most events: all others' time is in proportion to it
_SHARPNESS = 4.0
_ROWS_AT_ONCE = 256  # bounds the (rows, N) cosines


def knn_residuals(content: Tensor, known: Tensor, residual: Tensor, near: Tensor | None = None) -> Tensor:
    """(K, D) residuals for new items: the mean of those of the NEIGHBOURS most similar known items.

        e_new = sum over j of w_j e_j / sum of w_j,    w_j = max(cos(content_new, content_j), 0)^4

    The residual is what an item's own buyers taught the model, and it is as long as the content's vector:
    without one a new item would stand apart from all others, out of reach of those whom it suits. What items
    of similar content share of it is the best guess (k-nearest-neighbour regression of the residual on the
    content).

    Args:
        content: (K, D). known: (M, D) unit rows of the known items. residual: (M, D) theirs.
        near: (K, C) known items, the most similar to each among them; None = look at all.
    """
    unit = nn.functional.normalize(content, dim=-1)
    found = residual.new_empty(len(unit), residual.shape[1])
    # One place for all parts: made anew, the allocator kept a hole of each, 12 GB for a million items.
    products = unit.new_empty(_ROWS_AT_ONCE if near is None else 0, len(known))
    for first in range(0, len(unit), _ROWS_AT_ONCE):
        part = unit[first : first + _ROWS_AT_ONCE]
        if near is None:
            cosines = torch.mm(part, known.T, out=products[: len(part)])  # (k, M)
        else:
            cosines = torch.einsum("kd,kcd->kc", part, known[near[first : first + len(part)]])  # (k, C)
        cosines, nearest = cosines.topk(min(NEIGHBOURS, cosines.shape[1]))  # (k, NEIGHBOURS)
        nearest = nearest if near is None else near[first : first + len(part)].gather(1, nearest)
        weights = cosines.clamp(min=0) ** _SHARPNESS
        weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)
        found[first : first + len(part)] = (residual[nearest] * weights.unsqueeze(-1)).sum(1)
    return found


def shrink_residuals(content: Tensor, residual: Tensor, events: Tensor) -> Tensor:
    """(N + 1, D) residuals after training, those of items with few events shrunk towards their neighbours'.

        e'_m = n / (n + 5) e_m + 5 / (n + 5) e_new(m)

    A softmax teaches of an item without events only that it was never right. So what it learned counts as
    far as there were events n to learn from, and the guess from familiar items of similar content
    (`knn_residuals`) takes its place. Familiar items, those with more than 5 events, keep theirs; of a large
    catalog the guess looks at the MOST_FAMILIAR ones.

    Args:
        content: (N + 1, D). residual: (N + 1, D), row 0 zero. events: (N + 1,) training events.
    """
    familiar = events > COLD_EVENTS
    cold = ~familiar
    cold[0] = False
    if not familiar.any():
        return residual
    looked_at = events.topk(min(int(familiar.sum()), MOST_FAMILIAR)).indices.sort().values
    known = nn.functional.normalize(content[looked_at], dim=-1)
    guessed = knn_residuals(content[cold], known, residual[looked_at])
    own = (events[cold] / (events[cold] + COLD_EVENTS)).unsqueeze(-1)
    out = residual.clone()
    out[cold] = own * residual[cold] + (1 - own) * guessed
    return out
