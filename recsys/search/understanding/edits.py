"""How likely one word was meant and another typed: edits weighted by how typing errors happen."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SOUND_ALIKE = ("aeiouy", "ckqsxz", "gj", "fv", "dt", "bp", "mn")  # also seen for each other: "cemnt", "bosh"
_VOWELS = frozenset("aeiou")
_DOUBLED = 0.4  # a letter twice or once: "walll", "carpart" are errors of the hand, not of the word
_VOWEL = 0.7  # one left out or too many
_NEIGHBOUR = 0.8  # the key beside
_ALIKE = 0.7  # a letter of the same sound
_SWAPPED = 0.7
_OTHER = 1.0
LEAST_NEW_LETTER = min(_VOWEL, _ALIKE)  # cost of a letter that only one of two words has, at least
_FIRST = 0.6  # more for an error in the first letter, which is seldom wrong


def _adjacent_keys() -> Iterator[tuple[str, str]]:
    for row in _ROWS:
        yield from pairwise(row)
    for upper, lower in pairwise(_ROWS):
        for place, key in enumerate(lower):
            for other in upper[place : place + 2]:
                yield key, other


def _substitutions() -> dict[tuple[str, str], float]:
    costs: dict[tuple[str, str], float] = {}
    for one, other in _adjacent_keys():
        costs[one, other] = costs[other, one] = _NEIGHBOUR
    for letters in _SOUND_ALIKE:
        costs.update({(one, other): _ALIKE for one in letters for other in letters})
    return costs


_SUBSTITUTION = _substitutions()


def letter_places(word: str) -> dict[str, int]:
    """For each letter of `word` its places as bits, for `edits_between`."""
    places: dict[str, int] = {}
    for place, letter in enumerate(word):
        places[letter] = places.get(letter, 0) | 1 << place
    return places


def edits_between(places: Mapping[str, int], length: int, other: str) -> int:
    """Letters changed, left out, added, or swapped with the next, from one word to another.

    Optimal string alignment in bit vectors (Hyyro 2003): one step a letter, a tenth of `edit_cost`.

    Args:
        places: `letter_places` of the one word, of `length` letters.

    >>> edits_between(letter_places("chari"), 5, "chair")
    1
    """
    full, last = (1 << length) - 1, 1 << (length - 1)
    more, less, diagonal, before = full, 0, 0, 0
    distance = length
    for letter in other:
        here = places.get(letter, 0)
        swapped = ((~diagonal & here) << 1) & before
        diagonal = ((((here & more) + more) ^ more) | here | less | swapped) & full
        up = less | (full & ~(diagonal | more))
        down = diagonal & more
        if up & last:
            distance += 1
        elif down & last:
            distance -= 1
        up = (up << 1 | 1) & full
        more = (down << 1 | ~(diagonal | up)) & full
        less = up & diagonal
        before = here
    return distance


def edit_cost(typed: str, meant: str, most: float) -> float:
    """The weighted edits that make `typed` of `meant`; infinite where they cost more than `most`.

    >>> round(edit_cost("walll", "wall", 3), 2), round(edit_cost("dut", "duty", 3), 2)
    (0.4, 1.0)
    >>> edit_cost("chair", "table", 3)
    inf
    """
    if typed == meant:
        return 0.0
    cost = _edit_cost(typed, meant, most)
    if ("ph" in meant) != ("ph" in typed):
        heard = _edit_cost(typed.replace("ph", "f"), meant.replace("ph", "f"), most - _ALIKE)
        cost = min(cost, heard + _ALIKE)
    return cost if cost <= most else float("inf")


def _edit_cost(typed: str, meant: str, most: float) -> float:
    if typed == meant:
        return 0.0
    start, first = 0, 0.0
    shortest = min(len(typed), len(meant))
    while start < shortest and typed[start] == meant[start]:
        start += 1
    end = 0
    while end < shortest - start and typed[-1 - end] == meant[-1 - end]:
        end += 1
    if not start:
        first = _FIRST
    before = typed[start - 1] if start else ""
    cost = first + _weighted(
        typed[start : len(typed) - end], meant[start : len(meant) - end], before, most - first
    )
    return cost if cost <= most else float("inf")


def _weighted(typed: str, meant: str, before: str, most: float) -> float:
    """Optimal string alignment; `before` is the letter in front of both."""
    above: list[float] = []
    row = [0.0]
    last = before
    for letter in meant:
        row.append(row[-1] + _gap(letter, last))
        last = letter
    for place, letter in enumerate(typed):
        previous = typed[place - 1] if place else before
        gap = _gap(letter, previous)
        new = [row[0] + gap]
        for other_place, other in enumerate(meant):
            cost = row[other_place] + (0.0 if letter == other else _SUBSTITUTION.get((letter, other), _OTHER))
            cost = min(cost, row[other_place + 1] + gap)
            cost = min(cost, new[-1] + _gap(other, meant[other_place - 1] if other_place else before))
            if place and other_place and letter == meant[other_place - 1] and previous == other:
                cost = min(cost, above[other_place - 1] + _SWAPPED)
            new.append(cost)
        if min(new) > most:
            return float("inf")
        above, row = row, new
    return row[-1]


def _gap(letter: str, before: str) -> float:
    """A letter that is missing or too many behind `before`."""
    if letter == before:
        return _DOUBLED
    return _VOWEL if letter in _VOWELS else _OTHER
