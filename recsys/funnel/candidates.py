"""First stage: which items may be worth ranking, and what brought each of them in."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys.dataset.interactions import FloatArray, IntArray
from recsys.funnel.catalogue import Catalogue, Mask
from recsys.models.bundle import Bundle
from recsys.retrieval.dense_index import DenseIndex

# A source's code is its place here; where several found an item, the first of this order names it.
SOURCES = ("context", "category", "repeat", "together", "dense", "popular_category", "popular")
CONTEXT, CATEGORY, REPEAT, TOGETHER, DENSE, POPULAR_CATEGORY, POPULAR = range(len(SOURCES))

CONTEXT_COUNT = 50  # nearest items of the context item, besides its neighbours
LATEST = 10  # actions that neighbours are taken of
ALIKE = 0.3  # cosine from which items count as similar
RECENCY = 0.8  # what one action further back multiplies a neighbour's score by
TOGETHER_SHARE = 0.4  # of all candidates at most
ARRIVALS = 20  # items newer than the bundle that come in by their text
READS_ALIKE = 0.5  # cosine of two texts from which they do
LATEST_READ = 3  # actions whose items' texts they are compared with
NEWEST = 2000  # of them that are looked at: until the next training there are seldom more
TOP_CATEGORIES = 3
TOP_CATEGORY_COUNT = 20


@dataclass(frozen=True)
class Candidates:
    """K distinct items in the order of their sources.

    Attributes:
        index: (K,) int64. source: (K,) int8 codes of SOURCES.
        evidence: (K,) int64 index of the item that led to this one, 0 = none.
    """

    index: IntArray
    source: npt.NDArray[np.int8]
    evidence: IntArray

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: IntArray | Mask) -> "Candidates":
        return Candidates(self.index[rows], self.source[rows], self.evidence[rows])

    @classmethod
    def union(cls, parts: Iterable["Candidates"], count: int) -> "Candidates":
        """The first `count` distinct items of `parts`; the first part that has an item names its source."""
        parts = list(parts)
        index = np.concatenate([part.index for part in parts])
        first = np.sort(np.unique(index, return_index=True)[1])[:count]
        return cls(
            index[first],
            np.concatenate([part.source for part in parts])[first],
            np.concatenate([part.evidence for part in parts])[first],
        )


@dataclass(frozen=True)
class Interests:
    """What is known of who asks, as indexes.

    Attributes:
        history: (H,) int64 known items of the history, oldest first; empty where nothing is known.
        vector: (D,) the user's vector; None where nothing is known.
        context_item: index, 0 = none. context_category: code, 0 = none.
        repeats: whether the history's own items may be recommended.
    """

    history: IntArray
    vector: FloatArray | None
    context_item: int = 0
    context_category: int = 0
    repeats: bool = False


class CandidateSources:
    """All sources of one bundle."""

    def __init__(self, bundle: Bundle, catalogue: Catalogue, index: DenseIndex | None = None) -> None:
        self._catalogue = catalogue
        self._vectors = bundle.item_vectors
        self._neighbours = bundle.neighbours
        self._neighbour_scores = bundle.neighbour_scores
        self._texts = bundle.text_vectors
        self._trained = len(bundle.items)
        self._index = DenseIndex(bundle.item_vectors) if index is None else index

    def extended(self, bundle: Bundle, catalogue: Catalogue, index: IntArray) -> "CandidateSources":
        """The sources of a bundle that differs from this one's in the items at `index`, new ones included."""
        other = CandidateSources(bundle, catalogue, self._index.extended(bundle.item_vectors, index))
        other._trained = self._trained
        return other

    def find(self, interests: Interests, allowed: Mask, count: int) -> Candidates:
        """Up to `count` items that are `allowed` (N + 1,), the union of what each source found."""
        parts = [
            self.around(interests.context_item, allowed, CONTEXT_COUNT, ALIKE),
            self._of_category(interests, allowed, count),
            self._repeats(interests, allowed),
            self._together(interests.history, allowed, int(count * TOGETHER_SHARE)),
        ]
        if interests.vector is not None:
            found, _ = self._index.search(interests.vector, count, allowed)
            parts.append(_part(self._arrivals(interests.history[-LATEST_READ:], allowed), DENSE))
            parts.append(_part(found, DENSE))
            parts.append(self._of_top_categories(interests.history, allowed))
        if sum(len(part) for part in parts) < count or interests.vector is None:
            parts.append(_part(self._catalogue.popular(count, allowed), POPULAR))
        return Candidates.union(parts, count)

    def around(self, item: int, allowed: Mask, count: int, alike: float = -1.0) -> Candidates:
        """Neighbours of `item`, then up to `count` items by their cosine to it if that is `alike` or more.

        Never the item itself; nothing for item 0.
        """
        if not item:
            return _part(np.zeros(0, np.int64), CONTEXT)
        nearest, cosines = self._index.search(self._vectors[item], count + 1, allowed)
        arrived = self._arrivals(np.array([item]), allowed)
        found = np.concatenate([self._neighbours[item], nearest[cosines >= alike], arrived])
        found = found[allowed[found] & (found > 0) & (found != item)]
        return _part(found, CONTEXT, evidence=item)

    def _arrivals(self, items: IntArray, allowed: Mask) -> IntArray:
        """Items newer than the bundle whose text is most like one of `items`.

        The network has not met them and nobody has bought them: beside all others they would rarely be
        found. What is worth showing of them is for the second stage to say.
        """
        first = max(self._trained, len(self._texts) - NEWEST)
        if first == len(self._texts) or not len(items):
            return np.zeros(0, np.int64)
        cosines = (self._texts[first:] @ self._texts[items].T).max(1)  # (A,)
        cosines[~allowed[first:]] = -1.0
        best = np.argsort(-cosines, kind="stable")[:ARRIVALS]
        found: IntArray = best[cosines[best] >= READS_ALIKE] + first
        return found

    def _of_category(self, interests: Interests, allowed: Mask, count: int) -> Candidates:
        """Items of the context's category: what suits the user, then what is popular."""
        code = interests.context_category
        if not code:
            return _part(np.zeros(0, np.int64), CATEGORY)
        inside = allowed & (self._catalogue.categories.codes == code)
        found = [self._catalogue.popular(count // 2, inside, code)]
        if interests.vector is not None:
            found.insert(0, self._index.search(interests.vector, count // 2, inside)[0])
        return _part(np.concatenate(found), CATEGORY)

    def _repeats(self, interests: Interests, allowed: Mask) -> Candidates:
        latest_first = interests.history[::-1] if interests.repeats else interests.history[:0]
        return _part(latest_first[allowed[latest_first]], REPEAT)

    def _together(self, history: IntArray, allowed: Mask, count: int) -> Candidates:
        """Neighbours of the latest items, by the sum of their scores; evidence is the strongest of them."""
        latest = history[::-1][:LATEST]
        found = self._neighbours[latest].ravel()  # (LATEST * M,)
        recency = (RECENCY ** np.arange(len(latest), dtype=np.float32))[:, None]
        scores = (self._neighbour_scores[latest] * recency).ravel()
        evidence = np.repeat(latest, self._neighbours.shape[1])
        good = allowed[found] & (found > 0)
        found, scores, evidence = found[good], scores[good], evidence[good]
        if not len(found):
            return _part(found, TOGETHER)
        order = np.lexsort((-scores, found))
        found, scores, evidence = found[order], scores[order], evidence[order]
        items, starts = np.unique(found, return_index=True)
        best = np.argsort(-np.add.reduceat(scores, starts), kind="stable")[:count]
        return Candidates(items[best], np.full(len(best), TOGETHER, np.int8), evidence[starts[best]])

    def _of_top_categories(self, history: IntArray, allowed: Mask) -> Candidates:
        """What is popular in the categories that the history holds most of."""
        codes = self._catalogue.categories.codes[history]
        names, counts = np.unique(codes[codes > 0], return_counts=True)
        top = names[np.argsort(-counts, kind="stable")[:TOP_CATEGORIES]]
        found = [self._catalogue.popular(TOP_CATEGORY_COUNT, allowed, int(code)) for code in top]
        return _part(np.concatenate([np.zeros(0, np.int64), *found]), POPULAR_CATEGORY)


def _part(index: IntArray, source: int, evidence: int = 0) -> Candidates:
    return Candidates(index, np.full(len(index), source, np.int8), np.full(len(index), evidence, np.int64))
