"""First stage: which items may be worth ranking, and what brought each of them in."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.dataset.histories import Histories
from recsys.funnel.catalog import Catalog
from recsys.models import signals as evidence
from recsys.models.bundle import Bundle
from recsys.models.signals import SIGNALS, UserSignals
from recsys.retrieval.dense_index import DenseIndex, best_first, nearest

# A source's code is its place here; where several found an item, the first of this order names it.
SOURCES = ("context", "category", "repeat", "together", "dense", "popular")
CONTEXT, CATEGORY, REPEAT, TOGETHER, DENSE, POPULAR = range(len(SOURCES))

CONTEXT_COUNT = 50  # nearest items of the context item, besides its neighbours
ALIKE = 0.3  # cosine from which items count as similar
ARRIVALS = 20  # items newer than the bundle that come in by their text
READS_ALIKE = 0.5  # cosine of two texts from which they do
LATEST_READ = 3  # actions whose items' texts they are compared with
NEWEST = 2000  # of them that are looked at: until the next training there are seldom more
POPULAR_COUNT = 100  # the most popular are looked at for everybody
SPOKEN_FOR = 2  # times the candidates: items that neighbours speak for and fusion looks at

_TOGETHER = SIGNALS.index(evidence.TOGETHER)
_LIKENESS = [SIGNALS.index(name) for name in (evidence.TEXT, evidence.WORDS)]


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

    def take(self, rows: IntArray | BoolArray) -> "Candidates":
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
class Fused:
    """What fusion chose for R users: user after user, each one's best first.

    Attributes:
        cells: (K,) as those of `UserSignals`. signals: (K, S). source: (K,) int8 codes of SOURCES.
    """

    cells: IntArray
    signals: FloatArray
    source: npt.NDArray[np.int8]


@dataclass(frozen=True)
class CandidateContext:
    """What is known of who asks, as indexes.

    Attributes:
        voices: what the one history says of all items; None where nothing is known.
        context_item: index, 0 = none. context_category: code, 0 = none.
        repeats: whether the history's own items may be recommended.
    """

    voices: UserSignals | None
    context_item: int = 0
    context_category: int = 0
    repeats: bool = False


class CandidateSources:
    """All sources of one bundle."""

    def __init__(self, bundle: Bundle, catalog: Catalog, index: DenseIndex | None = None) -> None:
        self._catalog = catalog
        self._experts = bundle.experts
        self._unit = self._experts.unit
        self._vectors = bundle.item_vectors
        self._neighbours = bundle.neighbours
        self._fusion = bundle.fusion
        self._texts = bundle.text_vectors
        self._trained = len(bundle.items)
        self._index = DenseIndex(bundle.item_vectors) if index is None else index

    def extended(self, bundle: Bundle, catalog: Catalog, index: IntArray) -> "CandidateSources":
        """The sources of a bundle that differs from this one's in the items at `index`, new ones included."""
        other = CandidateSources(bundle, catalog, self._index.extended(bundle.item_vectors, index))
        other._trained, other._unit = self._trained, self._unit
        return other

    def voices(self, histories: Histories, vectors: FloatArray) -> UserSignals:
        """What R histories of users with these vectors (R, D) say of all items."""
        return UserSignals(self._experts, self._unit, histories, vectors, self._index.products(vectors))

    def find(
        self, interests: CandidateContext, allowed: BoolArray, count: int
    ) -> tuple[Candidates, FloatArray | None]:
        """Up to `count` items that are `allowed` (N + 1,): what the context asks for, then what fusion does.

        Beside them their (K, S) signals. For somebody nobody knows popularity takes the place of fusion, and
        there are no signals.
        """
        context = [
            self.around(interests.context_item, allowed, CONTEXT_COUNT, ALIKE),
            self._of_category(interests, allowed, count),
        ]
        if interests.voices is None:
            popular = _part(self._catalog.popular(count, allowed), POPULAR)
            return Candidates.union([*context, popular], count), None
        fused = self.fused(interests.voices, allowed[None], count, interests.repeats)
        chosen = Candidates(fused.cells, fused.source, np.zeros(len(fused.cells), np.int64))
        if not any(len(part) for part in context):
            return chosen, fused.signals
        found = Candidates.union([*context, chosen], count)
        return found, interests.voices.signals(found.index)

    def around(self, item: int, allowed: BoolArray, count: int, alike: float = -1.0) -> Candidates:
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

    def _arrivals(self, items: IntArray, allowed: BoolArray) -> IntArray:
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

    def _of_category(self, interests: CandidateContext, allowed: BoolArray, count: int) -> Candidates:
        """Items of the context's category: what suits the user, then what is popular."""
        code = interests.context_category
        if not code:
            return _part(np.zeros(0, np.int64), CATEGORY)
        inside = allowed & (self._catalog.categories.codes == code)
        found = [self._catalog.popular(count // 2, inside, code)]
        if interests.voices is not None:
            found.insert(0, self._index.search(interests.voices.vectors[0], count // 2, inside)[0])
        return _part(np.concatenate(found), CATEGORY)

    def fused(self, voices: UserSignals, allowed: BoolArray, count: int, repeats: bool) -> Fused:
        """For each of R users the `count` best by fusion's first look at all that an expert brings.

        These are the nearest by the network, what neighbours speak for loudest, the user's own items, the
        most popular ones and new ones that read like what the user had last. An item's source is the first
        of: own, together, dense, popular.

        Args:
            allowed: (R, N + 1).
        """
        near = self._near(voices, allowed, count)
        own = np.zeros(allowed.size, bool)
        if repeats:
            own[voices.own] = True
        pool = near | own
        pool[voices.found(SPOKEN_FOR * count)] = True
        for user, mask in enumerate(allowed):
            pool[user * voices.size + self._catalog.popular(POPULAR_COUNT, mask)] = True
            pool[user * voices.size + self._arrivals(voices.latest(user, LATEST_READ), mask)] = True
        pool &= allowed.ravel()
        cells = np.flatnonzero(pool)
        signals = voices.signals(cells)  # (P, S)
        edges = np.searchsorted(cells, np.arange(len(allowed) + 1) * voices.size)
        looks = self._fusion.first_look(signals)
        best = np.concatenate(
            [start + best_first(looks[start:stop], count) for start, stop in pairwise(edges.tolist())]
        )
        cells, signals = cells[best], signals[best]
        alike = near[cells] | (signals[:, _LIKENESS] > 0).any(axis=1)
        source = np.where(alike, DENSE, POPULAR).astype(np.int8)
        source[signals[:, _TOGETHER] > 0] = TOGETHER
        source[own[cells]] = REPEAT
        return Fused(cells, signals, source)

    def _near(self, voices: UserSignals, allowed: BoolArray, count: int) -> BoolArray:
        """(R (N + 1),) the `count` nearest to each user by the network; equals of the last ones too."""
        if voices.cosines is not None:
            return nearest(voices.cosines, allowed, count).ravel()
        near = np.zeros(allowed.shape, bool)
        for user, mask in enumerate(allowed):
            near[user, self._index.search(voices.vectors[user], count, mask)[0]] = True
        return near.ravel()


def _part(index: IntArray, source: int, evidence: int = 0) -> Candidates:
    return Candidates(index, np.full(len(index), source, np.int8), np.full(len(index), evidence, np.int64))
