"""Metrics of click probabilities that look at users and at totals; others are in `recsys.metrics`."""

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray


def auc_by_user(
    clicked: BoolArray, probabilities: DoubleArray, user: IntArray
) -> tuple[DoubleArray, DoubleArray]:
    """(U,) the AUC of each user's own impressions, and (U,) how many there are, 0 without both labels.

    Args:
        user: (n,) codes 0 to U - 1. A user without both labels has AUC 0, which counts nothing.
    """
    users = int(user.max(initial=-1)) + 1
    # Mid-ranks within the user: ties have the mean of their places.
    order = np.lexsort((probabilities, user))
    p, owner = probabilities[order], user[order]
    new = np.concatenate([[True], (np.diff(p) != 0) | (np.diff(owner) != 0)])[: len(p)]
    group = np.cumsum(new) - 1
    sizes = np.bincount(group)
    starts = np.cumsum(sizes) - sizes
    before = np.cumsum(np.bincount(user, minlength=users)) - np.bincount(user, minlength=users)
    rank = starts[group] + (sizes[group] + 1) / 2 - before[owner]
    positives = np.bincount(user, clicked, users)
    impressions = np.bincount(user, minlength=users).astype(np.float64)
    pairs = positives * (impressions - positives)
    above = np.bincount(owner, rank * clicked[order], users) - positives * (positives + 1) / 2
    both = pairs > 0
    return np.where(both, above / np.where(both, pairs, 1.0), 0.0), np.where(both, impressions, 0.0)


def grouped_auc(clicked: BoolArray, probabilities: DoubleArray, user: IntArray) -> float:
    """gAUC: the mean of each user's AUC, weighted by impressions; users with one kind of label left out.

    Paper: Zhou et al. 2018 (DIN), arXiv 1706.06978, eq. 10.

    >>> clicked, user = np.array([True, False, True, False, True]), np.array([7, 7, 8, 8, 9])
    >>> grouped_auc(clicked, np.array([0.9, 0.1, 0.2, 0.4, 0.5]), user)  # (1 + 0) / 2
    0.5
    """
    auc, weight = auc_by_user(clicked, probabilities, np.unique(user, return_inverse=True)[1])
    return float((auc * weight).sum() / weight.sum()) if weight.sum() else float("nan")


def pcoc(clicked: BoolArray, probabilities: DoubleArray) -> float:
    """Predicted clicks over clicks: 1 is right, above 1 too many are expected; NaN without a click.

    >>> pcoc(np.array([True, False]), np.array([0.7, 0.5]))
    1.2
    """
    clicks = int(clicked.sum())
    return float(probabilities.sum() / clicks) if clicks else float("nan")
