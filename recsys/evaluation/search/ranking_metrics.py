"""Metrics of rankings with graded judgments: one value a query, NaN where a metric means nothing.

An item without a judgment counts as not relevant; `judged@k` says how much of what is shown is judged.
"""

from collections.abc import Sequence

import numpy as np

from recsys import metrics
from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.evaluation.search.judgments import Judgments
from recsys.evaluation.search.rankings import Rankings


def ranking_values(
    judgments: Judgments, rankings: Rankings, cutoffs: Sequence[int], threshold: float, worthless: float = 0.0
) -> dict[str, DoubleArray]:
    """Metric name -> (Q,) values.

    NDCG, recall, precision and MRR are NaN for a query without anything to find; judged@k where nothing is
    shown.

    Args:
        threshold: a pair is relevant from this grade on.
        worthless: the grade that is worth nothing to NDCG; lower ones are worth nothing either.
    """
    places = metrics.target_ranks(rankings.items, judgments.offsets, judgments.items)  # (P,), 0 = not shown
    relevant = judgments.grades >= threshold
    offsets = np.concatenate([[0], np.cumsum(relevant)])[judgments.offsets]
    targets = np.diff(offsets)
    hits = metrics.hits_at(places[relevant], offsets, max(cutoffs))
    gains = np.maximum(judgments.grades - worthless, 0.0)
    known = targets > 0
    found: dict[str, DoubleArray] = {}
    for k in sorted(set(cutoffs)):
        found[f"ndcg@{k}"] = graded_ndcg(judgments, places, gains, k)
        found[f"recall@{k}"] = np.where(known, metrics.recall(hits, np.maximum(targets, 1), k), np.nan)
        found[f"precision@{k}"] = np.where(known, metrics.precision(hits, k), np.nan)
        found[f"judged@{k}"] = _judged_share(judgments, places, rankings, k)
    found[f"mrr@{max(cutoffs)}"] = np.where(known, metrics.reciprocal_rank(hits, max(cutoffs)), np.nan)
    return found


def graded_ndcg(judgments: Judgments, places: IntArray, gains: DoubleArray, k: int) -> DoubleArray:
    """(Q,) NDCG@k = DCG@k / the DCG@k of the judged items from the best; NaN without a gain above 0.

    DCG@k = sum over places p <= k of gain_p / log2(p + 1), Järvelin and Kekäläinen 2002.

    Args:
        places: (P,) of each judged pair in its query's ranking, from 1; 0 = not shown.
        gains: (P,) what finding a pair's item is worth.
    """
    query = judgments.query_of_pair
    order = np.lexsort((-gains, query))  # each query's pairs from the best, the queries as they stand
    ideal_places = np.empty(len(order), np.int64)
    ideal_places[order] = np.arange(len(order)) - judgments.offsets[query] + 1
    ideal = _dcg(query, ideal_places, gains, k, len(judgments))
    found = _dcg(query, places, gains, k, len(judgments))
    return np.where(ideal > 0, found / np.where(ideal > 0, ideal, 1.0), np.nan)


def pair_values(
    judgments: Judgments, scores: DoubleArray, cutoffs: Sequence[int], worthless: float = 0.0
) -> dict[str, DoubleArray]:
    """Metric name -> (Q,) of the judged pairs alone, in the order of their scores, (P,).

    `ndcg_judged@k` is NDCG@k of the judged items, equal scores by item index; `spearman_query` the rank
    correlation of score and grade, 0 where all scores are equal, NaN where all grades are.
    """
    query = judgments.query_of_pair
    order = np.lexsort((judgments.items, -scores, query))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order)) - judgments.offsets[query] + 1
    gains = np.maximum(judgments.grades - worthless, 0.0)
    found = {f"ndcg_judged@{k}": graded_ndcg(judgments, places, gains, k) for k in sorted(set(cutoffs))}
    found["spearman_query"] = _spearman_by_query(judgments, scores)
    return found


def _spearman_by_query(judgments: Judgments, scores: DoubleArray) -> DoubleArray:
    query, count = judgments.query_of_pair, np.diff(judgments.offsets)
    ranks, grades = (_centred_ranks(query, count, values) for values in (scores, judgments.grades))

    def summed(values: DoubleArray) -> DoubleArray:
        return np.asarray(np.bincount(query, values, len(judgments)), np.float64)

    spread, own = summed(grades**2), summed(ranks**2)
    both = (spread > 0) & (own > 0)
    found = np.where(both, summed(grades * ranks) / np.sqrt(np.where(both, spread * own, 1.0)), 0.0)
    return np.where(spread > 0, found, np.nan)


def _centred_ranks(query: IntArray, count: IntArray, values: DoubleArray) -> DoubleArray:
    """(P,) mid-rank of each value among its query's, less the query's mean rank."""
    _, code = np.unique(values, return_inverse=True)
    keys = query * (int(code.max(initial=0)) + 1) + code
    _, group, counts = np.unique(keys, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[group]  # over all queries, one after the other
    before = np.concatenate([[0], np.cumsum(count)[:-1]])
    return np.asarray(ranks - before[query] - (count[query] + 1) / 2, np.float64)


def _dcg(query: IntArray, places: IntArray, gains: DoubleArray, k: int, queries: int) -> DoubleArray:
    inside: BoolArray = (places > 0) & (places <= k)
    worth = gains[inside] / np.log2(places[inside] + 1.0)
    return np.asarray(np.bincount(query[inside], worth, queries), np.float64)


def _judged_share(judgments: Judgments, places: IntArray, rankings: Rankings, k: int) -> DoubleArray:
    inside = (places > 0) & (places <= k)
    judged = np.bincount(judgments.query_of_pair[inside], minlength=len(judgments))
    shown = (rankings.items[:, :k] > 0).sum(axis=1)
    return np.where(shown > 0, judged / np.maximum(shown, 1), np.nan)
