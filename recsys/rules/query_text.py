"""A query's text as rules compare it: folded words, and Chinese as text without gaps.

The key of a text has its words folded and with one space between them; Chinese characters stand without
spaces among themselves, whatever was typed. A pattern is contained in a query where its key occurs in the
query's with every end that is a word's at a word's border: words as wholes, Chinese as text.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from recsys.analysis.folding import normalise

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# A word keeps what joins its parts: 5.5, t-shirt, o'neill.
_PIECE = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+(?:[.'’&+/-][^\W_{_HAN}]+)*")
_IS_HAN = re.compile(rf"[{_HAN}]")
MAX_CHARACTERS = 500  # of a query that are compared

Words = Mapping[str, tuple[tuple[str, int], ...]]  # first word or character -> (key, number) of patterns


def query_key(text: str) -> str:
    """The key of `text`, empty where it has neither a word nor a Chinese character.

    >>> query_key("  Ｒｅｄ  Dress!"), query_key("红色 连衣裙 XL")
    ('red dress', '红色连衣裙 xl')
    """
    parts: list[str] = []
    for piece in _PIECE.findall(normalise(text[:MAX_CHARACTERS])):
        if parts and not (is_han(piece) and is_han(parts[-1])):
            parts.append(" ")
        parts.append(piece)
    return "".join(parts)


def is_han(text: str) -> bool:
    """Whether `text` begins with a Chinese character."""
    return _IS_HAN.match(text) is not None


def first_unit(key: str) -> str:
    """What a key is looked up by: its first word, or its first Chinese character."""
    return key[0] if is_han(key) else re.split(rf"[ {_HAN}]", key, maxsplit=1)[0]


def index_patterns(patterns: Iterable[tuple[str, int]]) -> Words:
    """(key, number) of many patterns, by their first unit."""
    found: dict[str, list[tuple[str, int]]] = {}
    for key, number in patterns:
        found.setdefault(first_unit(key), []).append((key, number))
    return {unit: tuple(entries) for unit, entries in found.items()}


def contained(words: Words, key: str) -> Iterator[tuple[str, int]]:
    """Each (pattern, number) of `words` that the query with this `key` contains; one may come twice."""
    if not words:
        return
    for start, unit in _units(key):
        for pattern, number in words.get(unit, ()):
            if key.startswith(pattern, start) and _ends_well(key, start + len(pattern)):
                yield pattern, number


def _units(key: str) -> Iterator[tuple[int, str]]:
    """(start, unit) of every word and every Chinese character of a key."""
    start = 0
    for part in key.split(" "):
        if is_han(part):
            yield from ((start + place, character) for place, character in enumerate(part))
        else:
            yield start, part
        start += len(part) + 1


def _ends_well(key: str, end: int) -> bool:
    return end == len(key) or key[end] == " " or is_han(key[end - 1])
