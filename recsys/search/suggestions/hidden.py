"""Words that are never suggested."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recsys.analysis.scanning import is_han
from recsys.analysis.stems import term_of
from recsys.search.suggestions.completions import typed_words


@dataclass(frozen=True)
class HiddenWords:
    """Words and phrases that no suggestion has; made by `hidden_words`."""

    phrases: frozenset[tuple[str, ...]] = frozenset()  # terms in order
    han: tuple[str, ...] = ()

    def hides(self, text: str) -> bool:
        """Whether a word of the list, in any inflection, or a Han text of it is part of `text`."""
        if not self.phrases and not self.han:
            return False
        words = typed_words(text)
        if any(each in word for word in words if is_han(word) for each in self.han):
            return True
        terms = [term_of(word) for word in words]
        return any(_has(terms, phrase) for phrase in self.phrases)


def hidden_words(words: Iterable[str]) -> HiddenWords:
    """The list of these words and phrases; empty ones say nothing.

    >>> hidden = hidden_words(["gun", "赌博"])
    >>> [hidden.hides(text) for text in ("toy guns", "gunmetal lamp", "在线赌博机")]
    [True, False, True]
    """
    phrases, han = set(), []
    for text in words:
        terms = typed_words(text)
        if len(terms) == 1 and is_han(terms[0]):
            han.append(terms[0])
        elif terms:
            phrases.add(tuple(term_of(word) for word in terms))
    return HiddenWords(frozenset(phrases), tuple(han))


def _has(terms: Sequence[str], phrase: tuple[str, ...]) -> bool:
    return any(tuple(terms[at : at + len(phrase)]) == phrase for at in range(len(terms) - len(phrase) + 1))
