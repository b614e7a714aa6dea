"""What a bundle would serve to a visitor, as a row: the searcher itself, with spelling, rules and stock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from recsys.arrays import DoubleArray, IntArray
from recsys.config import Settings
from recsys.dataset.interactions import Vocabulary
from recsys.evaluation.search.rankings import Rankings, rankings_of
from recsys.evaluation.search.rows import Half, by_query
from recsys.instants import utc_now
from recsys.jobs.recommend.answers import ask_storefront
from recsys.search.matching import any_word_items
from recsys.search.relevance.ordering import Scored
from recsys.search.requests import SearchRequest
from recsys.search.searcher import Searcher

PRODUCTION = "production"  # instead of a bundle's id


@dataclass(frozen=True)
class ServedRow:
    """A searcher's whole order: what matches, filled up with items that match any word.

    The first page's diversity is left out: it is of one page, and metrics look at many places.

    Attributes:
        items: of the evaluation; an item that it lacks is not shown.
        now: the instant of all requests.
    """

    name: str
    searcher: Searcher
    items: Vocabulary
    now: datetime

    def rank(self, queries: Sequence[str], k: int) -> Rankings:
        """The first `k` of each query."""
        lists = []
        for query in queries:
            index, scores = self._found(query, k)
            lists.append((index[:k], scores[:k]))
        return rankings_of(lists, k)

    def score(self, queries: Sequence[str], query: IntArray, items: IntArray) -> DoubleArray:
        """The score of what matches; what does not is below all that does."""
        return by_query(queries, query, items, self._scores)

    def _scores(self, query: str, items: IntArray) -> DoubleArray:
        index, scores = self._found(query, 0)
        found = np.full(len(items), min(float(scores.min(initial=0.0)), 0.0) - 1.0)
        order = np.argsort(index)
        place = np.minimum(np.searchsorted(index[order], items), max(len(index) - 1, 0))
        if len(index):
            known = index[order][place] == items
            found[known] = scores[order][place][known]
        return found

    def _found(self, query: str, count: int) -> Half:
        """What matches, and further items with any word until there are `count`."""
        searcher = self.searcher
        request = SearchRequest("evaluation", query, personalisation=0.0, diversity=0.0)
        course = searcher.prepare(request, self.now)
        scored: Scored = searcher.order(course)
        index, scores = scored.index, np.asarray(scored.scores, np.float64)
        if len(index) < count:
            more = any_word_items(searcher.index.words, course.understood.lexical, count + len(index))
            more = more[course.allowed[more] & ~course.matched.mask[more]][: count - len(index)]
            below = float(scores.min(initial=0.0)) - 1.0
            index = np.concatenate([index, more])
            scores = np.concatenate([scores, below - np.arange(len(more))])
        return self._of_evaluation(index, scores)

    def _of_evaluation(self, index: IntArray, scores: DoubleArray) -> Half:
        ids = self.searcher.recommender.bundle.items.vocabulary.ids
        moved = self.items.indexes([ids[row] for row in index.tolist()])
        return moved[moved > 0], scores[moved > 0]


def open_served_row(settings: Settings, bundle_id: str, items: Vocabulary) -> ServedRow:
    """The row of a registered bundle, or of the one in production.

    Raises:
        ArtifactError: there is no such bundle, it has no search indexes, or it was changed.
        ConfigError: the feature repository is not applied.
    """
    wanted = None if bundle_id == PRODUCTION else bundle_id
    searcher = ask_storefront(settings, wanted, lambda shop: shop.searcher())
    return ServedRow(f"bundle {searcher.bundle_id}", searcher, items, utc_now())
