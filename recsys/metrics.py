"""Metrics of rankings, of lists and of probabilities: plain functions of arrays.

U cases, K places of a ranking, T targets of all cases together. A ranking metric takes `hits: (U, K)
bool`, true where the item at that place is a target, and returns one value a case, so that cases can
be resampled together. Relevance is binary; the best possible ranking has all targets first.
"""

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray

# -- rankings -----------------------------------------------------------------------------------


def target_ranks(items: IntArray, target_offsets: IntArray, targets: IntArray) -> IntArray:
    """(T,) int64: the place of each target in its case's ranking, from 1; 0 where it is not there.

    Args:
        items: (U, K) ranked item indexes without repetition, 0 = no item.
        target_offsets: (U + 1,); case c has `targets[target_offsets[c]:target_offsets[c + 1]]`.

    >>> target_ranks(np.array([[7, 8, 9], [7, 8, 9]]), np.array([0, 2, 3]), np.array([9, 5, 7]))
    array([3, 0, 1])
    """
    case = np.repeat(np.arange(len(items)), np.diff(target_offsets))
    if not len(targets) or not items.size:
        return np.zeros(len(targets), np.int64)
    width = int(max(items.max(), targets.max())) + 1
    keys = (np.arange(len(items))[:, None] * width + items).ravel()
    order = np.argsort(keys, kind="stable")
    wanted = case * width + targets
    place = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    found = keys[order[place]] == wanted
    return np.where(found, order[place] % items.shape[1] + 1, 0)


def hits_at(ranks: IntArray, target_offsets: IntArray, places: int) -> BoolArray:
    """(U, places) bool from the places of the targets, see `target_ranks`.

    >>> hits_at(np.array([3, 0, 1]), np.array([0, 2, 3]), 3).astype(int)
    array([[0, 0, 1],
           [1, 0, 0]])
    """
    hits = np.zeros((len(target_offsets) - 1, places), np.bool_)
    case = np.repeat(np.arange(len(hits)), np.diff(target_offsets))
    seen = (ranks > 0) & (ranks <= places)
    hits[case[seen], ranks[seen] - 1] = True
    return hits


def hit_rate(hits: BoolArray, k: int) -> DoubleArray:
    """(U,): HR@k = 1 if any of the first k is a target, else 0.

    >>> hit_rate(np.array([[0, 1, 1], [0, 0, 0]], bool), 2)
    array([1., 0.])
    """
    return np.asarray(hits[:, :k].any(axis=1), np.float64)


def recall(hits: BoolArray, targets: IntArray, k: int) -> DoubleArray:
    """(U,): recall@k = hits among the first k / number of targets.

    Args:
        targets: (U,) how many targets each case has, at least 1.

    >>> recall(np.array([[0, 1, 1], [0, 0, 0]], bool), np.array([4, 1]), 3)
    array([0.5, 0. ])
    """
    return np.asarray(hits[:, :k].sum(axis=1) / targets, np.float64)


def precision(hits: BoolArray, k: int) -> DoubleArray:
    """(U,): precision@k = hits among the first k / k.

    >>> precision(np.array([[0, 1, 1], [0, 0, 0]], bool), 2)
    array([0.5, 0. ])
    """
    return np.asarray(hits[:, :k].sum(axis=1) / k, np.float64)


def ndcg(hits: BoolArray, targets: IntArray, k: int) -> DoubleArray:
    """(U,): NDCG@k = DCG@k / the DCG@k of a ranking with all targets first.

    DCG@k = sum over p <= k of hit_p / log2(p + 1)

    >>> hits = np.array([[0, 1, 0], [1, 1, 0]], bool)
    >>> ndcg(hits, np.array([1, 2]), 3).round(4)  # 1 / log2(3) = .6309
    array([0.6309, 1.    ])
    """
    discount = 1 / np.log2(np.arange(2, max(k, 1) + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(targets, k)]
    places = min(k, hits.shape[1])
    return np.asarray(hits[:, :places] @ discount[:places] / ideal, np.float64)


def reciprocal_rank(hits: BoolArray, k: int) -> DoubleArray:
    """(U,): 1 / place of the first target among the first k, 0 if there is none; its mean is MRR@k.

    >>> reciprocal_rank(np.array([[0, 1, 1], [0, 0, 0]], bool), 3)
    array([0.5, 0. ])
    """
    head = hits[:, :k]
    return np.where(head.any(axis=1), 1 / (head.argmax(axis=1) + 1.0), 0.0)


def average_precision(hits: BoolArray, targets: IntArray, k: int) -> DoubleArray:
    """(U,): AP@k = sum over hit places p <= k of precision@p / number of targets; its mean is MAP@k.

    >>> average_precision(np.array([[1, 0, 1]], bool), np.array([2]), 3).round(4)  # (1 + 2/3) / 2
    array([0.8333])
    """
    head = hits[:, :k]
    precisions = np.cumsum(head, axis=1) / np.arange(1, head.shape[1] + 1)
    return np.asarray((precisions * head).sum(axis=1) / targets, np.float64)


# -- lists --------------------------------------------------------------------------------------


def coverage(items: IntArray, catalog: int) -> float:
    """The share of `catalog` items that at least one list shows; 0 in `items` is padding.

    >>> coverage(np.array([[1, 2], [2, 0]]), 4)
    0.5
    """
    shown = np.unique(items)
    return float((shown > 0).sum() / catalog)


def self_information(counts: IntArray) -> DoubleArray:
    """(N + 1,): -log2 of each item's share of all actions, an item without any counted as if it had one.

    >>> self_information(np.array([0, 4, 3, 1]))[1:].round(3)  # shares 1/2, 3/8, 1/8
    array([1.   , 1.415, 3.   ])
    """
    total = max(float(counts[1:].sum()), 1.0)
    return -np.log2(np.maximum(counts, 1) / total)


def novelty(items: IntArray, information: DoubleArray) -> DoubleArray:
    """(U,): the mean self-information, in bits, of a list's items; high = seldom chosen by others.

    >>> novelty(np.array([[1, 3], [1, 0]]), np.array([0.0, 1.0, 1.4, 3.0]))
    array([2., 1.])
    """
    some = items > 0
    total = np.where(some, information[items], 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(some.sum(axis=1), 1), np.float64)


def intra_list_diversity(items: IntArray, categories: IntArray) -> DoubleArray:
    """(U,): the share of pairs of a list's items that differ in category; 0 for fewer than two items.

    Args:
        categories: (N + 1,) a code for each item index; 0 = unknown, a category like any other.

    >>> intra_list_diversity(np.array([[1, 2, 3]]), np.array([0, 5, 5, 6])).round(4)  # 2 of 3 pairs
    array([0.6667])
    """
    some = items > 0
    codes = np.where(some, categories[items] + 1, 0)  # (U, K), 0 = no item
    rows = np.arange(len(items))[:, None] * (int(codes.max(initial=0)) + 1) + codes
    groups, counts = np.unique(rows[some], return_counts=True)
    owner = groups // (int(codes.max(initial=0)) + 1)
    same = np.bincount(owner, counts * (counts - 1) / 2, minlength=len(items))
    length = some.sum(axis=1)
    pairs = length * (length - 1) / 2
    return np.where(pairs > 0, 1 - same / np.maximum(pairs, 1), 0.0)


def overlap(items: IntArray, others: IntArray, k: int) -> DoubleArray:
    """(U,): overlap@k = the share of the longer list's first k that both lists have; 1 for two empty lists.

    Args:
        items, others: (U, K) ranked item indexes without repetition, 0 = no item.

    >>> overlap(np.array([[1, 2, 3], [4, 0, 0]]), np.array([[3, 2, 9], [4, 5, 0]]), 3).round(4)
    array([0.6667, 0.5   ])
    """
    depth = _longer(items[:, :k], others[:, :k])
    shared = _shared_until(items[:, :k], others[:, :k])
    return np.where(depth > 0, shared[:, -1] / np.maximum(depth, 1), 1.0)


def rank_biased_overlap(items: IntArray, others: IntArray, p: float = 0.9) -> DoubleArray:
    """(U,): how alike two rankings are, the first places counting most; 1 = the same, 0 = nothing in common.

    RBO = X_k / k p^k + (1 - p) / p sum over d <= k of X_d / d p^d, X_d the items that both have among their
    first d, k the length of the longer list: below k the agreement is taken to go on as it is at k.

    Paper: Webber et al. 2010, A Similarity Measure for Indefinite Rankings, eq. 30.

    Args:
        items, others: as in `overlap`, of equal width.
        p: how likely a reader goes on from one place to the next.

    >>> a = np.array([[1, 2], [1, 2], [1, 2]])
    >>> rank_biased_overlap(a, np.array([[1, 2], [2, 1], [3, 4]])).round(4)  # .9^2 + .1 / .9 (0 + .9^2) = .9
    array([1. , 0.9, 0. ])
    """
    depth = _longer(items, others)
    places = np.arange(1, items.shape[1] + 1)
    agreement = _shared_until(items, others) / places  # (U, K)
    weighted = np.where(places <= depth[:, None], agreement * p**places, 0.0).sum(axis=1)
    last = np.take_along_axis(agreement, np.maximum(depth - 1, 0)[:, None], axis=1)[:, 0]
    return np.where(depth > 0, last * p**depth + (1 - p) / p * weighted, 1.0)


def _longer(items: IntArray, others: IntArray) -> IntArray:
    """(U,) how many items the longer of the two lists has."""
    return np.asarray(np.maximum((items > 0).sum(axis=1), (others > 0).sum(axis=1)), np.int64)


def _shared_until(items: IntArray, others: IntArray) -> IntArray:
    """(U, K) how many items both lists have among their first 1, 2, ... K."""
    same = (items[:, :, None] == others[:, None, :]) & (items[:, :, None] > 0)  # (U, K, K)
    places = range(1, items.shape[1] + 1)
    return np.asarray(np.stack([same[:, :d, :d].sum(axis=(1, 2)) for d in places], axis=1), np.int64)


# -- probabilities --------------------------------------------------------------------------------


def auc(labels: BoolArray, scores: DoubleArray) -> float:
    """The probability that a positive is scored above a negative, a tie counting one half.

    AUC = (sum of the positives' mid-ranks - P (P + 1) / 2) / (P Q); NaN without both kinds.

    >>> auc(np.array([True, False, True, False]), np.array([0.9, 0.1, 0.4, 0.4]))
    0.875
    """
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return float("nan")
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mid_ranks = np.cumsum(counts) - (counts - 1) / 2
    total = float(mid_ranks[group[labels]].sum())
    return (total - positives * (positives + 1) / 2) / (positives * negatives)


def log_loss(labels: BoolArray, probabilities: DoubleArray) -> float:
    """The mean of -log p(what happened), in nats, p kept 1e-15 away from 0 and 1.

    >>> round(log_loss(np.array([True, False]), np.array([0.5, 0.5])), 4)  # log 2
    0.6931
    """
    p = np.clip(probabilities.astype(np.float64), 1e-15, 1 - 1e-15)
    return float(-np.where(labels, np.log(p), np.log1p(-p)).mean())


def expected_calibration_error(labels: BoolArray, probabilities: DoubleArray, bins: int = 15) -> float:
    """How far probabilities are from frequencies: sum over bins of n_b / n |mean p - mean label|.

    Bins hold (nearly) equally many rows, since click probabilities crowd near 0.
    Paper: Nixon et al. 2019, arXiv 1904.01685 (adaptive calibration error, positive class only).

    >>> p = np.array([0.0, 0.0, 1.0, 1.0])
    >>> expected_calibration_error(np.array([False, True, True, True]), p, bins=2)  # (|0 - .5| + 0) / 2
    0.25
    """
    if not len(labels):
        return float("nan")
    order = np.argsort(probabilities, kind="stable")
    errors = probabilities[order].astype(np.float64) - labels[order]
    parts = np.array_split(errors, min(bins, len(errors)))
    return float(sum(abs(part.sum()) for part in parts) / len(errors))
