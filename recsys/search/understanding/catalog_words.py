"""The words of items' and queries' texts as a lexicon counts them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial

from recsys.analysis.analyzer import Analyzer
from recsys.analysis.folding import normalise
from recsys.analysis.stems import surface_of
from recsys.search.understanding.lexicon import Lexicon, Word, lexicon_of
from recsys.search.understanding.near_words import NONE, NearWords

FIELDS_KEPT = 4096  # that were read last; items in the order of their titles find the same ones there
_LEAST_LETTERS = 3  # of a word that another may be a typing error of
_COUNTED_KINDS = frozenset({"word", "quantity", "identifier"})  # Han words have no spelling to correct


def words_of(analyzer: Analyzer, text: str) -> list[Word]:
    """The words of a text in order, each with its term, and then joined words, quantities, model numbers."""
    first: list[Word] = []
    more: list[Word] = []
    position = -1
    for token in analyzer.tokens(text):
        if token.kind in _COUNTED_KINDS:
            written = surface_of(normalise(text[token.start : token.end])).replace("-", "")
            word = Word(written if written.isalpha() else token.term, token.term)
            (first if token.position > position else more).append(word)
            position = token.position
    return first + more


def catalog_lexicon(items: Iterable[Sequence[str]], analyzer: Analyzer) -> Lexicon:
    """The lexicon of items' fields, such as title and brand; an item without any counts for nothing.

    Each field is read by itself, and once where items that share it follow one another.
    """
    words = lru_cache(maxsize=FIELDS_KEPT)(partial(words_of, analyzer))
    return lexicon_of([word for text in fields for word in words(text)] for fields in items if any(fields))


def correctable_words(lexicon: Lexicon, since: int = 0) -> dict[str, int]:
    """Words from index `since` on that may be what somebody meant, with their indexes: letters alone."""
    return {
        word: index
        for index, word in enumerate(lexicon.words[since:], start=since)
        if len(word) >= _LEAST_LETTERS and word.isalpha() and word.isascii()
    }


def near_words_of(words: Mapping[str, int], before: NearWords = NONE) -> NearWords:
    """`before` and these words, by `correctable_words`."""
    return before.with_words(list(words), list(words.values()))
