"""Texts of items and queries as terms: one analysis for what is indexed and for what is asked."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from recsys.analysis.folding import FoldedText, fold_text, normalise
from recsys.analysis.han import han_words
from recsys.analysis.quantities import Unit, context_words, quantity_term
from recsys.analysis.query_words import QueryWord, words_of_query
from recsys.analysis.scanning import Piece, is_han, pieces_of
from recsys.analysis.stems import surface_of, term_of

ANALYZER_VERSION = "2"  # of the terms that an index holds; one of another version is built anew
WORD, HAN, QUANTITY, IDENTIFIER = "word", "han", "quantity", "identifier"
_LONGEST_TERM = 100
_LONGEST_IDENTIFIER = 64
_LEAST_IDENTIFIER = 4  # characters without hyphens, with a letter and a digit
_LEAST_NUMBER = 7  # digits of a number that is an identifier, as a GTIN is
_IDENTIFIER = re.compile(r"(?<![a-z0-9])[a-z0-9]+(?:[-./_][a-z0-9]+)*(?![a-z0-9])")
_DIGIT, _LETTER, _SEPARATORS = re.compile("[0-9]"), re.compile("[^\\W\\d_]"), re.compile(r"[\W_]+")
_HYPHENATED = re.compile(r"(?<![a-z0-9-])[a-z]+(?:-[a-z]+)+(?![a-z0-9-])")
_PLAIN_WORDS = re.compile(r"[a-z]+(?:'[a-z]+)*")
_NOT_PLAIN = re.compile(r"[^a-z ,.:;!?&()'/|+]")


@dataclass(frozen=True, slots=True)
class Token:
    """One term of a text.

    Attributes:
        term: as it is indexed.
        start: its first character in the original text.
        end: behind its last character in the original text.
        kind: `word`, `han`, `quantity` or `identifier`.
        position: its place among the words; several terms may share one, as a word of Han characters with
            the pairs that begin where it does.
    """

    term: str
    start: int
    end: int
    kind: str
    position: int


class Analyzer:
    """Texts to terms; stateless, cheap to make, safe for many threads."""

    def tokens(self, text: str) -> tuple[Token, ...]:
        """The terms of an item's text, in the order of their positions.

        Words are stemmed; Han characters are indexed alone, in pairs and as words; a number with its unit
        is indexed as two words and as one quantity; a model number also without hyphens.
        """
        folded = fold_text(text)
        return tuple(
            Token(term, *folded.span(start, end), kind, position)
            for term, kind, start, end, position in sorted(
                [*_all_terms(folded.text)], key=lambda each: (each[4], each[2])
            )
        )

    def term_stream(self, text: str) -> tuple[list[str], list[tuple[str, int]]]:
        """(the first term of each position, more terms with their positions): `tokens`, quicker."""
        first: list[str] = []
        more: list[tuple[str, int]] = []
        for segment in _segments(normalise(text)):
            terms, others = segment
            if others:
                more.extend((term, place + len(first)) for term, place in others)
            first.extend(terms)
        return first, more

    def query_words(self, text: str) -> tuple[QueryWord, ...]:
        """The words that a query asks for, `"quoted phrases"` and `-excluded` words."""
        return words_of_query(text)

    def surface_terms(self, text: str) -> tuple[str, ...]:
        """The words of a text as they are written, folded but not stemmed; Han words, long and short."""
        found: list[str] = []
        folded = fold_text(text).text
        for piece in pieces_of(folded):
            if piece.kind == "han":
                found.extend(word for word, _ in han_words(piece.text))
            else:
                found.append(surface_of(piece.text) if piece.kind == "word" else piece.text)
            if piece.unit_start >= 0:
                found.append(folded[piece.unit_start : piece.unit_end])
        return tuple(found)


_Segment = tuple[tuple[str, ...], tuple[tuple[str, int], ...]]


def _segments(text: str) -> Iterator[_Segment]:
    """The terms of a folded text, part by part; parts do not change each other's terms."""
    waiting: list[str] = []
    for word in text.split(" "):
        segment = _plain_word(word)
        if segment is None:
            waiting.append(word)
            continue
        if waiting:
            yield _terms_together(" ".join(waiting))
            waiting.clear()
        yield segment
    if waiting:
        yield _terms_together(" ".join(waiting))


@functools.lru_cache(maxsize=1 << 17)
def _plain_word(text: str) -> _Segment | None:
    """The terms of what stands between two blanks; None where they depend on what stands beside it."""
    words = _PLAIN_WORDS.findall(text)
    if not words or _NOT_PLAIN.search(text) or any(word in context_words() for word in words):
        return None
    return tuple(term_of(word) for word in words), ()


@functools.lru_cache(maxsize=1 << 17)
def _terms_together(text: str) -> _Segment:
    first: list[str] = []
    more: list[tuple[str, int]] = []
    for term, _, _, _, position in _all_terms(text):
        if position == len(first):
            first.append(term)
        else:
            more.append((term, position))
    return tuple(first), tuple(more)


_Term = tuple[str, str, int, int, int]  # term, kind, start, end, position


def _all_terms(text: str) -> Iterator[_Term]:
    """The terms of a folded text; the first of each position before the others of it."""
    position = 0
    starts: dict[int, int] = {}
    for piece in pieces_of(text):
        starts[piece.start] = position
        if piece.kind == "han":
            yield from _han_terms(piece.text, piece.start, position)
            position += len(piece.text)
        elif piece.kind == "word":
            yield term_of(piece.text), WORD, piece.start, piece.end, position
            position += 1
        else:
            yield piece.text[:_LONGEST_TERM], WORD, piece.start, piece.end, position
            if piece.unit is not None:
                yield from _quantity_terms(text, piece, piece.unit, position)
                position += piece.unit_start >= 0
            position += 1
    yield from _joined_terms(text, starts)


def _han_terms(run: str, start: int, position: int) -> Iterator[_Term]:
    last = len(run) - 1
    for place, character in enumerate(run):
        at = start + place
        if place < last:
            yield run[place : place + 2], HAN, at, at + 2, position + place
        yield character, HAN, at, at + 1, position + place
    for word, place in han_words(run):
        if len(word) > 2:
            at = start + place
            yield word[:_LONGEST_TERM], HAN, at, at + len(word), position + place


def _quantity_terms(text: str, piece: Piece, unit: Unit, position: int) -> Iterator[_Term]:
    end = max(piece.end, piece.unit_end)
    yield quantity_term(piece.text, unit)[:_LONGEST_TERM], QUANTITY, piece.start, end, position
    if piece.unit_start < 0:
        return
    yield unit.code, WORD, piece.unit_start, piece.unit_end, position + 1
    name = text[piece.unit_start : piece.unit_end]
    if is_han(name):
        for term, kind, start, stop, _ in _han_terms(name, piece.unit_start, 0):
            yield term, kind, start, stop, position + 1
    elif name.isalnum() and term_of(name) != unit.code:
        yield term_of(name), WORD, piece.unit_start, piece.unit_end, position + 1


def _joined_terms(text: str, starts: dict[int, int]) -> Iterator[_Term]:
    """Model numbers and hyphenated words without what stands between their parts."""
    for found in _IDENTIFIER.finditer(text):
        compact = _compact(found.group())
        if compact is not None and found.start() in starts:
            yield compact, IDENTIFIER, found.start(), found.end(), starts[found.start()]
    if "-" not in text:
        return
    for found in _HYPHENATED.finditer(text):
        if found.start() in starts:
            joined = found.group().replace("-", "")
            yield term_of(joined), WORD, found.start(), found.end(), starts[found.start()]


def identifier_term(text: str) -> str | None:
    """A model number, SKU or GTIN without hyphens, folded; None where `text` is not like one.

    >>> identifier_term("WH-1000XM4"), identifier_term("4006381333931"), identifier_term("table")
    ('wh1000xm4', '4006381333931', None)
    """
    return _compact(normalise(text))


def _compact(folded: str) -> str | None:
    if not _DIGIT.search(folded) or ("/" in folded and not _LETTER.search(folded)):
        return None  # a date or a fraction
    compact = _SEPARATORS.sub("", folded)
    if not compact.isascii() or len(compact) > _LONGEST_IDENTIFIER:
        return None
    least = _LEAST_NUMBER if compact.isdigit() else _LEAST_IDENTIFIER
    return compact if len(compact) >= least else None


__all__ = ["ANALYZER_VERSION", "Analyzer", "FoldedText", "QueryWord", "Token", "identifier_term"]
