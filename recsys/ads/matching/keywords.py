"""Keywords of campaigns beside the query that is searched, and an index of many of them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from recsys.ads.campaigns.targets import Keyword, Match
from recsys.analysis.analyzer import HAN, WORD, Analyzer
from recsys.analysis.han import han_query_words
from recsys.analysis.scanning import is_han

Units = tuple[str, ...]  # of a text: stems of its words, characters of its Chinese
MOST_CHARACTERS = 500  # of a query that are compared


def units_of(text: str) -> Units:
    """The words of `text` as search compares them, folded and stemmed; Chinese as single characters.

    >>> units_of("Oat  MILKS!"), units_of("燕麦奶 500ml")
    (('oat', 'milk'), ('燕', '麦', '奶', '500', 'ml'))
    """
    found: dict[int, str] = {}
    for token in Analyzer().tokens(text[:MOST_CHARACTERS]):
        if token.kind == WORD or (token.kind == HAN and len(token.term) == 1):
            found.setdefault(token.position, token.term)
    return tuple(found[position] for position in sorted(found))


@dataclass(frozen=True)
class ReadKeyword:
    """A keyword as units.

    Attributes:
        units: of its text; with none it matches nothing.
        words: for `broad`: each as its units, one of a word and several of a Chinese word.
    """

    match: Match
    units: Units
    words: tuple[Units, ...]

    def is_in(self, query: Units) -> bool:
        """Whether a query of these units matches it."""
        if not self.units:
            return False
        if self.match == "exact":
            return query == self.units
        if self.match == "phrase":
            return contains(query, self.units)
        return all(contains(query, word) for word in self.words)


@lru_cache(maxsize=1 << 16)
def read_keyword(keyword: Keyword) -> ReadKeyword:
    """`keyword` as units."""
    units = units_of(keyword.text)
    return ReadKeyword(keyword.match, units, _words(units))


def contains(query: Units, units: Units) -> bool:
    """Whether `units` stand in `query` next to each other and in their order.

    >>> contains(("a", "b", "c"), ("b", "c")), contains(("b", "a", "c"), ("b", "c"))
    (True, False)
    """
    count = len(units)
    return any(query[start : start + count] == units for start in range(len(query) - count + 1))


class KeywordIndex:
    """Keywords of many owners: those that a query matches are found without a look at the others.

    Each keyword is filed under that of its units which the fewest keywords have.
    """

    def __init__(self, keywords: Iterable[tuple[Keyword, int]]) -> None:
        """Files (keyword, number of its owner); whether one is negative is not looked at."""
        read = [(read_keyword(keyword), owner) for keyword, owner in keywords]
        counts = Counter(unit for keyword, _ in read for unit in set(keyword.units))
        self._filed: dict[str, list[tuple[ReadKeyword, int]]] = {}
        for keyword, owner in read:
            if keyword.units:
                rarest = min(keyword.units, key=lambda unit: (counts[unit], unit))
                self._filed.setdefault(rarest, []).append((keyword, owner))

    def owners(self, query: Units) -> set[int]:
        """The numbers of those with a keyword that the query matches."""
        found: set[int] = set()
        for unit in set(query):
            for keyword, owner in self._filed.get(unit, ()):
                if owner not in found and keyword.is_in(query):
                    found.add(owner)
        return found


def _words(units: Units) -> tuple[Units, ...]:
    """Each word once, runs of Chinese characters as their words."""
    found: list[Units] = []
    run: list[str] = []
    for unit in (*units, ""):
        if unit and is_han(unit):
            run.append(unit)
            continue
        if run:
            found.extend(tuple(word) for word, _ in han_query_words("".join(run)))
            run = []
        if unit:
            found.append((unit,))
    return tuple(dict.fromkeys(found))
