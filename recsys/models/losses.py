"""What the retriever minimises: a softmax over items, of which a batch samples the columns, or BCE."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.utils.checkpoint import checkpoint

# Cells of the (S, C) logits held at once: what a core's cache holds, and what keeps a GPU busy.
_CPU_CELLS = 1 << 18
_GPU_CELLS = 1 << 26
_EXP_RANGE = 80.0  # exp(-80) is still a normal float32


def inclusion_log_probability(frequency: Tensor, drawn: int, uniform: int, items: int) -> Tensor:
    """(C,) log of the chance that an item is among a batch's columns.

    The columns are the distinct items among `drawn` targets, which come with `frequency` (C,), and
    `uniform` draws from all `items`: log(1 - exp(-(drawn f_i + uniform / items))).
    """
    expected = drawn * frequency.double() + uniform / items
    return torch.log(-torch.expm1(-expected)).float()


def sampled_softmax(
    users: Tensor, vectors: Tensor, log_probability: Tensor, state: Tensor, column: Tensor, weight: Tensor
) -> Tensor:
    """The mean of -log softmax(users vectors^T - log q)[state, column] over P weighted pairs.

    Subtracting log q makes the sampled sum an estimate of the sum over all items, so that popular items,
    which are columns in nearly every batch, are not pushed down for it. With q = 1 everywhere (all items
    are columns) it is the full softmax. A state with several targets shares one normaliser.

    Paper: Bengio and Senecal 2008, doi 10.1109/TNN.2007.912312; Yi et al. 2019 (RecSys), eq. 4-5.

    Args:
        users: (S, D) user vectors times the scale. vectors: (C, D) item vectors of the columns.
        log_probability: (C,) log q.
        state: (P,) row of each pair. column: (P,) column of its target. weight: (P,) above 0.
    """
    users, vectors, weight = users.float(), vectors.float(), weight / weight.sum()
    state_weight = torch.zeros(len(users), device=users.device).index_add(0, state, weight)  # (S,)
    normalisers: Tensor = _WeightedNormalisers.apply(  # type: ignore[no-untyped-call]
        users, vectors, log_probability, state_weight
    )
    chosen = (users[state] * vectors[column]).sum(-1) - log_probability[column]  # (P,)
    return normalisers - (chosen * weight).sum()


class _WeightedNormalisers(torch.autograd.Function):
    """sum over s of w_s logsumexp_c(users_s . vectors_c - log q_c), without ever holding all (S, C) logits.

    The gradient is made in the same pass, a few rows at a time: each cell is computed once and while it
    is in the cache, which on a processor is several times faster than autograd's passes over the whole.
    """

    @staticmethod
    def forward(ctx: Any, users: Tensor, vectors: Tensor, log_probability: Tensor, weight: Tensor) -> Tensor:
        on_gpu = users.device.type == "cuda"
        dtype = torch.bfloat16 if on_gpu else torch.float32
        columns, bias = vectors.to(dtype), -log_probability
        transposed = columns.T.contiguous()  # (D, C)
        top = None if on_gpu else _common_top(users, vectors, bias)
        bias = bias if top is None else bias - top
        user_gradient = torch.empty_like(users)
        vector_gradient = torch.zeros(transposed.shape, device=users.device)
        total = torch.zeros((), device=users.device)
        step = _rows_at_once(vectors)
        for start in range(0, len(users), step):
            rows = users[start : start + step].to(dtype)  # (s, D)
            cells = (rows @ transposed).float().add_(bias)  # (s, C)
            row_top = cells.amax(-1, keepdim=True) if top is None else top
            cells = cells.sub_(row_top) if top is None else cells
            summed = cells.exp_().sum(-1, keepdim=True)  # (s, 1)
            share = weight[start : start + step, None]  # (s, 1)
            total += ((summed.log() + row_top) * share).sum()
            # w softmax is cells x scale, a number a row: the few factors are scaled instead of the cells.
            scale, cells = share / summed, cells.to(dtype)
            user_gradient[start : start + step] = (cells @ columns).float() * scale
            vector_gradient += ((rows * scale.to(dtype)).T @ cells).float()
        ctx.save_for_backward(user_gradient, vector_gradient.T)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        user_gradient, vector_gradient = ctx.saved_tensors
        return gradients[0] * user_gradient, gradients[0] * vector_gradient, None, None


def _common_top(users: Tensor, vectors: Tensor, bias: Tensor) -> Tensor | None:
    """() what to take off all logits before exp; None where they lie too far apart for one number.

    Logits lie between -reach + min(bias) and top = reach + max(bias). If that is less than what exp of a
    float32 covers, none overflows and no row vanishes, and two passes over the cells are saved.
    """
    reach = users.norm(dim=-1).amax() * vectors.norm(dim=-1).amax()
    if float(2 * reach + bias.amax() - bias.amin()) > _EXP_RANGE:
        return None
    top: Tensor = reach + bias.amax()
    return top


def positive_exponent(t: float, rate: float) -> float:
    """beta of gBCE: the power that a positive's probability is raised to.

    With negatives sampled at a `rate` of the items, BCE teaches probabilities that are too high. t = 1
    undoes that, t = 0 is BCE; there is nothing to undo where every item is a negative.

    Paper: Petrov and Macdonald 2023 (gSASRec), arXiv 2308.07192: beta = rate (t (1 - 1 / rate) + 1 / rate).

    >>> positive_exponent(0.5, 0.25), positive_exponent(0.0, 0.25), positive_exponent(0.5, 1.0)
    (0.625, 1.0, 1.0)
    """
    return 1.0 - t * (1.0 - rate)


def even_log_odds(negatives: int, beta: float = 1.0) -> float:
    """The logit with the least loss where all items look the same: beta sigmoid(-s) = negatives sigmoid(s).

    >>> round(even_log_odds(100), 3)
    -4.605
    """
    return math.log(beta / max(1, negatives))


def binary_cross_entropy(
    users: Tensor,
    vectors: Tensor,
    drawn: Tensor,
    state: Tensor,
    column: Tensor,
    weight: Tensor,
    beta: float = 1.0,
    offset: float = 0.0,
) -> Tensor:
    """The weighted mean over P pairs of -(beta log sigmoid(s+) + sum over negatives of log sigmoid(-s)).

    The negatives of a pair are the drawn columns that are no target of its state. The logits of a few
    states are held at a time and computed again for the gradient. The paper divides a pair's loss by one
    and the number of its negatives; so small a gradient would drown in AdamW's epsilon.

    Args:
        users: (S, D) user vectors times the scale. vectors: (C, D) item vectors of the columns.
        drawn: (C,) bool, the columns that were drawn as negatives, whether or not they are targets too.
        state: (P,) row of each pair. column: (P,) column of its target. weight: (P,) above 0.
        beta: 1 is BCE, `positive_exponent` gBCE.
        offset: added to every logit. A cosine times its scale says which item rather than another; the
            offset says how rarely it is any of them, see `even_log_odds`.
    """
    users, vectors, weight = users.float(), vectors.float(), weight / weight.sum()
    state_weight = torch.zeros(len(users), device=users.device).index_add(0, state, weight)  # (S,)
    chosen = (users[state] * vectors[column]).sum(-1) + offset  # (P,)
    total: Tensor = beta * (softplus(-chosen) * weight).sum()
    step = _rows_at_once(vectors)
    for start in range(0, len(users), step):
        rows, share = users[start : start + step], state_weight[start : start + step]
        negative = drawn.expand(len(rows), -1).clone()  # (s, C)
        here = (state >= start) & (state < start + step)
        negative[state[here] - start, column[here]] = False
        total = total + checkpoint(_negatives, rows, vectors, negative, share, offset, use_reentrant=False)
    return total


def _negatives(rows: Tensor, vectors: Tensor, negative: Tensor, weight: Tensor, offset: float) -> Tensor:
    """sum over s of w_s (sum over c of -log sigmoid(-rows_s . vectors_c) where `negative` (s, C))."""
    return (torch.where(negative, softplus(rows @ vectors.T + offset), 0.0).sum(-1) * weight).sum()


def _rows_at_once(vectors: Tensor) -> int:
    return max(1, (_GPU_CELLS if vectors.device.type == "cuda" else _CPU_CELLS) // len(vectors))


def listwise_loss(logits: Tensor, labels: Tensor, mask: Tensor, weight: Tensor | None = None) -> Tensor:
    """Softmax cross-entropy over each request's candidates, the mean over requests with a positive.

    Args:
        logits, labels, mask: (R, C); several positives share a request's weight evenly.
        weight: (R,) of each request; None weighs all the same.
    """
    positive = labels & mask
    count = positive.sum(-1)  # (R,)
    log_share = logits.masked_fill(~mask, float("-inf")).log_softmax(-1)  # (R, C)
    summed = torch.where(positive, log_share, 0.0).sum(-1)  # (R,)
    some = count > 0
    losses = -summed[some] / count[some]
    if weight is None:
        return losses.sum() / some.sum().clamp(min=1)
    return (losses * weight[some]).sum() / weight[some].sum().clamp(min=1e-9)


def pointwise_loss(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy, the mean over all candidates: what gives a logit its absolute level."""
    return nn.functional.binary_cross_entropy_with_logits(logits[mask], labels[mask].float())
