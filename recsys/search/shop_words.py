"""What a shop itself says of words: synonyms, and what is never suggested."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from recsys.analysis.analyzer import Analyzer
from recsys.rules.synonym_rows import SynonymRows
from recsys.search.suggestions.hidden import HiddenWords, hidden_words
from recsys.search.understanding.synonyms import Synonym, SynonymSet, synonym_set


@dataclass(frozen=True)
class ShopWords:
    """One state of a shop's words; immutable, and replaced as a whole.

    Attributes:
        synonyms: of all sets that are switched on.
        hidden: that no suggestion has.
    """

    synonyms: SynonymSet = SynonymSet()
    hidden: HiddenWords = HiddenWords()


class ShopWordsSource(Protocol):
    """The words that are in force."""

    @property
    def words(self) -> ShopWords:
        """The words now; never raises."""
        ...


@dataclass(frozen=True)
class FixedWords:
    """A ShopWordsSource that never changes."""

    words: ShopWords = ShopWords()


def shop_words(sets: Sequence[SynonymRows], hidden: Iterable[str] = ()) -> ShopWords:
    """The words of these sets of synonyms, less those that are switched off, and of hidden words.

    Raises:
        DataError: synonyms that `synonym_set` refuses, of one set or of several together; it names set and
            row.
    """
    return ShopWords(stored_synonyms(sets), hidden_words(hidden))


def stored_synonyms(sets: Sequence[SynonymRows]) -> SynonymSet:
    """The synonyms of all sets that are switched on; raises as `shop_words`."""
    entries = [
        Synonym(left, right, row.weight, row.two_way, f"set {each.name!r}, synonym {number}")
        for each in sets
        if each.enabled
        for number, row in enumerate(each.rows, 1)
        for left in row.left
        for right in row.right
    ]
    return synonym_set(entries, Analyzer())
