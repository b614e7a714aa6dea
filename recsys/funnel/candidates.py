"""First stage: which items may be worth ranking, and what brought each of them in."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.dataset.interactions import Histories
from recsys.funnel.catalog import Catalog
from recsys.models.bundle import Bundle
from recsys.models.signals import SIGNALS, TEXT, WORDS, UserSignals
from recsys.models.signals import TOGETHER as TOGETHER_SIGNAL
from recsys.retrieval.dense_index import DenseIndex, nearest_mask, top_places

# A source's code is its place here; where several found an item, the first of this order names it.
SOURCES = ("context", "category", "repeat", "together", "dense", "popular")
CONTEXT, CATEGORY, REPEAT, TOGETHER, DENSE, POPULAR = range(len(SOURCES))

CONTEXT_COUNT = 50  # nearest items of the context item, besides its neighbours
SIMILAR_COSINE = 0.3  # from which items count as similar
NEW_ITEM_COUNT = 20  # items newer than the bundle that come in by their text
NEW_ITEM_COSINE = 0.5  # of two texts, from which they do
NEW_ITEM_ACTIONS = 3  # latest actions whose items' texts they are compared with
NEWEST = 2000  # new items that are allowed and compared: until the next training there are seldom more
POPULAR_COUNT = 100  # the most popular are candidates for everybody
NEIGHBOUR_SHARE = 2  # times the candidates: items with a neighbour signal that the prior is computed for

_TOGETHER = SIGNALS.index(TOGETHER_SIGNAL)
_SIMILARITY = [SIGNALS.index(name) for name in (TEXT, WORDS)]


@dataclass(frozen=True)
class Candidates:
    """K distinct items in the order of their sources.

    Attributes:
        index: (K,) int64. source: (K,) int8 codes of SOURCES.
        because_of: (K,) int64 index of the item that led to this one, 0 = none.
    """

    index: IntArray
    source: npt.NDArray[np.int8]
    because_of: IntArray

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: IntArray | BoolArray) -> "Candidates":
        """Those at `rows`, in that order."""
        return Candidates(self.index[rows], self.source[rows], self.because_of[rows])

    @classmethod
    def union(cls, parts: Iterable["Candidates"], count: int) -> "Candidates":
        """The first `count` distinct items of `parts`; the first part that has an item names its source."""
        parts = list(parts)
        index = np.concatenate([part.index for part in parts])
        first = np.sort(np.unique(index, return_index=True)[1])[:count]
        return cls(
            index[first],
            np.concatenate([part.source for part in parts])[first],
            np.concatenate([part.because_of for part in parts])[first],
        )


@dataclass(frozen=True)
class Fused:
    """What fusion chose for R users: user after user, each one's best first.

    Attributes:
        flat: (K,) indexes as those of `UserSignals`. signals: (K, S). source: (K,) int8 codes of SOURCES.
    """

    flat: IntArray
    signals: FloatArray
    source: npt.NDArray[np.int8]


@dataclass(frozen=True)
class CandidateContext:
    """What is known of who asks, as indexes.

    Attributes:
        user_signals: what the one history says of all items; None where nothing is known.
        context_item: index, 0 = none. context_category: code, 0 = none.
        repeats: whether the history's own items may be recommended.
    """

    user_signals: UserSignals | None
    context_item: int = 0
    context_category: int = 0
    repeats: bool = False


class CandidateSources:
    """All sources of one bundle."""

    def __init__(self, bundle: Bundle, catalog: Catalog, index: DenseIndex | None = None) -> None:
        self._catalog = catalog
        self._tables = bundle.signal_tables
        self._unit = self._tables.unit
        self._fusion = bundle.fusion
        self._texts = bundle.text_vectors
        self._trained = len(bundle.items)
        self._index = DenseIndex(bundle.item_vectors) if index is None else index

    def with_bundle(self, bundle: Bundle, catalog: Catalog, index: IntArray) -> "CandidateSources":
        """The sources of a bundle that differs from this one's in the items at `index`, new ones included."""
        other = CandidateSources(bundle, catalog, self._index.with_rows(bundle.item_vectors, index))
        other._trained, other._unit = self._trained, self._unit
        return other

    def user_signals(self, histories: Histories, vectors: FloatArray) -> UserSignals:
        """What R histories of users with these vectors (R, D) say of all items."""
        return UserSignals.from_histories(
            self._tables,
            histories,
            vectors,
            unit=self._unit,
            clock=self._fusion.shape.clock,
            cosines=self._index.products(vectors),
        )

    def find(
        self, context: CandidateContext, allowed: BoolArray, count: int
    ) -> tuple[Candidates, FloatArray | None]:
        """Up to `count` items that are `allowed` (N + 1,): what the context asks for, then what fusion does.

        Beside them their (K, S) signals. For an unknown user popularity takes the place of fusion, and there
        are no signals.
        """
        of_context = [
            self.around(context.context_item, allowed, CONTEXT_COUNT, SIMILAR_COSINE),
            self._of_category(context, allowed, count),
        ]
        if context.user_signals is None:
            popular = _part(self._catalog.popular(count, allowed), POPULAR)
            return Candidates.union([*of_context, popular], count), None
        fused = self.fused(context.user_signals, allowed[None], count, context.repeats)
        chosen = Candidates(fused.flat, fused.source, np.zeros(len(fused.flat), np.int64))
        if not any(len(part) for part in of_context):
            return chosen, fused.signals
        found = Candidates.union([*of_context, chosen], count)
        return found, context.user_signals.signals_at(found.index)

    def around(self, item: int, allowed: BoolArray, count: int, least: float = -1.0) -> Candidates:
        """Neighbours of `item`, then up to `count` items by their cosine to it if that is `least` or more.

        Never the item itself; nothing for item 0.
        """
        if not item:
            return _part(np.zeros(0, np.int64), CONTEXT)
        nearest, cosines = self._index.search(self._tables.item_vectors[item], count + 1, allowed)
        new = self._new_items(np.array([item]), allowed)
        found = np.concatenate([self._tables.co_occurrence.index[item], nearest[cosines >= least], new])
        found = found[allowed[found] & (found > 0) & (found != item)]
        return _part(found, CONTEXT, because_of=item)

    def similar(self, item: int, allowed: BoolArray, count: int) -> Candidates:
        """As `around`, and what the tables of words and texts name for `item`; each once."""
        tables = self._tables
        named = np.concatenate([table.index[item] for table in (tables.words, tables.text)])
        named = named[allowed[named] & (named > 0) & (named != item)]
        parts = [self.around(item, allowed, count), _part(named, CONTEXT, because_of=item)]
        return Candidates.union(parts, sum(map(len, parts)))

    def _new_items(self, items: IntArray, allowed: BoolArray) -> IntArray:
        """Items newer than the bundle whose text is most similar to that of one of `items`.

        The network did not learn of them and they have no events: beside all others they would rarely be
        found. What is worth showing of them is for the second stage to say.
        """
        new = self._trained + np.flatnonzero(allowed[self._trained :])[-NEWEST:]
        if not len(new) or not len(items):
            return new[:0]
        cosines = (self._texts[new] @ self._texts[items].T).max(1)  # (A,)
        best = np.argsort(-cosines, kind="stable")[:NEW_ITEM_COUNT]
        found: IntArray = new[best[cosines[best] >= NEW_ITEM_COSINE]]
        return found

    def _of_category(self, context: CandidateContext, allowed: BoolArray, count: int) -> Candidates:
        """Items of the context's category: what suits the user, then what is popular."""
        code = context.context_category
        if not code:
            return _part(np.zeros(0, np.int64), CATEGORY)
        inside = allowed & (self._catalog.categories.codes == code)
        if context.user_signals is None:
            return _part(self._catalog.popular(count, inside, code), CATEGORY)
        suited, _ = self._index.search(context.user_signals.vectors[0], count // 2, inside)
        popular = self._catalog.popular(count // 2, inside, code)
        return _part(np.concatenate([suited, popular]), CATEGORY)

    def fused(self, users: UserSignals, allowed: BoolArray, count: int, repeats: bool) -> Fused:
        """For each of R users the `count` best by fusion's prior of all that some signal brings in.

        These are the nearest by the network, those with the strongest neighbour signals, the user's own
        items, the most popular ones and new ones with a text similar to what the user had last. An item's
        source is the first of: own, together, dense, popular.

        Args:
            allowed: (R, N + 1).
        """
        near = self._near(users, allowed, count)
        own = np.zeros(allowed.size, bool)
        if repeats:
            own[users.own] = True
        pool = near | own
        pool[users.strongest(NEIGHBOUR_SHARE * count, allowed.ravel())] = True
        for user, mask in enumerate(allowed):
            pool[user * users.size + self._catalog.popular(POPULAR_COUNT, mask)] = True
            latest = users.latest_items(user, NEW_ITEM_ACTIONS)
            pool[user * users.size + self._new_items(latest, mask)] = True
        pool &= allowed.ravel()
        flat = np.flatnonzero(pool)
        signals = users.signals_at(flat)  # (P, S)
        edges = np.searchsorted(flat, np.arange(len(allowed) + 1) * users.size)
        priors = self._fusion.score_by_prior(signals)
        best = np.concatenate(
            [start + top_places(priors[start:stop], count) for start, stop in pairwise(edges.tolist())]
        )
        flat, signals = flat[best], signals[best]
        similar = near[flat] | (signals[:, _SIMILARITY] > 0).any(axis=1)
        source = np.where(similar, DENSE, POPULAR).astype(np.int8)
        source[signals[:, _TOGETHER] > 0] = TOGETHER
        source[own[flat]] = REPEAT
        return Fused(flat, signals, source)

    def _near(self, users: UserSignals, allowed: BoolArray, count: int) -> BoolArray:
        """(R (N + 1),) the `count` nearest to each user by the network; equals of the last ones too."""
        if users.cosines is not None:
            return nearest_mask(users.cosines, allowed, count).ravel()
        near = np.zeros(allowed.shape, bool)
        for user, mask in enumerate(allowed):
            near[user, self._index.search(users.vectors[user], count, mask)[0]] = True
        return near.ravel()


def _part(index: IntArray, source: int, because_of: int = 0) -> Candidates:
    return Candidates(index, np.full(len(index), source, np.int8), np.full(len(index), because_of, np.int64))
