"""The weights of fusion's log-linear prior, by small steps that improve NDCG@10."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from recsys.arrays import DoubleArray, IntArray
from recsys.models.fusion import Fusion, FusionShape

# How far a first step goes; the positive weights move by factors, the others by sums.
FACTORS = {"network": 1.4, "text": 1.6, "words": 1.6, "own": 2.5, "floor": 2.0}
SUMS = {"popularity": 0.08, "recent": 0.15, "cold": 0.3}
ROUNDS = 3
REQUESTS = 3000  # that steps are compared on
K = 10


def fit_prior_by_coordinate_ascent(
    fusion: Fusion, signals: Tensor, labels: Tensor, mask: Tensor, targets: Tensor, seed: int = 0
) -> FusionShape:
    """The shape of `fusion` with weights that give a better mean NDCG@10 of the prior on these requests.

    One weight is moved at a time, and stays moved if the gain is above one standard error of its paired
    difference; after a round without any move the steps are halved. So a small shop keeps the weights
    that are right for most shops, and a large one gets its own. The likelihood would be smoother but is the
    wrong objective: the many targets far down the list dominate it, at the expense of the first ten places.

    Args:
        signals: (R, C, S). labels, mask: (R, C). targets: (R,) how many items came true.
    """
    rows = torch.from_numpy(np.random.default_rng(seed).permutation(len(labels))[:REQUESTS].copy())
    sample = signals[rows], (labels & mask)[rows], mask[rows], targets[rows]
    shape, best = fusion.shape, _prior_ndcg(fusion.shape, *sample)
    size = 1.0
    for _ in range(ROUNDS):
        moved = False
        for name in (*FACTORS, *SUMS):
            for direction in (size, -size):
                trial = _move_weight(shape, name, direction)
                while is_significantly_better(values := _prior_ndcg(trial, *sample), best):
                    shape, best, moved = trial, values, True
                    trial = _move_weight(shape, name, direction)
        size = size if moved else size / 2
    return shape


def ndcg_values(scores: Tensor, labels: Tensor, mask: Tensor, targets: Tensor, k: int = K) -> DoubleArray:
    """(R,) NDCG@k of each request's candidates; targets outside the candidates count as missed."""
    top = scores.masked_fill(~mask, float("-inf")).topk(min(k, scores.shape[1]), dim=1).indices
    hits = torch.gather(labels & mask, 1, top).double()
    discount = 1 / torch.log2(torch.arange(2, k + 2, dtype=torch.float64))
    ideal = discount.cumsum(0)[targets.clamp(1, k) - 1]
    values: DoubleArray = (hits @ discount[: top.shape[1]] / ideal).numpy()
    return values


def _prior_ndcg(
    shape: FusionShape, signals: Tensor, labels: Tensor, mask: Tensor, targets: Tensor
) -> DoubleArray:
    with torch.inference_mode():
        return ndcg_values(Fusion(shape).prior_score(signals), labels, mask, targets)


def _move_weight(shape: FusionShape, name: str, step: float) -> FusionShape:
    value = getattr(shape, name)
    if name in FACTORS:
        return replace(shape, **{name: value * FACTORS[name] ** step})
    return replace(shape, **{name: value + SUMS[name] * step})


def is_significantly_better(trial: DoubleArray, best: DoubleArray, errors: float = 1.0) -> bool:
    """Whether the mean paired gain of `trial` over `best` (R,) is above so many standard errors."""
    gain = trial - best
    return bool(gain.mean() > errors * gain.std() / np.sqrt(len(gain)) and gain.mean() > 0)


def mean_by_user(values: DoubleArray, users: IntArray) -> DoubleArray:
    """(U,) the mean of each user's values (R,): several requests of one user are not independent.

    >>> mean_by_user(np.array([1.0, 0.0, 0.5]), np.array([7, 7, 3])).tolist()
    [0.5, 0.5]
    """
    _, place = np.unique(users, return_inverse=True)
    means: DoubleArray = np.bincount(place, values) / np.bincount(place)
    return means
