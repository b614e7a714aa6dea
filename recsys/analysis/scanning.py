"""A folded text as pieces: words, numbers with their units, runs of Han characters."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from recsys.analysis.folding import HAN
from recsys.analysis.quantities import PACK_OF, Unit, canonical_number, unit_at, unit_of_pack

_SIXTEENTHS = frozenset({"2", "3", "4", "5", "6", "8", "10", "12", "16", "32", "64"})
_LETTER = rf"[^\W\d_{HAN}]"


@functools.cache
def _pieces() -> re.Pattern[str]:
    return re.compile(
        rf"(?P<han>[{HAN}]+)"
        rf"|(?P<pack>(?:{PACK_OF}) of (?=[0-9]))"
        r"|(?P<mixed>(?<![0-9/.,])[0-9]{1,4}(?: |-| - )[0-9]{1,2}/[0-9]{1,2}(?![0-9/]))"
        r"|(?P<fraction>(?<![0-9/.,])[0-9]{1,2}/[0-9]{1,2}(?![0-9/]))"
        r"|(?P<grouped>(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?(?![0-9,]))"
        r"|(?P<number>[0-9]+(?:\.[0-9]+)?|(?<![^\s(\"])\.[0-9]+)"
        rf"|(?P<word>{_LETTER}+(?:'{_LETTER}+)*)"
        r"|(?P<digits>\d+)"
    )


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a folded text.

    Attributes:
        kind: `word`, `number` or `han`.
        text: the piece; of a number its canonical form.
        unit: of a number, what it counts.
        unit_end: where the unit's name ends; `unit_start` = -1 where it stands elsewhere, as in `pack of 2`.
    """

    kind: str
    text: str
    start: int
    end: int
    unit: Unit | None = None
    unit_start: int = -1
    unit_end: int = -1


def is_han(text: str) -> bool:
    """Whether `text` begins with a character of a script without spaces between words.

    >>> is_han("毫升"), is_han("ml")
    (True, False)
    """
    return _han().match(text) is not None


@functools.cache
def _han() -> re.Pattern[str]:
    return re.compile(f"[{HAN}]")


_BY = re.compile(r" ?(?:x|\*|×|by)(?= ?[0-9])")


def pieces_of(text: str) -> list[Piece]:
    """The pieces of a folded text, in their order."""
    found = list(_plain_pieces(text))
    for place in range(len(found) - 2, -1, -1):  # 8 x 10 ft: both are lengths
        piece = found[place]
        if piece.kind == "number" and piece.unit is None and _BY.match(text, piece.end):
            after = found[min(place + 2, len(found) - 1)]
            if after.kind == "number" and after.unit is not None and after.unit_start >= 0:
                found[place] = Piece("number", piece.text, piece.start, piece.end, after.unit)
    return found


def _plain_pieces(text: str) -> Iterator[Piece]:
    place, match = 0, _pieces().search
    pack: Unit | None = None
    while found := match(text, place):
        kind, (start, place) = found.lastgroup or "", found.span()
        if kind == "word" or kind == "han":
            yield Piece(kind, found.group(), start, place)
        elif kind == "pack":
            word = found.group().split(" ")[0]
            pack = unit_of_pack(word)
            yield Piece("word", word, start, start + len(word))
            yield Piece("word", "of", place - 3, place - 1)
            continue
        elif kind in ("fraction", "mixed") and not _is_fraction(found.group()):
            place = start + len(re.split("[^0-9]", found.group(), maxsplit=1)[0])
            yield Piece("number", text[start:place], start, place)
        else:
            piece = _number(text, start, place, pack)
            place = max(piece.unit_end, place)
            yield piece
        pack = None


def _number(text: str, start: int, end: int, pack: Unit | None) -> Piece:
    number = _canonical(text[start:end])
    if pack is not None:
        return Piece("number", number, start, end, pack)
    unit = unit_at(text, end)
    if unit is None:
        return Piece("number", number, start, end)
    return Piece("number", number, start, end, unit.unit, unit.start, unit.end)


def _canonical(text: str) -> str:
    return canonical_number(re.sub(" ?- ?", " ", text)) if "/" in text else canonical_number(text)


def _is_fraction(text: str) -> bool:
    """Whether `1/2` or `5-1/2` is a part of a whole and no date."""
    above, _, below = text.replace("-", " ").rpartition(" ")[2].partition("/")
    return below in _SIXTEENTHS and 0 < int(above) < int(below)
