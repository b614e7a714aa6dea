"""What the model may guess of an item that came after training, beyond its content."""

import torch
from torch import Tensor, nn

ALIKE = 20  # items that are asked
_SHARPNESS = 4.0
_ROWS_AT_ONCE = 256  # bounds the (rows, N) cosines


def borrowed_residuals(content: Tensor, known: Tensor, residual: Tensor) -> Tensor:
    """(K, D) residuals for new items: the mean of those of the ALIKE known items with the most alike content.

        e_new = sum over j of w_j e_j / sum of w_j,    w_j = max(cos(content_new, content_j), 0)^4

    The residual is what an item's own buyers taught the model, and it is as long as the content's vector:
    without one a new item would stand apart from all others, out of reach of those whom it suits. What alike
    items share of it is the best guess (k-nearest-neighbour regression of the residual on the content).

    Args:
        content: (K, D). known: (N + 1, D) unit rows of the items of training, row 0 zero.
        residual: (N + 1, D).
    """
    parts = [residual.new_zeros(0, residual.shape[1])]
    for part in torch.split(nn.functional.normalize(content, dim=-1), _ROWS_AT_ONCE):
        cosines, nearest = (part @ known.T).topk(min(ALIKE, len(known)))  # (k, ALIKE)
        weights = cosines.clamp(min=0) ** _SHARPNESS
        weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)
        parts.append((residual[nearest] * weights.unsqueeze(-1)).sum(1))
    return torch.cat(parts)
