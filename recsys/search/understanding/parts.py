"""The words of a query while rewriters work on them, and what each rewriter did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from recsys.analysis.analyzer import QueryWord
from recsys.analysis.folding import normalise
from recsys.analysis.stems import surface_of
from recsys.retrieval.lexical.query import Alternative, LexicalQuery, WordGroup

NORMALISE, IDENTIFIERS, UNITS, SPELLING = "normalise", "identifiers", "units", "spelling"
SPACING, VARIANTS, SYNONYMS, INTENT = "spacing", "variants", "synonyms", "intent"
REWRITERS = (NORMALISE, IDENTIFIERS, UNITS, SPELLING, SPACING, VARIANTS, SYNONYMS, INTENT)  # in their order

_LONGEST_CODE = 4


@dataclass(frozen=True)
class Rewrite:
    """What one rewriter did to some words of a query."""

    name: str = field(metadata={"description": "the rewriter; `without` switches it off by this name"})
    before: str = field(metadata={"description": "what was typed"})
    after: str = field(metadata={"description": "what was searched for"})


@dataclass(frozen=True)
class QueryPart:
    """A word of a query, or some that are read as one.

    Attributes:
        text: as it was typed.
        surface: folded and corrected.
        start: its first character in the query; end: behind its last.
        alternatives: what an item may have for it, the word itself first.
        rewritable: neither quoted nor excluded, so that other words may stand for it.
        spelled: a word of letters alone, whose spelling may be corrected.
    """

    text: str
    surface: str
    start: int
    end: int
    alternatives: tuple[Alternative, ...]
    strict: bool = False
    excluded: bool = False
    spelled: bool = False

    @property
    def rewritable(self) -> bool:
        """Neither quoted nor excluded."""
        return not self.strict and not self.excluded

    @property
    def terms(self) -> tuple[str, ...]:
        """Of the word itself."""
        return self.alternatives[0].terms


def parts_of(words: Sequence[QueryWord]) -> list[QueryPart]:
    """The words of a query as parts, each with itself alone."""
    shouted = all(word.text.upper() == word.text for word in words)
    return [_part(word, shouted) for word in words]


def _is_code(text: str, shouted: bool) -> bool:
    """Whether capitals make a word a code; in a query that is all capitals only a short one is."""
    return text.isupper() and len(text) > 1 and (not shouted or len(text) <= _LONGEST_CODE)


def _part(word: QueryWord, shouted: bool) -> QueryPart:
    surface = surface_of(normalise(word.text)).replace("-", "")
    rewritable = not word.strict and not word.excluded
    return QueryPart(
        text=word.text,
        surface=surface,
        start=word.start,
        end=word.end,
        alternatives=(Alternative(word.terms),),
        strict=word.strict,
        excluded=word.excluded,
        spelled=rewritable
        and word.kind == "word"
        and len(word.terms) == 1
        and not word.has_digits
        and not _is_code(word.text, shouted)
        and surface.isalpha()
        and surface.isascii(),
    )


def lexical_query(parts: Sequence[QueryPart]) -> LexicalQuery:
    """The word groups of the parts; a word that comes twice asks once."""
    return LexicalQuery(tuple(_groups(parts)))


def _groups(parts: Sequence[QueryPart]) -> Iterator[WordGroup]:
    seen = set()
    for part in parts:
        key = (part.terms, part.strict, part.excluded)
        if part.terms and key not in seen:
            seen.add(key)
            yield WordGroup(part.text, part.alternatives, part.strict, part.excluded)
