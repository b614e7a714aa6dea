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
from recsys.retrieval.dense_index import DenseIndex, nearest_flat, top_places
from recsys.retrieval.recent_searches import RecentSearches

# A source's code is its place here; where several found an item, the first of this order names it.
# `rule` is no source that candidates are looked for in: a rule pinned what none of the others found.
SOURCES = ("context", "category", "repeat", "together", "dense", "searched", "popular", "rule")
CONTEXT, CATEGORY, REPEAT, TOGETHER, DENSE, SEARCHED, POPULAR, RULE = range(len(SOURCES))

# What else fusion chooses among, beside the popular ones: see `CandidateSources.fused`.
OWN_ITEMS, NETWORK, NEIGHBOURS, NEW_TEXT = "own items", "network", "neighbours", "similar text, new"

CONTEXT_COUNT = 50  # nearest items of the context item, besides its neighbours
SIMILAR_COSINE = 0.3  # from which items count as similar
NEW_ITEM_COUNT = 20  # items newer than the bundle that come in by their text
NEW_ITEM_COSINE = 0.5  # of two texts, from which they do
NEW_ITEM_ACTIONS = 3  # latest actions whose items' texts they are compared with
NEWEST = 2000  # new items that are allowed and compared: until the next training there are seldom more
SEARCHED_COUNT = 50  # nearest to what the user searched for lately
POPULAR_COUNT = 100  # the most popular are candidates for everybody
NEIGHBOUR_SHARE = 2  # times the candidates: items with a neighbour signal that the prior is computed for

_TOGETHER = SIGNALS.index(TOGETHER_SIGNAL)
_SIMILARITY = [SIGNALS.index(name) for name in (TEXT, WORDS)]


@dataclass(frozen=True)
class Candidates:
    """K distinct items in the order of their sources.

    Attributes:
        index: (K,) int64. source: (K,) int8 codes of SOURCES.
        because_of: (K,) int64 index of the item that led to this one, 0 = none; of source `searched` the
            place of the query in `Profile.searches`.
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
        searches: of the user; None where nothing is known of them, or they are not to be asked.
    """

    user_signals: UserSignals | None
    context_item: int = 0
    context_category: int = 0
    repeats: bool = False
    searches: RecentSearches | None = None


@dataclass(frozen=True)
class ItemSources:
    """How one item fared where candidates are found. Places are from 1, among the items that are allowed.

    Attributes:
        found_by: names of SOURCES or of what fusion chooses among (OWN_ITEMS, NETWORK, NEIGHBOURS, NEW_TEXT).
        popularity_place: in the order of popularity.
        network_place: by the network's cosine to the user. prior_place: by fusion's prior, among the `pool`
            items that some source found, itself included. None where nothing is known of the user.
    """

    found_by: tuple[str, ...]
    popularity_place: int
    network_place: int | None
    prior_place: int | None
    pool: int | None


class CandidateSources:
    """All sources of one bundle."""

    def __init__(
        self, bundle: Bundle, catalog: Catalog, index: DenseIndex | None = None, unit: float | None = None
    ) -> None:
        self._catalog = catalog
        self._tables = bundle.signal_tables
        self._unit = self._tables.unit if unit is None else unit
        self._fusion = bundle.fusion
        self._texts = bundle.text_vectors
        self._trained = len(bundle.items)
        self._index = DenseIndex(bundle.item_vectors) if index is None else index

    def with_bundle(self, bundle: Bundle, catalog: Catalog, index: IntArray) -> "CandidateSources":
        """The sources of a bundle that differs from this one's in the items at `index`, new ones included."""
        found = self._index.with_rows(bundle.item_vectors, index)
        other = CandidateSources(bundle, catalog, found, self._unit)
        other._trained = self._trained
        return other

    @property
    def popularity(self) -> FloatArray:
        """(N + 1,) of each item, as of now."""
        return self._tables.popularity

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
        searched = _searched(context.searches, allowed, count)
        if context.user_signals is None:
            popular = _part(self._catalog.popular(count, allowed), POPULAR)
            return Candidates.union([*of_context, searched, popular], count), None
        fused = self.fused(context.user_signals, allowed[None], count, context.repeats)
        chosen = Candidates(fused.flat, fused.source, np.zeros(len(fused.flat), np.int64))
        if not any(len(part) for part in (*of_context, searched)):
            return chosen, fused.signals
        named = chosen.source < SEARCHED
        first = chosen.take(np.flatnonzero(named)[: count - len(searched)])
        found = Candidates.union([*of_context, first, searched, chosen.take(~named)], count)
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
        members = self._catalog.of_category(code)
        inside = np.zeros_like(allowed)
        inside[members] = allowed[members]
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
        near, own = self._near(users, allowed, count), self._own(users, allowed, repeats)
        pool = np.zeros(allowed.size, bool)
        for found in (near, own, users.strongest(NEIGHBOUR_SHARE * count, allowed.ravel())):
            pool[found] = True
        for user, mask in enumerate(allowed):
            pool[user * users.size + self._catalog.popular(POPULAR_COUNT, mask)] = True
            pool[user * users.size + self._similar_to_latest(users, user, mask)] = True
        flat = np.flatnonzero(pool)
        signals = users.signals_at(flat)  # (P, S)
        edges = np.searchsorted(flat, np.arange(len(allowed) + 1) * users.size)
        priors = self._fusion.score_by_prior(signals)
        best = np.concatenate(
            [start + top_places(priors[start:stop], count) for start, stop in pairwise(edges.tolist())]
        )
        signals = signals.T.take(best, axis=1).T  # it lies signal by signal
        similar = _among(flat, near)[best] | (signals[:, _SIMILARITY] > 0).any(axis=1)
        source = np.where(similar, DENSE, POPULAR).astype(np.int8)
        source[signals[:, _TOGETHER] > 0] = TOGETHER
        source[_among(flat, own)[best]] = REPEAT
        return Fused(flat[best], signals, source)

    def trace(self, context: CandidateContext, allowed: BoolArray, count: int, item: int) -> "ItemSources":
        """How `item`, which is `allowed`, fares in `find` with the same arguments: for an explanation."""
        of_context = {
            SOURCES[CONTEXT]: self.around(context.context_item, allowed, CONTEXT_COUNT, SIMILAR_COSINE).index,
            SOURCES[CATEGORY]: self._of_category(context, allowed, count).index,
            SOURCES[SEARCHED]: _searched(context.searches, allowed, count).index,
        }
        order = self._catalog.by_popularity
        popular = order[allowed[order]]
        popularity_place = int(np.flatnonzero(popular == item)[0]) + 1
        users = context.user_signals
        if users is None:
            found_by = [name for name, index in of_context.items() if item in index]
            found_by += [SOURCES[POPULAR]] if popularity_place <= count else []
            return ItemSources(tuple(found_by), popularity_place, None, None, None)
        mask = allowed[None]
        others = {
            OWN_ITEMS: self._own(users, mask, context.repeats),
            NETWORK: self._near(users, mask, count),
            NEIGHBOURS: users.strongest(NEIGHBOUR_SHARE * count, allowed),
            SOURCES[POPULAR]: popular[:POPULAR_COUNT],
            NEW_TEXT: self._similar_to_latest(users, 0, allowed),
        }
        found_by = [name for name, index in (of_context | others).items() if item in index]
        pool = np.unique(np.concatenate(list(others.values())))
        pool = np.union1d(pool[allowed[pool]], [item])
        best = pool[top_places(self._fusion.score_by_prior(users.signals_at(pool)), len(pool))]
        cosines = users.network_cosines(np.append(popular, item))
        return ItemSources(
            found_by=tuple(found_by),
            popularity_place=popularity_place,
            network_place=int((cosines > cosines[-1]).sum()) + 1,
            prior_place=int(np.flatnonzero(best == item)[0]) + 1,
            pool=len(pool),
        )

    def _own(self, users: UserSignals, allowed: BoolArray, repeats: bool) -> IntArray:
        """The flat indexes of the users' own items that are allowed, none without `repeats`."""
        return users.own[allowed.ravel()[users.own]] if repeats else users.own[:0]

    def _similar_to_latest(self, users: UserSignals, user: int, allowed: BoolArray) -> IntArray:
        """New items with a text similar to what a user had last."""
        return self._new_items(users.latest_items(user, NEW_ITEM_ACTIONS), allowed)

    def _near(self, users: UserSignals, allowed: BoolArray, count: int) -> IntArray:
        """The flat indexes of the `count` nearest to each user by the network; equals of the last too."""
        if users.cosines is not None:
            return nearest_flat(users.cosines, allowed, count)
        near = [
            user * users.size + self._index.search(users.vectors[user], count, mask)[0]
            for user, mask in enumerate(allowed)
        ]
        return np.concatenate(near)


def _searched(searches: RecentSearches | None, allowed: BoolArray, count: int) -> Candidates:
    """Up to SEARCHED_COUNT items near what the user searched for, at most half of `count`."""
    if searches is None:
        return _part(np.zeros(0, np.int64), SEARCHED)
    index, places = searches.nearest()
    kept = np.flatnonzero(allowed[index])
    found = Candidates(index[kept], np.full(len(kept), SEARCHED, np.int8), places[kept])
    return Candidates.union([found], min(SEARCHED_COUNT, count // 2))


def _among(flat: IntArray, some: IntArray) -> BoolArray:
    """(P,) which of the indexes `flat`, ascending, are among `some`, which are all of them."""
    among = np.zeros(len(flat), bool)
    among[np.searchsorted(flat, some)] = True
    return among


def _part(index: IntArray, source: int, because_of: int = 0) -> Candidates:
    return Candidates(index, np.full(len(index), source, np.int8), np.full(len(index), because_of, np.int64))
