"""Which items match a query: the set that totals, facets, sorting and pages are of.

    M(query, filters) = items that match at least m of the query's n words, and items near in meaning,
                        less what a strict word, a filter or a rule keeps out

m is `LexicalQuery.least`. Where M is empty m falls by one, down to one word, then to meaning alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.retrieval.lexical.query import LexicalQuery, WordGroup

_NONE: IntArray = np.zeros(0, np.int64)


class WordIndex(Protocol):
    """Items by their words."""

    def matching(self, query: LexicalQuery, least: int) -> IntArray:
        """Ascending indexes of all items that match at least `least` of the words."""
        ...

    def top(self, query: LexicalQuery, least: int, count: int) -> tuple[IntArray, FloatArray]:
        """The `count` best of them with their scores, best first."""
        ...

    def document_frequency(self, term: str) -> int:
        """How many items have `term` in any field."""
        ...

    def scores(self, query: LexicalQuery, index: IntArray) -> FloatArray:
        """(K,) the score of each of the items `index`; 0 where it matches no word."""
        ...


@dataclass(frozen=True)
class Meaning:
    """Items near in meaning: all whose text has a cosine to the query at or above the threshold.

    Attributes:
        index: (S,) ascending. cosines: (S,).
    """

    index: IntArray
    cosines: FloatArray


@dataclass(frozen=True)
class Matched:
    """M, and how it came about.

    Attributes:
        mask: (N + 1,) true for the items of M.
        open_mask: (N + 1,) what the query alone matches at this level; filters and stock left aside.
        least: m, the words that had to match; 0 = meaning alone; None = nothing was asked of words.
        wanted: m as it was before it fell.
    """

    mask: BoolArray
    open_mask: BoolArray
    least: int | None
    wanted: int | None

    @property
    def index(self) -> IntArray:
        """(K,) ascending indexes of M."""
        found: IntArray = np.flatnonzero(self.mask)
        return found


def match_items(
    words: WordIndex | None, query: LexicalQuery, meaning: Meaning | None, allowed: BoolArray
) -> Matched:
    """M among the items that are `allowed` (N + 1,).

    Args:
        words: None where the index of words is away: then meaning alone answers.
        meaning: None where nothing is known of it.
    """
    size = len(allowed)
    strict = _strict_mask(words, query, size)
    if not query.words:
        return Matched(strict & allowed, strict, None, None)
    near = _mask(_NONE if meaning is None else meaning.index, size)
    counting = LexicalQuery(query.words)
    levels = range(query.least, 0, -1) if words is not None else range(0)
    for least in levels:
        assert words is not None
        found = (_mask(words.matching(counting, least), size) | near) & strict
        if (found & allowed).any():
            return Matched(found & allowed, found, least, query.least)
    found = near & strict
    return Matched(found & allowed, found, 0, query.least)


def any_word_items(words: WordIndex | None, query: LexicalQuery, count: int) -> IntArray:
    """Up to `count` items that match any word of the query, best first: for what is outside of M."""
    if words is None or not query.words:
        return _NONE
    return words.top(LexicalQuery(query.words), 1, count)[0]


def _strict_mask(words: WordIndex | None, query: LexicalQuery, size: int) -> BoolArray:
    """(N + 1,) true where quoted phrases are there and excluded words are not.

    Nothing can be said of them while the index of words is away; the answer says so.
    """
    mask = np.ones(size, bool)
    mask[0] = False
    if words is None:
        return mask
    for group in _strict_groups(query):
        found = _mask(words.matching(LexicalQuery((_counted(group),)), 1), size)
        mask &= ~found if group.excluded else found
    return mask


def _strict_groups(query: LexicalQuery) -> Iterable[WordGroup]:
    return (group for group in query.groups if group.strict or group.excluded)


def _counted(group: WordGroup) -> WordGroup:
    return replace(group, strict=False, excluded=False)


def _mask(index: IntArray, size: int) -> BoolArray:
    mask = np.zeros(size, bool)
    mask[index[index < size]] = True
    mask[0] = False
    return mask
