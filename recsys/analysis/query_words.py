"""A query as the words that it asks for: plain ones, `"quoted phrases"`, `-excluded` ones."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recsys.analysis.folding import FoldedText, fold_text
from recsys.analysis.han import han_query_words
from recsys.analysis.quantities import PACK_WORDS, quantity_term
from recsys.analysis.scanning import Piece, pieces_of
from recsys.analysis.stems import term_of

# Words that narrow nothing; they are asked for where they stand alone or in quotes.
_STOP_WORDS = frozenset(
    ["a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "is", "it"]
) | {"of", "on", "or", "the", "to", "with", "x"}
_QUOTED = re.compile(r'(?P<minus>(?<![^\s])-)?(?P<open>(?<![^\s(-])"|「|『|«)(?P<phrase>[^"」』»]+)["」』»]')
_MINUS = re.compile(r"(?<![^\s])-(?=[^\s\d-])")


@dataclass(frozen=True, slots=True)
class QueryWord:
    """A word of a query.

    Attributes:
        text: as it was typed.
        start: its first character in the query.
        end: behind its last character in the query.
        terms: what an item's field must hold, one behind another. A term of n Han characters stands for
            all n of them, whatever words they are in.
        strict: it must match: a quoted phrase.
        excluded: nothing that matches it is asked for.
        kind: `word`, `han`, `quantity`, `identifier` or `phrase`.
        has_digits: it is a number or has one in it, so that nobody corrects its spelling.
        weaker: terms that say a part of it: of a quantity its number.
    """

    text: str
    start: int
    end: int
    terms: tuple[str, ...]
    strict: bool = False
    excluded: bool = False
    kind: str = "word"
    has_digits: bool = False
    weaker: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """A word in the folded text."""

    start: int
    end: int
    terms: tuple[str, ...]
    kind: str
    weaker: tuple[tuple[str, ...], ...] = ()


def words_of_query(text: str) -> tuple[QueryWord, ...]:
    """The words of a query, in its order; never raises, linear in the length."""
    folded = fold_text(text)
    words: list[QueryWord] = []
    place = 0
    for found in _QUOTED.finditer(folded.text):
        words += _plain_words(text, folded, place, found.start())
        words += _phrase(text, folded, found)
        place = found.end()
    words += _plain_words(text, folded, place, len(folded.text))
    telling = [word for word in words if not _is_stop_word(word)]
    return tuple(telling if any(not word.excluded for word in telling) else words)


def _is_stop_word(word: QueryWord) -> bool:
    return not word.strict and len(word.terms) == 1 and word.text.casefold() in _STOP_WORDS


def _terms_in_order(pieces: Iterable[Piece]) -> tuple[str, ...]:
    """The terms of pieces that follow one another, Han characters of a run as one term."""
    terms: list[str] = []
    for piece in pieces:
        terms.append(term_of(piece.text) if piece.kind == "word" else piece.text)
        if piece.unit is not None and piece.unit_start >= 0:
            terms.append(piece.unit.code)
    return tuple(terms)


def _phrase(text: str, folded: FoldedText, found: re.Match[str]) -> list[QueryWord]:
    terms = _terms_in_order(pieces_of(found.group("phrase")))
    if not terms:
        return []
    start, end = folded.span(*found.span("phrase"))
    excluded = found.group("minus") is not None
    digits = any(each.isdigit() for each in found.group("phrase"))
    return [QueryWord(text[start:end], start, end, terms, not excluded, excluded, "phrase", digits)]


def _plain_words(text: str, folded: FoldedText, first: int, behind: int) -> list[QueryWord]:
    words: list[QueryWord] = []
    part = folded.text[first:behind]
    excluded = {found.end() + first for found in _MINUS.finditer(part)}
    out_until = -1
    for each in _parts(part):
        start, end = each.start + first, each.end + first
        if start in excluded:
            out_until = _word_end(folded.text, start)
        place = folded.span(start, end)
        words.append(
            QueryWord(
                text[slice(*place)],
                *place,
                each.terms,
                excluded=start < out_until,
                kind=each.kind,
                has_digits=any(character.isdigit() for character in folded.text[start:end]),
                weaker=each.weaker,
            )
        )
    return words


def _word_end(text: str, start: int) -> int:
    """Where the word that begins at `start` is followed by a blank."""
    blank = text.find(" ", start)
    return len(text) if blank < 0 else blank


def _parts(text: str) -> Iterator[_Part]:
    pieces = pieces_of(text)
    place = 0
    while place < len(pieces):
        behind = _glued(text, pieces, place)
        if _is_pack_of(pieces[place : place + 3]):
            behind = place + 3
            yield _pack_of(pieces[place:behind])
        elif behind - place > 1:
            yield _compound(pieces[place:behind])
        else:
            yield from _single(text, pieces[place])
        place = behind


def _is_pack_of(pieces: list[Piece]) -> bool:
    """pack of 2"""
    if len(pieces) < 3 or pieces[1].text != "of" or pieces[2].unit is None:
        return False
    return pieces[2].unit_start < 0 and pieces[0].text in PACK_WORDS


def _pack_of(pieces: list[Piece]) -> _Part:
    number, unit = pieces[2], pieces[2].unit
    assert unit is not None
    terms = (quantity_term(number.text, unit),)
    return _Part(pieces[0].start, number.end, terms, "quantity", ((number.text,),))


def _compound(pieces: list[Piece]) -> _Part:
    start, end = pieces[0].start, max(pieces[-1].end, pieces[-1].unit_end)
    kind = "identifier" if any(piece.kind == "number" for piece in pieces) else "word"
    return _Part(start, end, _terms_in_order(pieces), kind)


def _single(text: str, piece: Piece) -> Iterator[_Part]:
    if piece.kind == "han":
        for word, at in han_query_words(piece.text):
            start = piece.start + at
            yield _Part(start, start + len(word), (word,), "han")
    elif piece.unit is not None:
        terms = (quantity_term(piece.text, piece.unit),)
        end = max(piece.end, piece.unit_end)
        yield _Part(piece.start, end, terms, "quantity", ((piece.text,),))
    elif piece.kind == "word":
        yield _Part(piece.start, piece.end, (term_of(piece.text),), "word")
    else:
        yield _Part(piece.start, piece.end, (piece.text,), "word")


_LONGEST_COMPOUND = 16  # pieces
_JOINTS = frozenset({"", "-", "_", ".", "/"})


def _glued(text: str, pieces: list[Piece], place: int) -> int:
    """Behind the last piece of a compound that begins at `place`: a model number, `t-shirt`."""
    behind = place + 1
    while behind < min(len(pieces), place + _LONGEST_COMPOUND) and _joins(
        text, pieces[behind - 1], pieces[behind]
    ):
        behind += 1
    parts = pieces[place:behind]
    if any(piece.kind == "number" for piece in parts):
        return behind if any(piece.kind == "word" for piece in parts) else place + 1
    return behind if any(len(piece.text) == 1 for piece in parts) else place + 1


def _joins(text: str, before: Piece, after: Piece) -> bool:
    if before.kind == "han" or after.kind == "han" or before.unit is not None or after.unit is not None:
        return False
    if {before.kind, after.kind} == {"word", "number"} and "x" in (before.text, after.text):
        return False  # 8x10
    return text[before.end : after.start] in _JOINTS
