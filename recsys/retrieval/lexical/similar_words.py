"""Words of the catalog that are written much like a word of a query: for ranking, never for what matches."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from recsys.arrays import DoubleArray
from recsys.retrieval.lexical.query import Alternative, LexicalQuery, WordGroup

SIMILAR = "similar"  # the source of such alternatives
_SHORTEST_WORD, _LONGEST_WORD = 3, 40  # characters
_REMEMBERED = 20_000  # words


class SimilarWords:
    """The terms of a catalog by their character trigrams; immutable, many threads.

    A word finds the terms whose trigrams agree best with its own (Dice's coefficient): `bookshelf` finds
    `bookshelv` and `shelf`, `chiken` finds `chicken`. They widen what is ranked and lift what is close; a
    correction of the query is another thing, and so is what counts as a match.
    """

    def __init__(
        self, terms: Sequence[str], *, least: float = 0.3, count: int = 30, weight: float = 0.8
    ) -> None:
        """Args:
        terms: of the catalog; those with digits or of another script than Latin are left out.
        least: Dice's coefficient that a term must reach. count: how many are taken.
        weight: times the coefficient, of a match.
        """
        self._terms = [term for term in dict.fromkeys(terms) if _is_word(term)]
        self._least, self._count, self._weight = least, count, weight
        self._rows, self._starts, self._numbers = _by_trigram(self._terms)
        self._sizes = np.array([len(_trigrams(term)) for term in self._terms], np.float64)
        self._known: OrderedDict[str, tuple[tuple[str, float], ...]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, term: str) -> tuple[tuple[str, float], ...]:
        """(term, weight) of the terms most like `term`, which is not among them; best first."""
        if not _is_word(term):
            return ()
        with self._lock:
            if term in self._known:
                self._known.move_to_end(term)
                return self._known[term]
        found = self._search(term)
        with self._lock:
            self._known[term] = found
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    def widened(self, query: LexicalQuery) -> LexicalQuery:
        """The query with similar words as weak alternatives of its plain words, to rank and to fill up by."""
        return LexicalQuery(tuple(map(self._widened_group, query.groups)))

    def _widened_group(self, group: WordGroup) -> WordGroup:
        first = group.alternatives[0] if group.alternatives else None
        if first is None or group.strict or group.excluded or len(first.terms) != 1:
            return group
        said = {each.terms for each in group.alternatives}
        more = tuple(
            Alternative((term,), weight, SIMILAR)
            for term, weight in self.of(first.terms[0])
            if (term,) not in said
        )
        return replace(group, alternatives=(*group.alternatives, *more))

    def _search(self, term: str) -> tuple[tuple[str, float], ...]:
        own = _trigrams(term)
        shared: DoubleArray = np.zeros(len(self._terms))
        for trigram in own:
            number = self._numbers.get(trigram)
            if number is not None:
                shared[self._rows[self._starts[number] : self._starts[number + 1]]] += 1
        likeness = 2 * shared / (self._sizes + len(own))
        order = np.argsort(-likeness, kind="stable")[: self._count + 1]
        return tuple(
            (self._terms[row], self._weight * float(likeness[row]))
            for row in order.tolist()
            if likeness[row] >= self._least and self._terms[row] != term
        )


def _by_trigram(
    terms: Sequence[str],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], Mapping[str, int]]:
    """(rows of the terms that have each trigram, where each begins, number of each trigram)."""
    having: dict[str, list[int]] = {}
    for row, term in enumerate(terms):
        for trigram in _trigrams(term):
            having.setdefault(trigram, []).append(row)
    lengths = [len(rows) for rows in having.values()]
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    rows = np.fromiter((row for rows in having.values() for row in rows), np.int32, int(starts[-1]))
    return rows, starts, {trigram: number for number, trigram in enumerate(having)}


def _trigrams(term: str) -> frozenset[str]:
    marked = f"_{term}_"
    return frozenset(marked[start : start + 3] for start in range(len(marked) - 2))


def _is_word(term: str) -> bool:
    return _SHORTEST_WORD <= len(term) <= _LONGEST_WORD and term.isascii() and term.isalpha()
