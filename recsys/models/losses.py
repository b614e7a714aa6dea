"""What the retriever minimises: a softmax over items, of which a batch samples the columns."""

import torch
from torch import Tensor, nn


def inclusion_log_probability(frequency: Tensor, drawn: int, uniform: int, items: int) -> Tensor:
    """(C,) log of the chance that an item is among a batch's columns.

    The columns are the distinct items among `drawn` targets, which come with `frequency` (C,), and
    `uniform` draws from all `items`: log(1 - exp(-(drawn f_i + uniform / items))).
    """
    expected = drawn * frequency.double() + uniform / items
    return torch.log(-torch.expm1(-expected)).float()


def sampled_softmax(
    logits: Tensor, log_probability: Tensor, state: Tensor, column: Tensor, weight: Tensor
) -> Tensor:
    """The mean of -log softmax(logits - log q)[state, column] over P weighted pairs.

    Subtracting log q makes the sampled sum an estimate of the sum over all items, so that popular items,
    which are columns in nearly every batch, are not pushed down for it. With q = 1 everywhere (all items
    are columns) it is the full softmax. A state with several targets shares one normaliser.

    Paper: Bengio and Senecal 2008, doi 10.1109/TNN.2007.912312; Yi et al. 2019 (RecSys), eq. 4-5.

    Args:
        logits: (S, C) scores of S states for C columns.
        log_probability: (C,) log q.
        state: (P,) row of each pair. column: (P,) column of its target. weight: (P,) above 0.
    """
    logits = logits.float() - log_probability
    normaliser = logits.logsumexp(-1)  # (S,)
    loss = normaliser[state] - logits[state, column]  # (P,)
    return (loss * weight).sum() / weight.sum()


def listwise(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Softmax cross-entropy over each request's candidates, the mean over requests with a positive.

    Args:
        logits, labels, mask: (R, C); several positives share a request's weight evenly.
    """
    positive = labels & mask
    count = positive.sum(-1)  # (R,)
    log_share = logits.masked_fill(~mask, float("-inf")).log_softmax(-1)  # (R, C)
    summed = torch.where(positive, log_share, 0.0).sum(-1)  # (R,)
    some = count > 0
    return -(summed[some] / count[some]).sum() / some.sum().clamp(min=1)


def pointwise(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy, the mean over all candidates: what gives a logit its absolute level."""
    return nn.functional.binary_cross_entropy_with_logits(logits[mask], labels[mask].float())
