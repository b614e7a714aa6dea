"""What a user searched for lately, by its meaning: which items are near it, and how near."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.errors import StoreUnavailableError
from recsys.retrieval.text_index import TextIndex

WINDOW_SECONDS = 24 * 3600  # older searches say nothing
HALF_LIFE_SECONDS = 6 * 3600
MOST_QUERIES = 3  # of a user, the latest; each that is not remembered is encoded once
NEAREST = 200  # items that are remembered of a query; the source takes those that are allowed
NEAR_DEVIATIONS = 2.0  # from which on an item is a candidate
MOST_DEVIATIONS = 5.0  # more count as that many
REMEMBERED = 2000  # queries of one state of the catalog


class QueryVectors(Protocol):
    """Queries as vectors of the encoder that the items' texts were encoded by.

    Raises:
        StoreUnavailableError: it is away or late.
    """

    def encode(self, query: str) -> FloatArray:
        """(E,) unit vector."""
        ...


@dataclass(frozen=True)
class QueryMeaning:
    """One query in the space of the items' texts.

    Attributes:
        vector: (E,). mean, deviation: of its cosines with items in general.
        nearest: (M,) indexes of items at least NEAR_DEVIATIONS above that mean, the nearest first.
    """

    vector: FloatArray
    mean: float
    deviation: float
    nearest: IntArray


class QueryMeanings:
    """Queries against the texts of one state of the catalog, each read once; for many threads."""

    def __init__(self, vectors: QueryVectors, texts: TextIndex) -> None:
        self._vectors, self.texts = vectors, texts
        self._remembered = lru_cache(REMEMBERED)(self._read)

    def of(self, query: str) -> QueryMeaning | None:
        """What `query` means; None where nothing is known of it.

        Raises:
            StoreUnavailableError: the encoder is away or late.
        """
        return self._remembered(query)

    def _read(self, query: str) -> QueryMeaning | None:
        vector = self._vectors.encode(query)
        if not vector.any():
            return None
        mean, deviation = self.texts.background(vector)
        index, cosines = self.texts.top(vector, NEAREST)
        return QueryMeaning(vector, mean, deviation, index[cosines >= mean + NEAR_DEVIATIONS * deviation])


@dataclass(frozen=True)
class WeighedQuery:
    """A query of the user: its place among what was asked, its weight as of now, and what it means."""

    place: int
    weight: float
    meaning: QueryMeaning


@dataclass(frozen=True)
class RecentSearches:
    """What a user searched for lately, the latest first; at least one query."""

    queries: tuple[WeighedQuery, ...]
    texts: TextIndex

    def nearness(self, index: IntArray) -> FloatArray:
        """(K,) how near the items at `index` are to what was searched for, 0 to weight x MOST_DEVIATIONS.

        The largest over the queries of weight x standard deviations by which the item's cosine is above
        the mean of items in general; 0 below it, and for items without a text.
        """
        parts = []
        for query in self.queries:
            meaning = query.meaning
            cosines = self.texts.cosines(meaning.vector, index)
            deviations = np.where(cosines == 0, 0, (cosines - meaning.mean) / meaning.deviation)
            parts.append(query.weight * np.clip(deviations, 0, MOST_DEVIATIONS))
        out: FloatArray = np.max(parts, axis=0).astype(np.float32)
        return out

    def nearest(self) -> tuple[IntArray, IntArray]:
        """(M,) items near the queries, the nearest of each first, and (M,) the place of the query of each."""
        found = [query.meaning.nearest for query in self.queries]
        places = np.repeat([query.place for query in self.queries], [len(each) for each in found])
        ranks = np.concatenate([np.arange(len(each)) for each in found])
        order = np.lexsort((places, ranks))
        return np.concatenate(found)[order], places[order]


def recent_searches(
    meanings: QueryMeanings | None, asked: Sequence[tuple[str, int]], now_seconds: int, dial: float
) -> RecentSearches | None:
    """What the latest queries of a user mean; None where nothing is known of them, or `dial` is 0.

    Where the encoder is away or late, that of those before: a request waits for it once.

    Args:
        asked: texts with the Unix seconds at which each was asked last, the latest first.
        dial: what a search of right now weighs.
    """
    if meanings is None or not dial:
        return None
    queries = []
    for place, (text, at) in enumerate(asked[:MOST_QUERIES]):
        if now_seconds - at >= WINDOW_SECONDS:
            break
        try:
            meaning = meanings.of(text)
        except StoreUnavailableError:
            break
        if meaning is not None:
            queries.append(WeighedQuery(place, dial * search_weight(now_seconds - at), meaning))
    return RecentSearches(tuple(queries), meanings.texts) if queries else None


def search_weight(age_seconds: float) -> float:
    """What a search of that age still weighs.

    >>> [search_weight(hours * 3600) for hours in (0, 6, 12)]
    [1.0, 0.5, 0.25]
    """
    weight: float = 0.5 ** (max(age_seconds, 0) / HALF_LIFE_SECONDS)
    return weight
