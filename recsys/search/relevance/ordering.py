"""The order of the matched set: by a learned or fused relevance, or by price, newness or popularity."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.errors import RequestError, did_you_mean
from recsys.funnel.ranking import diversify_items
from recsys.funnel.requests import Effort
from recsys.search.requests import CHEAPEST, DEAREST, NEWEST, POPULAR, SORTS

RERANKED = 1000  # the best of the first stage that the learned order sees
_DIVERSE_POOL = 4  # times the page: items that a diverse first page is chosen from
LEARNED = "learned"  # the part that a ranker learned
COSINES_UP_TO = 4000  # items of M whose cosine is computed; of more only the best by words and meaning


@dataclass(frozen=True)
class LearnedParts:
    """What the part LEARNED of some scores is made of, worked out for items that are shown.

    Attributes:
        index: (K,) the items that have it.
        of: places in `index` -> name -> (places,) what each adds; together the part LEARNED.
    """

    index: IntArray
    of: Callable[[IntArray], Mapping[str, FloatArray]]


@dataclass(frozen=True)
class Scored:
    """K items with their scores, which are the sums of their parts.

    Attributes:
        index: (K,). scores: (K,). parts: name -> (K,) what each adds to the score.
        learned: of the part LEARNED, where there is one.
    """

    index: IntArray
    scores: FloatArray
    parts: Mapping[str, FloatArray]
    learned: LearnedParts | None = None

    def __len__(self) -> int:
        return len(self.index)

    def take(self, places: IntArray) -> "Scored":
        """Those at `places`, in that order."""
        return Scored(
            self.index[places],
            self.scores[places],
            {name: part[places] for name, part in self.parts.items()},
            self.learned,
        )

    def with_part(self, name: str, part: FloatArray) -> "Scored":
        """The same with another part added to every score."""
        added = part.astype(np.float32)
        return Scored(self.index, self.scores + added, {**self.parts, name: added}, self.learned)

    def parts_of(self, items: IntArray) -> dict[int, dict[str, float]]:
        """Item -> name -> what adds to its score, of those of `items` that have one; no part of 0."""
        places = np.flatnonzero(np.isin(self.index, items)).tolist()
        found = {
            int(self.index[place]): {name: float(part[place]) for name, part in self.parts.items()}
            for place in places
        }
        if self.learned is not None:
            rows = np.flatnonzero(np.isin(self.learned.index, items))
            parts = self.learned.of(rows)
            for number, item in enumerate(self.learned.index[rows].tolist()):
                del found[item][LEARNED]
                for name, part in parts.items():
                    found[item][name] = found[item].get(name, 0.0) + float(part[number])
        return {
            item: {name: value for name, value in parts.items() if value} for item, parts in found.items()
        }

    def best_first(self) -> "Scored":
        """Ordered by score; equal ones by index."""
        return self.take(np.lexsort((self.index, -self.scores)))


# What makes another order of the best of the first stage: the learned ranker, the personal part, the rules.
Rerank = Callable[[Scored], Scored]


def order_by_relevance(first_stage: Scored, rerank: Rerank, effort: Effort = Effort.FULL) -> Scored:
    """The best RERANKED of the first stage as `rerank` orders them, then the rest by first-stage score.

    With less effort there are fewer of them.
    """
    ordered = first_stage.best_first()
    head = ordered.take(np.arange(min(effort.share_of(RERANKED), len(ordered))))
    tail = ordered.take(np.arange(len(head), len(ordered)))
    head = rerank(head).best_first()
    names = {*head.parts, *tail.parts}
    return Scored(
        np.concatenate([head.index, tail.index]),
        np.concatenate([head.scores, tail.scores]),
        {name: np.concatenate([_part(head, name), _part(tail, name)]) for name in names},
        head.learned,
    )


def diversify_page(scored: Scored, vectors: FloatArray, count: int, strength: float) -> Scored:
    """`scored` with a more diverse first page of `count` in front; nothing is left out.

    Args:
        vectors: (N + 1, E) of the items' texts. strength: 0 = as they are.
    """
    pool = scored.index[: _DIVERSE_POOL * count]
    if strength <= 0 or len(pool) < 3:
        return scored
    chosen = diversify_items(vectors[pool], count, strength)
    rest = np.ones(len(scored), bool)
    rest[chosen] = False
    return scored.take(np.concatenate([chosen, np.flatnonzero(rest)]))


def _part(scored: Scored, name: str) -> FloatArray:
    found = scored.parts.get(name)
    return np.zeros(len(scored), np.float32) if found is None else found


@dataclass(frozen=True)
class SortKeys:
    """What items can be sorted by, (N + 1,) each: prices in micros (<= 0 unknown), instants, popularity."""

    price_micros: IntArray
    first_at: IntArray
    popularity: DoubleArray


def sort_items(index: IntArray, sort: str, keys: SortKeys) -> IntArray:
    """The items at `index` by `sort`; those of which the key is not known come last, equal ones by index.

    Raises:
        RequestError: there is no such order.
    """
    if sort == CHEAPEST:
        prices = keys.price_micros[index]
        return index[np.lexsort((index, prices, prices <= 0))]
    if sort == DEAREST:
        return index[np.lexsort((index, -np.maximum(keys.price_micros[index], 0)))]
    if sort == NEWEST:
        return index[np.lexsort((index, -keys.first_at[index]))]
    if sort == POPULAR:
        return index[np.lexsort((index, -keys.popularity[index]))]
    near = did_you_mean(sort, SORTS)
    raise RequestError(f"sort: {sort!r} is not an order.{near} Use one of {', '.join(SORTS)}.")
