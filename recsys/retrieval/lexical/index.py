"""The lexical index: which items match the words of a query, how well, and by which of its words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.retrieval.lexical.build import opened_index
from recsys.retrieval.lexical.postings import NONE, Atom, PostingCache, PostingReader, Postings, any_of
from recsys.retrieval.lexical.query import Alternative, LexicalQuery, WordGroup
from recsys.retrieval.lexical.recent import RecentlyUsed
from recsys.retrieval.lexical.schema import (
    IDENTIFIER_STARTS,
    IDENTIFIERS,
    INDEX,
    TITLE,
    TITLE_TERMS,
)
from recsys.retrieval.lexical.scoring import Scoring

_FEW = 16  # postings that are a sixteenth of the catalog are counted in an array of the whole
_REMEMBERED_BYTES = 64 << 20


@dataclass(frozen=True)
class GroupHits:
    """The items that match a word group.

    Attributes:
        index: (H,) ascending.
        score: (H,) what the group adds to each one's score.
    """

    index: Postings
    score: FloatArray


@dataclass(frozen=True)
class TitleLengths:
    """How many words the titles of an index have in all, and at most, or fewer."""

    total: int
    longest: int

    @classmethod
    def of(cls, title_terms: npt.NDArray[np.int32]) -> "TitleLengths":
        """Of the words of each title."""
        return cls(int(title_terms.sum()), int(title_terms.max(initial=0)))


class LexicalIndex:
    """An immutable view of one state of the index; safe for many threads.

    The score of an item is the sum over the groups that it matches; of a group, the best over its
    alternatives and the fields of: the field's boost, times the alternative's weight, times how rare it is,
    times a factor that is larger for short titles. A term counts once, however often a field has it: as
    BM25 with a small k1, which titles want.
    """

    def __init__(
        self,
        schema: Any,
        searcher: Any,
        *,
        version: int = 0,
        cache: PostingCache | None = None,
        items: IntArray | None = None,
        title_terms: npt.NDArray[np.int32] | None = None,
        lengths: "TitleLengths | None" = None,
        scoring: Scoring | None = None,
    ) -> None:
        """Use `open_index`, or a writer's `apply`."""
        self._schema = schema
        self._searcher = searcher
        self.version = version
        self._reader = PostingReader(schema, searcher, version, cache or PostingCache())
        self.items: IntArray = (  # ascending
            self._reader.all_items().astype(np.int64) if items is None else items
        )
        self._rows = int(self.items[-1]) + 1 if len(self.items) else 1
        self._scoring = scoring or Scoring()
        self.title_terms = self._read_title_terms() if title_terms is None else title_terms
        self._groups: RecentlyUsed[tuple[tuple[Alternative, ...], bool], GroupHits] = RecentlyUsed(
            _REMEMBERED_BYTES, lambda hits: hits.index.nbytes + hits.score.nbytes + 1000
        )
        self.lengths = TitleLengths.of(self.title_terms[self.items]) if lengths is None else lengths
        mean = self.lengths.total / max(len(self.items), 1)
        self._length_factors = self._scoring.length_factors(self.lengths.longest, mean)

    def __len__(self) -> int:
        return len(self.items)

    def matching(self, query: LexicalQuery, least: int) -> IntArray:
        """Ascending indexes of ALL items with `least` or more words, each strict group, no excluded one.

        Args:
            least: of `query.words`; 0 = none is needed.
        """
        found = self._with_words([self._hits(group).index for group in query.words], least)
        for group in query.groups:
            if group.strict or group.excluded:
                has = _isin(found, self._hits(group).index)
                found = found[~has if group.excluded else has]
        return found

    def _with_words(self, words: Sequence[Postings], least: int) -> IntArray:
        """Ascending items that are in at least `least` of the postings."""
        if least <= 0:
            return self.items
        if least > len(words):
            return NONE.astype(np.int64)
        # Who is in `least` of them is in one of all but the `least - 1` longest.
        by_length = sorted(words, key=len)
        few, many = by_length[: len(words) - least + 1], by_length[len(words) - least + 1 :]
        found, counts = self._counted(few)
        if least == 1:
            return found
        for row, each in enumerate(many):  # one that is in all the rest has to be in enough before
            enough = counts >= least - len(many) + row
            found, counts = found[enough], counts[enough]
            counts = counts + _isin(found, each)
        return found[counts >= least]

    def _counted(self, postings: Sequence[Postings]) -> tuple[IntArray, IntArray]:
        """Ascending items of any of the postings, and in how many each is."""
        if len(postings) == 1:
            return postings[0].astype(np.int64), np.ones(len(postings[0]), np.int64)
        if _FEW * sum(map(len, postings)) < self._rows:
            found, counts = np.unique(np.concatenate(postings), return_counts=True)
            return found.astype(np.int64), counts.astype(np.int64)
        dense: npt.NDArray[Any] = np.zeros(self._rows, np.uint8 if len(postings) < 256 else np.int16)
        for each in postings:
            dense[each] += 1
        present: IntArray = np.flatnonzero(dense)
        return present, dense[present].astype(np.int64)

    def top(self, query: LexicalQuery, least: int, count: int) -> tuple[IntArray, FloatArray]:
        """The `count` best of `matching` by score, best first; equal ones by their index."""
        found = self.matching(query, least)
        scores = self.scores(query, found)
        if len(found) > count:
            near = np.partition(scores, len(scores) - count)[len(scores) - count]
            kept = scores >= near
            found, scores = found[kept], scores[kept]
        order = np.lexsort((found, -scores))[:count]
        return found[order], scores[order]

    def scores(self, query: LexicalQuery, index: IntArray) -> FloatArray:
        """(K,) the score of each of the items `index`; 0 where it matches no word."""
        total = np.zeros(len(index), np.float32)
        for group in query.groups:
            if not group.excluded:
                hits = self._hits(group)
                total += _values_at(hits.index, hits.score, index, self._rows)
        return total

    def matched_groups(self, query: LexicalQuery, index: IntArray) -> BoolArray:
        """(G, K) whether each of the query's groups matches each of the items `index`."""
        matched = np.zeros((len(query.groups), len(index)), bool)
        for row, group in enumerate(query.groups):
            matched[row] = _isin(index, self._hits(group).index)
        return matched

    def group_hits(self, group: WordGroup) -> GroupHits:
        """All items that match one group, with what it adds to their scores."""
        return self._hits(group)

    def terms_with_prefix(self, prefix: str, count: int) -> list[tuple[str, int]]:
        """(term, titles that have it) of the terms that begin with `prefix`, most frequent first."""
        if not prefix or any("\ud800" <= each <= "\udfff" for each in prefix):
            return []
        found = self._searcher.terms_with_prefix(TITLE, prefix)
        return sorted(found, key=lambda each: (-each[1], each[0]))[:count]

    def title_words(self) -> list[str]:
        """Every term of the titles, in their order."""
        return [term for term, _ in self._searcher.terms_with_prefix(TITLE, "")]

    def document_frequency(self, term: str) -> int:
        """How many items have `term` in any of the fields; of Han characters, one behind another."""
        return len(self._items_with(Alternative((term,)), False)[0])

    def rarity(self, term: str) -> float:
        """The inverse document frequency of a term, in any field."""
        return self._scoring.rarity(self.document_frequency(term), len(self.items))

    def rarity_of(self, group: WordGroup) -> float:
        """The inverse document frequency of what matches a group."""
        return self._scoring.rarity(len(self._hits(group).index), len(self.items))

    def _hits(self, group: WordGroup) -> GroupHits:
        key = (group.alternatives, group.prefix)
        found = self._groups.get(key)
        if found is None:
            found = self._read_hits(group)
            self._groups.put(key, found)
        return found

    def _read_hits(self, group: WordGroup) -> GroupHits:
        parts: list[tuple[Postings, FloatArray]] = []
        first_rarity: float | None = None
        for alternative in group.alternatives:
            items, fields = self._items_with(alternative, group.prefix)
            if not len(items):
                continue
            rarity = self._scoring.rarity(len(items), len(self.items))
            # What stands in for the word never counts more than the word itself.
            first_rarity = rarity if first_rarity is None else first_rarity
            weight = alternative.weight * min(rarity, first_rarity)
            for found, boost in fields:
                parts.append((found, weight * boost * self._length_factors[self.title_terms[found]]))
        return _best_of(parts)

    def _items_with(
        self, alternative: Alternative, prefix: bool
    ) -> tuple[Postings, list[tuple[Postings, float]]]:
        """(all items that have it, the same for each field with its boost)."""
        fields: list[tuple[Postings, float]] = []
        for field, boost in self._scoring.boosts.items():
            name = IDENTIFIER_STARTS if prefix and field == IDENTIFIERS else field
            found = self._reader.postings(Atom(name, alternative.terms, prefix and field != IDENTIFIERS))
            if len(found):
                fields.append((found, boost))
        if not fields:
            return NONE, []
        if len(fields) == 1:
            return fields[0][0], fields
        return any_of([found for found, _ in fields]), fields

    def _read_title_terms(self) -> npt.NDArray[np.int32]:
        """(N + 1,) how many words each title has."""
        import tantivy

        hits = self._searcher.search(
            tantivy.Query.all_query(),
            max(self._searcher.num_docs, 1),
            count=False,
            order_by_field=INDEX,
            order=tantivy.Order.Asc,
        ).hits
        counts = np.zeros(self._rows, np.int32)
        values = self._searcher.fast_field_values(TITLE_TERMS, [address for _, address in hits])
        counts[[index for index, _ in hits]] = values
        return counts


def open_index(folder: Path, scoring: Scoring | None = None) -> LexicalIndex:
    """The index at `folder`, as `build_index` wrote it.

    Raises:
        ArtifactMismatchError: another version wrote it, or it is damaged; said before it is loaded.
    """
    index = opened_index(folder)
    return LexicalIndex(index.schema, index.searcher(), scoring=scoring)


def _best_of(parts: Sequence[tuple[Postings, FloatArray]]) -> GroupHits:
    """Each item once, with its best score."""
    if not parts:
        return GroupHits(NONE, np.zeros(0, np.float32))
    if len(parts) == 1:
        return GroupHits(parts[0][0], parts[0][1].astype(np.float32, copy=False))
    index = np.concatenate([found for found, _ in parts])
    score = np.concatenate([values for _, values in parts])
    order = np.lexsort((-score, index))
    index, score = index[order], score[order]
    first = np.ones(len(index), bool)
    first[1:] = index[1:] != index[:-1]
    return GroupHits(index[first], score[first].astype(np.float32, copy=False))


def _values_at(sorted_index: Postings, values: FloatArray, index: IntArray, rows: int) -> FloatArray:
    """(K,) the value of each of `index` in `sorted_index`; 0 where it is not there."""
    if not len(sorted_index) or not len(index):
        return np.zeros(len(index), np.float32)
    if _FEW * len(index) > rows:
        dense = np.zeros(max(rows, int(index.max()) + 1), np.float32)
        dense[sorted_index] = values
        return dense[index]
    place = np.minimum(np.searchsorted(sorted_index, index), len(sorted_index) - 1)
    return np.where(sorted_index[place] == index, values[place], np.float32(0))


def _isin(index: IntArray, sorted_index: Postings) -> BoolArray:
    """(K,) whether each of `index` is in `sorted_index`."""
    if not len(sorted_index):
        return np.zeros(len(index), bool)
    place = np.minimum(np.searchsorted(sorted_index, index), len(sorted_index) - 1)
    found: BoolArray = sorted_index[place] == index
    return found
