"""Learns an order of search: a ranker from judged pairs, and how much the first stage counts beside it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.evaluation.search.judgments import Judgments
from recsys.evaluation.search.ranking_metrics import ranking_values
from recsys.evaluation.search.rankings import rankings_of
from recsys.progress import Progress
from recsys.search.relevance.ordering import RERANKED
from recsys.search.relevance.ranker import SearchRanker
from recsys.training.search.ranker import RankingPairs, SearchRankerSettings, train_search_ranker

SHARES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # of the first stage
_CHOSEN_BY = 300  # queries at most, of one in five
_FEWEST = 20  # queries by which a share is chosen
_PLACES = 10


@dataclass(frozen=True)
class SearchedCatalog:
    """What an order is learned of.

    Attributes:
        features: of a query and K items: (K, F).
        candidates: of a query: items and their first-stage scores, best first.
    """

    features: Callable[[str, IntArray], FloatArray]
    candidates: Callable[[str], tuple[IntArray, FloatArray]]


def learn_order(
    judgments: Judgments,
    catalog: SearchedCatalog,
    settings: SearchRankerSettings,
    source: str,
    progress: Progress,
) -> SearchRanker:
    """A ranker that orders as these grades do, with the share of the first stage that orders catalogs best.

    Judges grade what some search found, so a ranker never learns of what none would find, and may put it
    first. The first stage holds against that: its share is the one with the largest NDCG@10, items that
    nobody judged being worth nothing, on queries that a ranker for this purpose does not learn from.

    Raises:
        DataError: the pairs are too few, or all of one grade.
    """
    rows = _features(judgments, catalog, progress)
    held = _held_queries(judgments, settings.seed)
    share = 1.0
    if held.any():
        pairs = ~held[judgments.query_of_pair]
        ranker = _train(rows[pairs], judgments.grades[pairs], settings, source, progress)
        share = choose_share(ranker, judgments.only(held), catalog, progress)
    ranker = _train(rows, judgments.grades, settings, source, progress)
    return replace(ranker, first_stage=share)


def choose_share(
    ranker: SearchRanker, judgments: Judgments, catalog: SearchedCatalog, progress: Progress
) -> float:
    """The one of SHARES with the largest mean NDCG@10; of equal ones the largest."""
    lists: dict[float, list[tuple[IntArray, DoubleArray]]] = {share: [] for share in SHARES}
    with progress("share of the first stage", len(judgments)) as advance:
        for query in judgments.queries:
            index, first = catalog.candidates(query)
            index, first = index[:RERANKED], first[:RERANKED]
            rows = catalog.features(query, index)
            for share, found in lists.items():
                scores = replace(ranker, first_stage=share).order_scores(rows, first)
                order = np.lexsort((index, -scores))[:_PLACES]
                found.append((index[order], scores[order]))
            advance(1)
    worthless, threshold = float(judgments.grades.min()), judgments.middle_grade
    values = {
        share: ranking_values(judgments, rankings_of(found, _PLACES), (_PLACES,), threshold, worthless)
        for share, found in lists.items()
    }
    return max(SHARES, key=lambda share: (float(np.nanmean(values[share][f"ndcg@{_PLACES}"])), share))


def _features(judgments: Judgments, catalog: SearchedCatalog, progress: Progress) -> FloatArray:
    """(P, F) of all pairs."""
    rows, starts = [], judgments.offsets.tolist()
    with progress("features of judged pairs", len(judgments)) as advance:
        for place, query in enumerate(judgments.queries):
            rows.append(catalog.features(query, judgments.items[starts[place] : starts[place + 1]]))
            advance(1)
    return np.concatenate(rows)


def _held_queries(judgments: Judgments, seed: int) -> BoolArray:
    """(Q,) the queries that choose; none where they would be too few."""
    held = np.zeros(len(judgments), bool)
    count = min(_CHOSEN_BY, len(judgments) // 5)
    if count >= _FEWEST:
        held[np.random.default_rng(seed).choice(len(judgments), count, replace=False)] = True
    return held


def _train(
    rows: FloatArray, grades: DoubleArray, settings: SearchRankerSettings, source: str, progress: Progress
) -> SearchRanker:
    return train_search_ranker(RankingPairs(rows, grades.astype(np.float32)), settings, source, progress)
