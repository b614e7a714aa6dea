"""The terms of each item's text in order, by number: what a lexical index forgets, and a ranker asks for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from recsys.analysis.analyzer import Analyzer
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.versions.grown_mapping import GrownMapping

_GRAM = 3  # characters of a piece of a term
_SHORTEST = 3  # characters of a term that is compared by pieces


@dataclass(frozen=True)
class Occurrences:
    """Where the terms of K items stand.

    Attributes:
        row: (P,) which of the K items, ascending. term: (P,) the term's number. position: (P,) in the text.
        lengths: (K,) positions of each text.
    """

    row: IntArray
    term: IntArray
    position: IntArray
    lengths: IntArray


@dataclass(frozen=True)
class TermRows:
    """The terms of N + 1 texts; the text of row 0 is empty. Immutable, `with_rows` makes another.

    Attributes:
        numbers: term -> its number, from 0 on. documents: (V,) how many texts have it.
        edges: (N + 2,) where the occurrences of each row begin. terms, positions: (P,) of all rows.
        lengths: (N + 1,) positions of each text.
        late: rows that changed or came later -> their (terms, positions, length).
    """

    numbers: Mapping[str, int]
    documents: IntArray
    edges: IntArray
    terms: npt.NDArray[np.int32]
    positions: npt.NDArray[np.int16]
    lengths: npt.NDArray[np.int16]
    late: Mapping[int, tuple[IntArray, IntArray, int]]

    @classmethod
    def build(cls, texts: Sequence[str], analyzer: Analyzer) -> "TermRows":
        """Of N + 1 texts by item index."""
        numbers: dict[str, int] = {}

        def number(term: str) -> int:
            return numbers.setdefault(term, len(numbers))

        found = [_numbered(*analyzer.term_stream(text), number) if text else _EMPTY for text in texts]
        edges = np.append(0, np.cumsum([len(terms) for terms, _, _ in found])).astype(np.int64)
        terms = np.array([term for each, _, _ in found for term in each], np.int32)
        row = np.repeat(np.arange(len(texts)), np.diff(edges))
        once = np.unique(row * max(len(numbers), 1) + terms) % max(len(numbers), 1)
        return cls(
            numbers,
            np.bincount(once, minlength=len(numbers)),
            edges,
            terms,
            np.array([place for _, each, _ in found for place in each], np.int16),
            np.array([length for _, _, length in found], np.int16),
            {},
        )

    def __len__(self) -> int:
        """N + 1, without rows that came later."""
        return len(self.edges) - 1

    @property
    def filled(self) -> int:
        """How many texts there are, at least one."""
        return max(int(np.count_nonzero(self.lengths)), 1)

    def with_rows(self, texts: Mapping[int, str], analyzer: Analyzer) -> "TermRows":
        """With other texts in some rows, new ones at the end among them.

        Terms that no text had get numbers behind the others; `documents` counts them once.
        """
        new: dict[str, int] = {}

        def number(term: str) -> int:
            known: int | None = self.numbers.get(term)
            return new.setdefault(term, len(self.numbers) + len(new)) if known is None else known

        late = dict(self.late)
        for row, text in texts.items():
            terms, places, length = _numbered(*analyzer.term_stream(text), number)
            late[row] = np.array(terms, np.int64), np.array(places, np.int64), length
        if new:
            numbers = GrownMapping.of(self.numbers).with_items(new)
            documents = np.append(self.documents, np.ones(len(new), np.int64))
            return replace(self, numbers=numbers, documents=documents, late=late)
        other = replace(self, late=late)
        for name in ("all_rarities", "with_digits", "_pieces"):  # of the terms alone, which are the same
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    def of(self, index: IntArray) -> Occurrences:
        """The occurrences in the rows `index` (K,)."""
        if self.late and any(row in self.late for row in index.tolist()):
            return self._with_late(index)
        first, last = self.edges[index], self.edges[index + 1]
        counts = last - first
        row = np.repeat(np.arange(len(index)), counts)
        place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
        return Occurrences(
            row,
            self.terms[place].astype(np.int64),
            self.positions[place].astype(np.int64),
            self.lengths[index].astype(np.int64),
        )

    def rarity(self, numbers: Iterable[int]) -> FloatArray:
        """The inverse document frequency of terms; -1 is a term that no text has."""
        having = np.array([self.documents[number] if number >= 0 else 0 for number in numbers], np.float64)
        rarity: FloatArray = np.log1p((self.filled - having).clip(min=0) + 0.5) - np.log(having + 0.5)
        return rarity.clip(min=0).astype(np.float32)

    @cached_property
    def all_rarities(self) -> FloatArray:
        """(V,) the rarity of every term."""
        return self.rarity(range(len(self.documents)))

    @cached_property
    def with_digits(self) -> BoolArray:
        """(V,) which terms have a digit."""
        return np.array([any(each.isdigit() for each in term) for term in self.numbers], bool)

    def alike(self, words: Sequence[str]) -> FloatArray:
        """(A, V) how alike the spelling of each word is to each term, from 0 to 1.

        Twice the common pieces of three characters over all of both; 1 where it is the term.
        """
        alike = np.zeros((len(words), len(self.numbers)), np.float32)
        grams, sizes, places = self._pieces
        for row, word in enumerate(words):
            pieces = [places[piece] for piece in _pieces_of(word) if piece in places]
            if pieces and len(word) >= _SHORTEST:
                shared = np.asarray(grams[pieces].sum(0)).ravel()
                alike[row, : len(shared)] = 2 * shared / (sizes + len(_pieces_of(word)))
            if word in self.numbers:
                alike[row, self.numbers[word]] = 1
        return alike

    @cached_property
    def _pieces(self) -> tuple[sparse.csr_matrix, FloatArray, Mapping[str, int]]:
        """(pieces, V) which terms have which piece, how many pieces each term has, pieces by number."""
        places: dict[str, int] = {}
        rows, columns, sizes = [], [], np.ones(len(self.numbers), np.float32)
        for term, number in self.numbers.items():
            if len(term) < _SHORTEST:
                continue
            pieces = _pieces_of(term)
            sizes[number] = len(pieces)
            rows += [places.setdefault(piece, len(places)) for piece in pieces]
            columns += [number] * len(pieces)
        shape = (max(len(places), 1), len(self.numbers))
        grams = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
        return grams, sizes, places

    def _with_late(self, index: IntArray) -> Occurrences:
        parts = [self._row(row) for row in index.tolist()]
        counts = [len(terms) for terms, _, _ in parts]
        return Occurrences(
            np.repeat(np.arange(len(index)), counts),
            np.concatenate([terms for terms, _, _ in parts]),
            np.concatenate([places for _, places, _ in parts]),
            np.array([length for _, _, length in parts], np.int64),
        )

    def _row(self, row: int) -> tuple[IntArray, IntArray, int]:
        if row in self.late:
            return self.late[row]
        part = slice(self.edges[row], self.edges[row + 1])
        return (
            self.terms[part].astype(np.int64),
            self.positions[part].astype(np.int64),
            int(self.lengths[row]),
        )


_EMPTY: tuple[list[int], list[int], int] = ([], [], 0)
_LONGEST = 1000  # positions of a text that are kept


def _numbered(
    first: list[str], more: list[tuple[str, int]], number: Callable[[str], int]
) -> tuple[list[int], list[int], int]:
    """Term numbers, positions and length of one text; new terms get the next numbers."""
    kept = first[:_LONGEST]
    terms = [number(term) for term in kept]
    places = list(range(len(kept)))
    for term, place in more:
        if place < _LONGEST:
            terms.append(number(term))
            places.append(place)
    return terms, places, len(kept)


def _pieces_of(term: str) -> frozenset[str]:
    """The pieces of _GRAM characters, its beginning and its end marked."""
    marked = f"^{term}$"
    return frozenset(marked[place : place + _GRAM] for place in range(len(marked) - _GRAM + 1))
