"""What a click-through network maximises: the likelihood of clicks and conversions, down-sampled or not."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from recsys.arrays import DoubleArray


def log_click_probabilities(attraction: Tensor, seen: Tensor, unseen: Tensor) -> tuple[Tensor, Tensor]:
    """log p and log (1 - p) of p = examination x sigmoid(attraction), without cancellation.

    1 - p = (1 - sigmoid(a)) + (1 - examination) sigmoid(a).

    Args:
        attraction: (B,) logits. seen, unseen: (B,) log of the examination and of its contrary.
    """
    attracted = logsigmoid(attraction)
    return seen + attracted, torch.logaddexp(logsigmoid(-attraction), unseen + attracted)


def click_loss(log_click: Tensor, log_none: Tensor, clicked: Tensor, kept: float = 1.0) -> Tensor:
    """The mean of -log p(what happened | the impression was kept).

    Of impressions without a click a share `kept` is left. Among what is left a click has the probability
    p / Z, Z = p + kept (1 - p); with that likelihood the model's own p stays that of all impressions, with
    or without an examination, and needs no correction afterwards.

    Paper: He et al. 2014, Practical Lessons from Predicting Clicks on Ads at Facebook, section 6.3.

    Args:
        log_click, log_none: (B,) see `log_click_probabilities`. clicked: (B,) bool.
    """
    log_none = log_none + math.log(kept)
    total = torch.logaddexp(log_click, log_none)
    return (total - torch.where(clicked, log_click, log_none)).mean()


def conversion_loss(
    log_click: Tensor, log_none: Tensor, conversion: Tensor, bought: Tensor, kept: float = 1.0
) -> Tensor:
    """The mean of -log p(clicked and converted, or not) over all impressions, not only over clicks.

    p(clicked and converted) = p_click x p_conversion_given_click: a conversion rate learned from clicks alone
    would be asked about impressions of which most are never clicked.

    Paper: Ma et al. 2018 (ESMM), arXiv 1804.07931, eq. 3; down-sampling as in `click_loss`.

    Args:
        conversion: (B,) logits of a conversion after a click. bought: (B,) bool, clicked and converted.
    """
    log_none = log_none + math.log(kept)
    total = torch.logaddexp(log_click, log_none)
    both = log_click + logsigmoid(conversion)
    other = torch.logaddexp(log_click + logsigmoid(-conversion), log_none)
    return (total - torch.where(bought, both, other)).mean()


def undo_down_sampling(probabilities: DoubleArray, kept: float) -> DoubleArray:
    """Probabilities over all impressions, from those of a model that saw a share `kept` of the negatives.

    p = q / (q + (1 - q) / kept). For models whose likelihood does not know of it, as LightGBM.

    Paper: He et al. 2014, section 6.3.

    >>> undo_down_sampling(np.array([0.5]), 0.1).round(4)  # .5 / (.5 + .5 / .1) = 1 / 11
    array([0.0909])
    """
    return np.asarray(probabilities / (probabilities + (1 - probabilities) / kept), np.float64)
