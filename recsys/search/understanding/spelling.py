"""Words that were typed wrong: corrected, split and joined, all words of a query judged together.

A reading of a query is scored by

    sum over its words       prior x log(texts with the word x s) - edit x (weighted edits, spaces moved)
    + sum over pairs of them together x log((texts with both + .5) / (texts with both by chance + .5))

s is sqrt(50,000 / texts), at least 1: five texts of a small catalog say as much as many of a large one.
A word that no text has, left as it is, costs `kept`, less where it is short, and `in_language` less where it
is a word of the language: then it is rather right, and the catalog lacks it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import log, sqrt

import numpy as np

from recsys.arrays import DoubleArray, IntArray
from recsys.search.understanding.derived_words import is_derived
from recsys.search.understanding.edits import LEAST_NEW_LETTER, edit_cost, edits_between, letter_places
from recsys.search.understanding.lexicon import Lexicon
from recsys.search.understanding.near_words import NearWords

MOST_WORDS = 24  # of a query that are looked at
_MOST_OPTIONS = 8  # readings of one word that are weighed
_BEAM = 12  # readings of the words so far that are kept
_LEAST_LIFT, _MOST_LIFT = -4.0, 4.0
_MOST_REMEMBERED = 50_000  # unknown words whose readings are kept
_LARGE = 50_000  # texts of a catalog whose counts are taken as they are
_SHORT = 5  # letters below which a word may be an abbreviation
_LONG = 8  # letters of a word in which three may be wrong
_LONGEST = 40  # letters of a word that is looked at


@dataclass(frozen=True)
class SpellingWeights:
    """Constants of the score, fitted on the judged queries of a shop for home improvement."""

    prior: float = 0.5
    edit: float = 3.0
    together: float = 0.6
    kept: float = 4.0
    in_language: float = 4.0
    space: float = 0.8  # edits that a space left out or too many counts for
    moved: float = 1.2  # and one in the wrong place
    unseen: float = 0.6  # more for parts that never stand side by side in the catalog
    derived: float = 2.0  # less for a word made of one of the catalog's, such as `drainer` of `drain`
    least_gain: float = 1.0  # of a correction over what was typed, to be looked for too
    sure_gain: float = 2.5  # and to be looked for instead
    short: float = (
        0.75  # more of both for each letter that a word has less than five: it may be an abbreviation
    )


@dataclass(frozen=True)
class TypedWord:
    """A word of a query: folded, the index's term for it, and whether it must stay as it is."""

    surface: str
    term: str
    fixed: bool = False


@dataclass(frozen=True)
class Correction:
    """Words `start` to `end` (exclusive) of a query, and those that were probably meant.

    Attributes:
        gain: in score over leaving them, less what is asked of short words.
        sure: whether to look for what was meant instead of what was typed, and not only beside it.
    """

    start: int
    end: int
    words: tuple[str, ...]
    gain: float
    sure: bool


@dataclass(frozen=True)
class _Option:
    """One reading of `length` words of the query; terms are indexes, -1 where the catalog has none."""

    length: int
    words: tuple[str, ...]
    terms: tuple[int, ...]
    score: float


@dataclass(frozen=True)
class Speller:
    """Corrects queries by a catalog's words; safe to share between threads.

    Attributes:
        near: of the lexicon's words that may be meant.
        language_words: words that are right though the catalog lacks them, such as a tokenizer's whole words.
    """

    lexicon: Lexicon
    near: NearWords
    language_words: frozenset[str] = frozenset()
    weights: SpellingWeights = field(default_factory=SpellingWeights)
    _remembered: dict[str, tuple[_Option, ...]] = field(default_factory=dict, repr=False, compare=False)

    def corrections(
        self, words: Sequence[TypedWord], edits: bool = True, spaces: bool = True
    ) -> tuple[Correction, ...]:
        """What to read instead, left to right, without overlap; empty where nothing else is more likely.

        Args:
            edits: whether letters may be wrong. spaces: whether spaces may be missing, too many or misplaced.
        """
        words = words[:MOST_WORDS]
        if all(self._stays(word) for word in words):
            return ()
        options = [self._options(words, place, edits, spaces) for place in range(len(words))]
        lift = self._lifts(options)
        together = self.weights.together
        reading = _best_reading(options, lift, together)
        found = []
        place = 0
        for order, option in enumerate(reading):
            end = place + option.length
            if option.words != tuple(word.surface for word in words[place:end]):
                others = [term for i, other in enumerate(reading) if i != order for term in other.terms]
                kept = sum(options[i][0].score for i in range(place, end))
                gain = option.score + together * _lift_of(option.terms, others, lift) - kept
                gain -= self._more_for_short(words[place:end])
                if gain >= self.weights.least_gain:
                    sure = gain >= self.weights.sure_gain
                    found.append(Correction(place, end, option.words, gain, sure))
            place = end
        return tuple(found)

    @cached_property
    def _scale(self) -> float:
        return max(1.0, sqrt(_LARGE / max(self.lexicon.documents, 1)))

    def _more_for_short(self, words: Sequence[TypedWord]) -> float:
        letters = sum(len(word.surface) for word in words)
        return self.weights.short * max(0, _SHORT - letters)

    def _stays(self, word: TypedWord) -> bool:
        known = word.fixed or word.term in self.lexicon.index_of_term
        return known or not 3 <= len(word.surface) <= _LONGEST

    def _options(self, words: Sequence[TypedWord], place: int, edits: bool, spaces: bool) -> list[_Option]:
        """Readings that begin at this word; the first leaves it as it is."""
        word = words[place]
        stays = self._stays(word)
        index = self.lexicon.index_of_term.get(word.term, -1)
        kept = 0.0 if index >= 0 or word.fixed else -self._kept(word.surface)
        options = [_Option(1, (word.surface,), (index,), kept)]
        if not stays:
            single = self._single(word.surface)
            options.extend(each for each in single if (spaces if len(each.words) == 2 else edits))
        if spaces and place + 1 < len(words) and not word.fixed and not words[place + 1].fixed:
            after = words[place + 1]
            if not (stays and self._stays(after)):
                options.extend(self._spaced(word.surface, after.surface))
        return options

    def _kept(self, surface: str) -> float:
        right = 0.0
        if surface in self.language_words:
            right = self.weights.in_language
        elif is_derived(surface, self.lexicon.index_of_word):
            right = self.weights.derived
        return self.weights.kept * min(1.0, len(surface) / 6) - right

    def _single(self, surface: str) -> tuple[_Option, ...]:
        """Readings of one unknown word by itself, best first."""
        known = self._remembered.get(surface)
        if known is None:
            options = sorted(
                (*self._edited(surface), *self._split(surface)), key=lambda option: -option.score
            )
            known = tuple(options[:_MOST_OPTIONS])
            if len(self._remembered) < _MOST_REMEMBERED:
                self._remembered[surface] = known
        return known

    def _edited(self, surface: str) -> Iterator[_Option]:
        most = 1.1 if len(surface) < 4 else 1.7 if len(surface) < 6 else 2.6
        edits = 2 if len(surface) < _LONG else 3
        places = letter_places(surface)
        for index in self.near.near(surface, int(most / LEAST_NEW_LETTER)):
            word = self.lexicon.words[index]
            if edits_between(places, len(surface), word) > edits:
                continue
            cost = edit_cost(surface, word, most)
            if cost <= most:
                yield self._option(1, (word,), cost)

    def _split(self, surface: str) -> Iterator[_Option]:
        for cut in range(2, len(surface) - 1):
            option = self._parted(1, (surface[:cut], surface[cut:]), self.weights.space)
            if option is not None:
                yield option

    def _spaced(self, one: str, other: str) -> Iterator[_Option]:
        """The two words as one, or with the space one letter further left or right."""
        both = one + other
        if both in self.lexicon.index_of_word:
            yield self._option(2, (both,), self.weights.space)
        for cut in (len(one) - 1, len(one) + 1):
            option = self._parted(2, (both[:cut], both[cut:]), self.weights.moved)
            if option is not None:
                yield option

    def _parted(self, length: int, parts: tuple[str, str], cost: float) -> _Option | None:
        index_of = self.lexicon.index_of_word
        one, other = index_of.get(parts[0]), index_of.get(parts[1])
        if one is None or other is None or min(map(len, parts)) < 2:
            return None
        terms = self.lexicon.word_terms
        seen = self.lexicon.followed(terms[one : one + 1], terms[other : other + 1])[0]
        if not seen and min(map(len, parts)) < 4:
            return None
        return self._option(length, parts, cost if seen else cost + self.weights.unseen)

    def _option(self, length: int, words: tuple[str, ...], cost: float) -> _Option:
        indexes = [self.lexicon.index_of_word[word] for word in words]
        count = min(int(self.lexicon.word_counts[index]) for index in indexes)
        terms = tuple(int(self.lexicon.word_terms[index]) for index in indexes)
        score = self.weights.prior * log(count * self._scale) - self.weights.edit * cost
        return _Option(length, words, terms, score)

    def _lifts(self, options: Sequence[Sequence[_Option]]) -> "_Lifts":
        terms = sorted({term for row in options for option in row for term in option.terms if term >= 0})
        matrix = lifts(self.lexicon, np.array(terms, np.int64))
        return _Lifts({term: row for row, term in enumerate(terms)}, matrix.tolist())


def lifts(lexicon: Lexicon, terms: IntArray) -> DoubleArray:
    """(K, K) bounded logarithms of how much more often two terms stand in one text than by chance."""
    counts = lexicon.term_counts[terms].astype(np.float64)
    chance = counts[:, None] * counts[None, :] / max(lexicon.documents, 1)
    together = lexicon.together(terms[:, None], terms[None, :])
    bounded: DoubleArray = np.clip(np.log((together + 0.5) / (chance + 0.5)), _LEAST_LIFT, _MOST_LIFT)
    return bounded


@dataclass(frozen=True)
class _Lifts:
    rows: Mapping[int, int]
    values: list[list[float]]

    def of(self, one: int, other: int) -> float:
        if one < 0 or other < 0 or one == other:
            return 0.0
        return self.values[self.rows[one]][self.rows[other]]


def _lift_of(terms: Sequence[int], others: Sequence[int], lift: _Lifts) -> float:
    inner = lift.of(*terms) if len(terms) == 2 else 0.0
    return inner + sum(lift.of(term, other) for term in terms for other in others)


def _best_reading(options: Sequence[Sequence[_Option]], lift: _Lifts, together: float) -> tuple[_Option, ...]:
    """Options that cover the words from left to right with the highest score, by a beam."""
    beams: list[list[tuple[float, tuple[_Option, ...], tuple[int, ...]]]] = [
        [] for _ in range(len(options) + 1)
    ]
    beams[0].append((0.0, (), ()))
    for place, here in enumerate(options):
        best = sorted(beams[place], key=lambda state: -state[0])[:_BEAM]
        for score, chosen, terms in best:
            for option in here:
                total = score + option.score + together * _lift_of(option.terms, terms, lift)
                beams[place + option.length].append((total, (*chosen, option), (*terms, *option.terms)))
    return max(beams[-1], key=lambda state: state[0])[1]
