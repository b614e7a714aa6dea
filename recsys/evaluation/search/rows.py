"""What is compared on judged queries: anything that ranks the catalog and scores pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recsys.arrays import DoubleArray, IntArray
from recsys.evaluation.search.rankings import Rankings, rankings_of


class SearchRow(Protocol):
    """One way to search, a row of the table."""

    @property
    def name(self) -> str:
        """What the row is called."""

    def rank(self, queries: Sequence[str], k: int) -> Rankings:
        """The first `k` items for each query, of the whole catalog."""

    def score(self, queries: Sequence[str], query: IntArray, items: IntArray) -> DoubleArray:
        """(P,) finite scores, comparable within a query and across queries.

        Args:
            query: (P,) rows of `queries`, ascending. items: (P,) item indexes.
        """


@dataclass(frozen=True)
class RandomRow:
    """Any order, as a floor: what a metric is worth without knowing anything. The same for a seed.

    Attributes:
        items: (N,) the item indexes that may be shown.
    """

    items: IntArray
    seed: int = 0
    name: str = "random"

    def rank(self, queries: Sequence[str], k: int) -> Rankings:
        """`k` items drawn for each query."""
        rng = np.random.default_rng(self.seed)
        count = min(k, len(self.items))
        lists = []
        for _ in queries:
            drawn = rng.choice(self.items, count, replace=False)
            lists.append((drawn, np.arange(count, 0, -1, dtype=np.float64)))
        return rankings_of(lists, k)

    def score(self, queries: Sequence[str], query: IntArray, items: IntArray) -> DoubleArray:
        """A draw for each pair."""
        return np.random.default_rng(self.seed + 1).random(len(items))


@dataclass(frozen=True)
class RankedLists:
    """Rankings made elsewhere, for example read from a file of another engine.

    Attributes:
        lists: query text -> item indexes and scores, best first. A pair that is not in its query's list
            scores below all that are.
    """

    name: str
    lists: dict[str, tuple[IntArray, DoubleArray]]

    def rank(self, queries: Sequence[str], k: int) -> Rankings:
        """The lists; nothing for a query that has none."""
        nothing = (np.zeros(0, np.int64), np.zeros(0))
        return rankings_of([self.lists.get(query, nothing) for query in queries], k)

    def score(self, queries: Sequence[str], query: IntArray, items: IntArray) -> DoubleArray:
        """The scores of the lists."""
        least = min((float(scores.min()) for _, scores in self.lists.values() if len(scores)), default=0.0)
        known = {
            text: dict(zip(*map(np.ndarray.tolist, found), strict=True)) for text, found in self._of(queries)
        }
        return np.array(
            [
                known.get(queries[row], {}).get(item, least - 1.0)
                for row, item in zip(query.tolist(), items.tolist(), strict=True)
            ],
            np.float64,
        )

    def _of(self, queries: Sequence[str]) -> list[tuple[str, tuple[IntArray, DoubleArray]]]:
        return [(text, self.lists[text]) for text in dict.fromkeys(queries) if text in self.lists]


Half = tuple[IntArray, DoubleArray]  # item indexes and scores of one pool, best first


class Pool(Protocol):
    """One half of a search: by words, or by meaning."""

    def best(self, query: str, count: int) -> Half:
        """The `count` best items of the whole catalog; fewer where no more match."""

    def scores(self, query: str, items: IntArray) -> DoubleArray:
        """(K,) the scores of these items, whether `best` would have them or not; 0 where nothing matches."""


@dataclass(frozen=True)
class PoolRow:
    """One half alone."""

    name: str
    pool: Pool

    def rank(self, queries: Sequence[str], k: int) -> Rankings:
        """The pool's best."""
        return rankings_of([self.pool.best(query, k) for query in queries], k)

    def score(self, queries: Sequence[str], query: IntArray, items: IntArray) -> DoubleArray:
        """The pool's scores."""
        return by_query(queries, query, items, self.pool.scores)


def by_query(
    queries: Sequence[str],
    query: IntArray,
    items: IntArray,
    scores: Callable[[str, IntArray], DoubleArray],
) -> DoubleArray:
    """(P,) the scores of pairs, one query at a time; `query` ascends."""
    found = np.zeros(len(items))
    bounds = np.searchsorted(query, np.arange(len(queries) + 1))
    for row, (start, end) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        if end > start:
            found[start:end] = scores(queries[row], items[start:end])
    return found
