"""Texts found by words of theirs of which the last is still being typed, one typing error allowed in it."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
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
_MOST_FUZZY_WORDS = 64
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_END = "\U0010ffff"
_PIECES = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+(?:'[^\W_{HAN}]+)*")
_ARRAYS = ("texts", "weights", "words", "offsets", "postings")


def typed_words(text: str) -> list[str]:
    """The words of a text, folded; Han characters that stand together are one.

    >>> typed_words("Wi-Fi 红色连衣裙 men's"), typed_words("  ")
    (['wi', 'fi', '红色连衣裙', "men's"], [])
    """
    return _PIECES.findall(normalise(text))


@dataclass(frozen=True)
class Completions:
    """Weighted texts and the words that find them; immutable.

    Attributes:
        texts: (N) as they are shown. weights: (N,) how often each is wanted.
        words: (W) ascending; of Han characters, what stands from each place on.
        offsets: (W + 1,); the texts of word w are `postings[offsets[w]:offsets[w + 1]]`.
    """

    texts: tuple[str, ...]
    weights: DoubleArray
    words: tuple[str, ...]
    offsets: IntArray
    postings: IntArray

    def found(self, typed: Sequence[str], fuzzy: bool = False) -> IntArray:
        """Ascending places of texts with all typed words, the last as the beginning of one.

        Args:
            typed: by `typed_words`; none finds everything.
            fuzzy: the beginning of the last word has one typing error.
        """
        typed = typed[:_MOST_TYPED]
        if not typed:
            return np.arange(len(self.texts))
        found = self._fuzzy(typed[-1]) if fuzzy else self._beginning(typed[-1])
        for word in typed[:-1]:
            if not len(found):
                break
            found = np.intersect1d(found, self._beginning(word) if is_han(word) else self._whole(word))
        return found

    def best(self, places: IntArray, count: int, allowed: BoolArray | None = None) -> list[int]:
        """At most `count` of the places, the heaviest first; of equal ones the shorter text.

        Args:
            allowed: (N,) which may be given; None = all.
        """
        if allowed is not None:
            places = places[allowed[places]]
        if len(places) > count:
            weights = self.weights[places]
            least = np.partition(weights, len(places) - count)[len(places) - count]
            above, equal = places[weights > least], places[weights == least]
            places = np.concatenate([above, equal[: 4 * count]])
        ranked = sorted(places.tolist(), key=lambda at: (-self.weights[at], len(self.texts[at]), at))
        return ranked[:count]

    def _beginning(self, prefix: str) -> IntArray:
        prefix = prefix[:_LONGEST_RUN] if is_han(prefix) else prefix
        first, behind = self._range(prefix)
        return np.unique(self.postings[self.offsets[first] : self.offsets[behind]])

    def _whole(self, word: str) -> IntArray:
        at = bisect_left(self.words, word)
        if at == len(self.words) or self.words[at] != word:
            return np.zeros(0, np.int64)
        return self.postings[self.offsets[at] : self.offsets[at + 1]]

    def _range(self, prefix: str) -> tuple[int, int]:
        first = bisect_left(self.words, prefix)
        return first, bisect_left(self.words, prefix + _END, lo=first)

    def _fuzzy(self, prefix: str) -> IntArray:
        if not (LEAST_FUZZY <= len(prefix) <= _LONGEST_FUZZY and prefix.isalpha() and prefix.isascii()):
            return np.zeros(0, np.int64)
        ranges = set()
        for variant in _one_edit(prefix):
            at = bisect_left(self.words, variant)
            if at < len(self.words) and self.words[at].startswith(variant):
                ranges.add(self._range(variant))
        runs = [self.postings[self.offsets[one] : self.offsets[behind]] for one, behind in sorted(ranges)]
        return np.unique(np.concatenate(runs[:_MOST_FUZZY_WORDS])) if runs else np.zeros(0, np.int64)


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
    for at, text in enumerate(texts):
        for word in {part for piece in typed_words(text) for part in _parts(piece)}:
            places[word].append(at)
    words = tuple(sorted(places))
    lengths = [len(places[word]) for word in words]
    return Completions(
        texts=tuple(texts),
        weights=np.array(weights, np.float64).reshape(len(texts)),
        words=words,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        postings=np.array([at for word in words for at in places[word]], np.int64),
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
    )
