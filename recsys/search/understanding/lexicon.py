"""The words of a catalog with their counts: which exist, how often, and which stand in one text."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np

from recsys.arrays import DoubleArray, IntArray
from recsys.errors import ArtifactMismatchError
from recsys.search.understanding.text_arrays import NamedArrays, packed_texts, unpacked_texts

MOST_PAIRS = 8_000_000  # 96 MB; beyond it the rarest are dropped
_PAIRS_AT_ONCE = 4_000_000
_LONGEST_TEXT = 64  # words of one text that count; its pairs grow with the square
_SHIFT = 32  # a pair's key: the index of one term in the upper half, of the other in the lower


@dataclass(frozen=True)
class Word:
    """A word of a text: as it was written, folded, and the term that an index has for it."""

    surface: str
    term: str


@dataclass(frozen=True)
class Lexicon:
    """Counts of a catalog's words; immutable, and added to by `with_texts`.

    Attributes:
        words: (W) as they are written. word_counts: (W,) texts with the word.
        word_terms: (W,) index of its term.
        terms: (T) as an index has them. term_counts: (T,) texts with the term.
        pair_keys: (P,) ascending; two terms of one text, the lower index in the upper half of the key.
        pair_counts: (P,) texts with both.
        next_keys: (B,) ascending; a term and the one right behind it. next_counts: (B,) how often.
        documents: texts counted.
    """

    words: tuple[str, ...]
    word_counts: IntArray
    word_terms: IntArray
    terms: tuple[str, ...]
    term_counts: IntArray
    pair_keys: IntArray
    pair_counts: IntArray
    next_keys: IntArray
    next_counts: IntArray
    documents: int

    @cached_property
    def index_of_word(self) -> Mapping[str, int]:
        """Word as written -> its index."""
        return {word: index for index, word in enumerate(self.words)}

    @cached_property
    def index_of_term(self) -> Mapping[str, int]:
        """Term -> its index."""
        return {term: index for index, term in enumerate(self.terms)}

    def count_of_term(self, term: str) -> int:
        """Texts that have `term`."""
        index = self.index_of_term.get(term)
        return 0 if index is None else int(self.term_counts[index])

    def together(self, one: IntArray, other: IntArray) -> DoubleArray:
        """Texts with both terms, by broadcasting two arrays of term indexes; -1 is no term and gives 0."""
        low, high = np.minimum(one, other), np.maximum(one, other)
        return np.where(low < 0, 0.0, _counts(self.pair_keys, self.pair_counts, (low << _SHIFT) | high))

    def followed(self, one: IntArray, other: IntArray) -> DoubleArray:
        """How often the second term stands right behind the first, by broadcasting; -1 is no term."""
        none = (one < 0) | (other < 0)
        return np.where(none, 0.0, _counts(self.next_keys, self.next_counts, (one << _SHIFT) | other))

    def with_texts(self, texts: Iterable[Sequence[Word]]) -> "Lexicon":
        """This and what `texts` add; indexes of words and terms stay. A text that changed counts twice."""
        return _added(self, texts)


EMPTY = Lexicon(
    words=(),
    word_counts=np.zeros(0, np.int64),
    word_terms=np.zeros(0, np.int64),
    terms=(),
    term_counts=np.zeros(0, np.int64),
    pair_keys=np.zeros(0, np.int64),
    pair_counts=np.zeros(0, np.int64),
    next_keys=np.zeros(0, np.int64),
    next_counts=np.zeros(0, np.int64),
    documents=0,
)


def lexicon_of(texts: Iterable[Sequence[Word]]) -> Lexicon:
    """The lexicon of `texts`, each as its words in order."""
    return _added(EMPTY, texts)


def lexicon_arrays(lexicon: Lexicon) -> NamedArrays:
    """The lexicon as named arrays, for a file without code in it; `lexicon_from_arrays` reads them."""
    return {
        "words": packed_texts(lexicon.words),
        "word_counts": lexicon.word_counts,
        "word_terms": lexicon.word_terms,
        "terms": packed_texts(lexicon.terms),
        "term_counts": lexicon.term_counts,
        "pair_keys": lexicon.pair_keys,
        "pair_counts": lexicon.pair_counts,
        "next_keys": lexicon.next_keys,
        "next_counts": lexicon.next_counts,
        "documents": np.array([lexicon.documents], np.int64),
    }


def lexicon_from_arrays(arrays: NamedArrays) -> Lexicon:
    """The lexicon that `lexicon_arrays` wrote; ArtifactMismatchError where one is missing or does not fit."""
    missing = sorted(set(lexicon_arrays(EMPTY)) - set(arrays))
    if missing:
        raise ArtifactMismatchError(f"the lexicon has no {', '.join(missing)}; train the bundle again")
    words, terms = unpacked_texts(arrays["words"]), unpacked_texts(arrays["terms"])
    counts = {
        name: arrays[name] for name in lexicon_arrays(EMPTY) if name not in ("words", "terms", "documents")
    }
    expected = {
        "word_counts": len(words),
        "word_terms": len(words),
        "term_counts": len(terms),
        "pair_counts": len(arrays["pair_keys"]),
        "next_counts": len(arrays["next_keys"]),
    }
    for name, length in expected.items():
        if len(arrays[name]) != length:
            raise ArtifactMismatchError(
                f"the lexicon's {name} has {len(arrays[name])} entries for {length}; train the bundle again"
            )
    return Lexicon(words=words, terms=terms, documents=int(arrays["documents"][0]), **counts)


def _added(lexicon: Lexicon, texts: Iterable[Sequence[Word]]) -> Lexicon:
    index_of_word, index_of_term = dict(lexicon.index_of_word), dict(lexicon.index_of_term)
    term_of_word: list[int] = lexicon.word_terms.tolist()
    words: Counter[int] = Counter()
    terms: Counter[int] = Counter()
    pairs = _PairCounts(lexicon.pair_keys, lexicon.pair_counts)
    nexts = _PairCounts(lexicon.next_keys, lexicon.next_counts)
    documents = lexicon.documents
    for text in texts:
        documents += 1
        row = []
        for word in text[:_LONGEST_TEXT]:
            term = index_of_term.setdefault(word.term, len(index_of_term))
            if word.surface not in index_of_word:
                index_of_word[word.surface] = len(index_of_word)
                term_of_word.append(term)
            row.append(term)
        words.update({index_of_word[word.surface] for word in text[:_LONGEST_TEXT]})
        distinct = sorted(set(row))
        terms.update(distinct)
        pairs.add((low << _SHIFT) | high for low, high in combinations(distinct, 2))
        nexts.add((one << _SHIFT) | other for one, other in pairwise(row) if one != other)
    pair_keys, pair_counts = pairs.most_frequent()
    next_keys, next_counts = nexts.most_frequent()
    return replace(
        lexicon,
        words=tuple(index_of_word),
        word_counts=_grown(lexicon.word_counts, words, len(index_of_word)),
        word_terms=np.array(term_of_word, np.int64),
        terms=tuple(index_of_term),
        term_counts=_grown(lexicon.term_counts, terms, len(index_of_term)),
        pair_keys=pair_keys,
        pair_counts=pair_counts,
        next_keys=next_keys,
        next_counts=next_counts,
        documents=documents,
    )


def _grown(counts: IntArray, added: Mapping[int, int], length: int) -> IntArray:
    grown = np.zeros(length, np.int64)
    grown[: len(counts)] = counts
    for index, count in added.items():
        grown[index] += count
    return grown


class _PairCounts:
    """Counts of keys that grow by keys, a part at a time: a million texts of eleven words have 55 million."""

    def __init__(self, keys: IntArray, counts: IntArray) -> None:
        self._keys, self._counts, self._waiting = keys, counts, array("q")

    def add(self, keys: Iterable[int]) -> None:
        """Counts each of `keys` once more."""
        self._waiting.extend(keys)
        if len(self._waiting) >= _PAIRS_AT_ONCE:
            self._merge()

    def most_frequent(self) -> tuple[IntArray, IntArray]:
        """(keys ascending, counts) of at most `MOST_PAIRS` keys."""
        self._merge()
        return _most_frequent(self._keys, self._counts)

    def _merge(self) -> None:
        self._keys, self._counts = _merged(self._keys, self._counts, self._waiting)
        self._waiting = array("q")


def _merged(keys: IntArray, counts: IntArray, added: "array[int]") -> tuple[IntArray, IntArray]:
    new, times = np.unique(np.asarray(added), return_counts=True)
    places = np.searchsorted(keys, new)
    there = np.zeros(len(new), bool)
    inside = places < len(keys)
    there[inside] = keys[places[inside]] == new[inside]
    merged = counts.copy()
    merged[places[there]] += times[there]
    keys = np.insert(keys, places[~there], new[~there])
    return keys, np.insert(merged, places[~there], times[~there])


def _most_frequent(keys: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    """At most MOST_PAIRS of them: all above the count that makes them fit."""
    if len(keys) <= MOST_PAIRS:
        return keys, counts
    least = int(np.partition(counts, len(counts) - MOST_PAIRS)[len(counts) - MOST_PAIRS])
    kept = counts > least
    return keys[kept], counts[kept]


def _counts(keys: IntArray, counts: IntArray, wanted: IntArray) -> DoubleArray:
    if not len(keys):
        return np.zeros(np.shape(wanted))
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, counts[places], 0).astype(np.float64)
