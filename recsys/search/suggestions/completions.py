"""Texts found by words of theirs of which the last is still being typed, one typing error allowed in it."""

import functools
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.analysis.folding import HAN, normalise
from recsys.analysis.scanning import is_han
from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import ArtifactMismatchError
from recsys.search.understanding.text_arrays import NamedArrays, packed_texts, unpacked_texts

LEAST_FUZZY = 4  # letters of a word in which an error is allowed
_LONGEST_FUZZY = 16
_LONGEST_RUN = 8  # Han characters that are matched from one place on
_MOST_TYPED = 8  # words that are looked at
_LONGEST_TEXT = 500  # characters
_BEGINS = 3.0  # times the weight of a text that begins with what was typed first
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_END = "\U0010ffff"
_PIECES = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+(?:'[^\W_{HAN}]+)*")
_ARRAYS = ("texts", "weights", "words", "offsets", "postings", "first_words")


def typed_words(text: str) -> tuple[str, ...]:
    """The words of a text, folded; Han characters that stand together are one.

    >>> typed_words("Wi-Fi 红色连衣裙 men's"), typed_words("  ")
    (('wi', 'fi', '红色连衣裙', "men's"), ())
    """
    return _typed_words(text[:_LONGEST_TEXT])


@functools.lru_cache(maxsize=1 << 15)
def _typed_words(text: str) -> tuple[str, ...]:
    return tuple(_PIECES.findall(normalise(text)))


@dataclass(frozen=True)
class Completions:
    """Weighted texts and the words that find them; immutable.

    Attributes:
        texts: (N) as they are shown. weights: (N,) how often each is wanted.
        words: (W) ascending; of Han characters, what stands from each place on.
        offsets: (W + 1,); the texts of word w are `postings[offsets[w]:offsets[w + 1]]`.
        first_words: (N,) the word that each text begins with; -1 for none.
    """

    texts: tuple[str, ...]
    weights: DoubleArray
    words: tuple[str, ...]
    offsets: IntArray
    postings: IntArray
    first_words: IntArray

    def found(self, typed: Sequence[str], fuzzy: bool = False) -> BoolArray:
        """(N,) which texts have all typed words, the last as the beginning of one.

        Args:
            typed: by `typed_words`; none finds everything.
            fuzzy: the beginning of the last word has one typing error.
        """
        typed = typed[:_MOST_TYPED]
        if not typed:
            return np.ones(len(self.texts), bool)
        found = self._marked(self._fuzzy(typed[-1]) if fuzzy else [self._range(typed[-1])])
        for word in typed[:-1]:
            found &= self._marked([self._range(word) if is_han(word) else self._whole(word)])
        return found

    def best(self, found: BoolArray, typed: Sequence[str], count: int) -> list[tuple[int, float]]:
        """(place, weight) of at most `count` texts found, the heaviest first; of equal ones the shorter.

        A text that begins with what was typed first weighs three times as much.
        """
        places = np.flatnonzero(found)
        weights = self.weights[places]
        if typed and len(places):
            first, behind = self._range(typed[0]) if len(typed) == 1 else self._whole(typed[0])
            begins = (self.first_words[places] >= first) & (self.first_words[places] < behind)
            weights = np.where(begins, _BEGINS * weights, weights)
        if len(places) > count:
            kept = np.argpartition(-weights, count - 1)[:count]
            kept.sort()
            places, weights = places[kept], weights[kept]
        ranked = zip(places.tolist(), weights.tolist(), strict=True)
        return sorted(ranked, key=lambda each: (-each[1], len(self.texts[each[0]]), each[0]))

    def _marked(self, ranges: Iterable[tuple[int, int]]) -> BoolArray:
        marks = np.zeros(len(self.texts), bool)
        for first, behind in ranges:
            marks[self.postings[self.offsets[first] : self.offsets[behind]]] = True
        return marks

    def _whole(self, word: str) -> tuple[int, int]:
        at = bisect_left(self.words, word)
        return at, at + (at < len(self.words) and self.words[at] == word)

    def _range(self, prefix: str) -> tuple[int, int]:
        prefix = prefix[:_LONGEST_RUN] if is_han(prefix) else prefix
        first = bisect_left(self.words, prefix)
        return first, bisect_left(self.words, prefix + _END, lo=first)

    def _fuzzy(self, prefix: str) -> list[tuple[int, int]]:
        """The ranges of words that begin with `prefix` but for one error."""
        if not (LEAST_FUZZY <= len(prefix) <= _LONGEST_FUZZY and prefix.isalpha() and prefix.isascii()):
            return []
        ranges = set()
        for variant in _one_edit(prefix):
            at = bisect_left(self.words, variant)
            if at < len(self.words) and self.words[at].startswith(variant):
                ranges.add(self._range(variant))
        return sorted(ranges)


def _one_edit(word: str) -> Iterator[str]:
    """Words that `word` may have been meant to be; the first letter is right."""
    for place in range(1, len(word)):
        head, rest = word[:place], word[place:]
        yield head + rest[1:]
        if len(rest) > 1:
            yield head + rest[1] + rest[0] + rest[2:]
        for letter in _LETTERS:
            if letter != rest[0]:
                yield head + letter + rest[1:]
                yield head + letter + rest


def completions_of(texts: Sequence[str], weights: Sequence[float]) -> Completions:
    """The completions of texts with their weights, in this order."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    firsts = []
    for at, text in enumerate(texts):
        pieces = typed_words(text)
        firsts.append(pieces[0][:_LONGEST_RUN] if pieces and is_han(pieces[0]) else "".join(pieces[:1]))
        for word in {part for piece in pieces for part in _parts(piece)}:
            places[word].append(at)
    words = tuple(sorted(places))
    index = {word: number for number, word in enumerate(words)}
    return Completions(
        texts=tuple(texts),
        weights=np.array(weights, np.float64).reshape(len(texts)),
        words=words,
        offsets=np.cumsum([0, *(len(places[word]) for word in words)]).astype(np.int64),
        postings=np.array([at for word in words for at in places[word]], np.int64),
        first_words=np.array([index.get(first, -1) for first in firsts], np.int64),
    )


def _parts(piece: str) -> Iterator[str]:
    if not is_han(piece):
        yield piece
        return
    for start in range(len(piece)):
        yield piece[start : start + _LONGEST_RUN]


def completion_arrays(completions: Completions) -> NamedArrays:
    """The completions as named arrays; `completions_from_arrays` reads them."""
    return {
        "texts": packed_texts(completions.texts),
        "weights": completions.weights,
        "words": packed_texts(completions.words),
        "offsets": completions.offsets,
        "postings": completions.postings,
        "first_words": completions.first_words,
    }


def completions_from_arrays(arrays: NamedArrays) -> Completions:
    """What `completion_arrays` wrote; ArtifactMismatchError where an array is missing."""
    missing = [name for name in _ARRAYS if name not in arrays]
    if missing:
        raise ArtifactMismatchError(f"the suggestions have no {', '.join(missing)}; train the bundle again")
    return Completions(
        texts=unpacked_texts(arrays["texts"]),
        weights=arrays["weights"],
        words=unpacked_texts(arrays["words"]),
        offsets=arrays["offsets"],
        postings=arrays["postings"],
        first_words=arrays["first_words"],
    )
