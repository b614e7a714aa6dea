"""The signals of each item for a user, besides the network's: neighbours, words and the user's own habit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.dataset.interactions import Histories
from recsys.models.neighbours import Neighbours
from recsys.models.own_signals import (
    EACH_ONCE,
    Actions,
    LatestItems,
    count_signals,
    habit_signals,
    sum_by_slot,
)

RECENCY = 0.8  # what one moment further back multiplies an action's weight by
NOW, LONG = 0.3, 0.97  # the same, for what is up right now and for the whole history

# The columns of `UserSignals.signals_at`, in this order.
TOGETHER, TOGETHER_NOW, TOGETHER_LONG = "together", "together_now", "together_long"
ITEM_COSINE = "item_cosine"
TEXT, TEXT_NOW, WORDS, WORDS_NOW = "text", "text_now", "words", "words_now"
OWN, OWN_LONG, OWN_MOMENTS, OWN_DUE = "own", "own_long", "own_moments", "own_due"
OWN_COUNT, OWN_RECENT = "own_count", "own_recent"
NETWORK, ITEM_EVENTS, POPULARITY, USER_EVENTS = "network", "item_events", "popularity", "user_events"
TEXT_MISSING = "text_missing"  # 1 for an item without text, whose similarities by text are 0
SIGNALS = (
    TOGETHER,
    TOGETHER_NOW,
    TOGETHER_LONG,
    ITEM_COSINE,
    TEXT,
    TEXT_NOW,
    WORDS,
    WORDS_NOW,
    OWN,
    OWN_LONG,
    OWN_MOMENTS,
    OWN_DUE,
    OWN_COUNT,
    OWN_RECENT,
    NETWORK,
    ITEM_EVENTS,
    POPULARITY,
    USER_EVENTS,
    TEXT_MISSING,
)

_HISTORY_SIGNALS = SIGNALS.index(NETWORK)  # the first ones, that a history says
_NEIGHBOUR_SIGNALS = [SIGNALS.index(name) for name in (TOGETHER, TEXT, WORDS)]


@dataclass(frozen=True)
class SignalTables:
    """What a bundle knows by item index and signals are looked up in; every array has N + 1 rows.

    Attributes:
        co_occurrence: the items most bought or viewed together.
        item_cosine: the items most taken by the same users, at any time, with cosines; bundles of earlier
            versions have none.
        text: the nearest by the text's vector, with cosines. words: the same, by shared words.
        item_vectors: (N + 1, D) float32, unit length, row 0 zero: the retriever's P_m.
        item_events: (N + 1,) float32 training events.
        popularity: (N + 1,) float32, time-decayed weight of events, for cold start.
        text_missing: (N + 1,) bool, whether an item has no text.
    """

    co_occurrence: Neighbours
    item_cosine: Neighbours
    text: Neighbours
    words: Neighbours
    item_vectors: FloatArray
    item_events: FloatArray
    popularity: FloatArray
    text_missing: BoolArray

    @cached_property
    def unit(self) -> float:
        """The mean strongest neighbour: what co-occurrence is divided by, to mean the same in every shop."""
        score = self.co_occurrence.score
        strongest = score[:, 0] if score.size else np.zeros(0)
        some = strongest[strongest > 0]
        return float(some.mean()) if len(some) else 1.0

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays under the names that they are stored by; `from_arrays` takes them back."""
        return {
            "item_vectors": self.item_vectors,
            "popularity": self.popularity,
            "neighbours": self.co_occurrence.index,
            "neighbour_scores": self.co_occurrence.score,
            "cosine_neighbours": self.item_cosine.index,
            "cosine_scores": self.item_cosine.score,
            "text_neighbours": self.text.index,
            "text_scores": self.text.score,
            "word_neighbours": self.words.index,
            "word_scores": self.words.score,
            "item_events": self.item_events,
            "text_missing": self.text_missing,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "SignalTables":
        """The tables of these arrays, which are not copied; others are passed over."""
        nothing = Neighbours.nothing(len(arrays["item_events"]))
        return cls(
            co_occurrence=Neighbours(arrays["neighbours"], arrays["neighbour_scores"]),
            item_cosine=Neighbours(
                arrays.get("cosine_neighbours", nothing.index), arrays.get("cosine_scores", nothing.score)
            ),
            text=Neighbours(arrays["text_neighbours"], arrays["text_scores"]),
            words=Neighbours(arrays["word_neighbours"], arrays["word_scores"]),
            item_vectors=arrays["item_vectors"],
            item_events=arrays["item_events"],
            popularity=arrays["popularity"],
            # Bundles of earlier versions do not say it, and none of their networks asks.
            text_missing=arrays.get("text_missing", np.zeros(len(arrays["item_events"]), bool)),
        )


@dataclass(frozen=True, eq=False)
class UserSignals:
    """What the histories of R users say of all items; read out for as many candidates as are wanted.

    With r_m = decay^m for an action m moments back and N_k(h, i) the k-th table of neighbours:

        together, text, words (u, i) = sum over the latest actions h of r N_k(h, i)
        item_cosine (u, i) = sum over the items h of the latest actions, each once, of N(h, i)
        own (u, i) = sum over the user's own actions on i of r, or of 1, or of 2^-(age / half-life)

    Users and items share one flat index: u (N + 1) + i is item i for the u-th user. So many users cost the
    passes over arrays that one does, and for a single user the flat indexes are the item indexes. A history
    has a signal for few of them: those get a slot each, from 1 on, in the order of their indexes, and all
    others share slot 0.

    Attributes:
        tables: of the bundle.
        vectors: (R, D) the users'.
        cosines: (R, N + 1) of them with all items, where these are multiplied already.
        own: (A,) flat indexes of the actions, user by user, oldest first.
        counts: (R,) float32 actions. ends: (R,) where each user's actions end in `own`.
        flat: (P,) flat indexes with a slot, ascending.
        history_signals: (H, P + 1) float32, by slot, the H first of SIGNALS; slot 0 is zero.
    """

    tables: SignalTables
    vectors: FloatArray
    cosines: FloatArray | None
    own: IntArray
    counts: FloatArray
    ends: IntArray
    flat: IntArray
    history_signals: FloatArray

    @classmethod
    def from_histories(
        cls,
        tables: SignalTables,
        histories: Histories,
        vectors: FloatArray,
        *,
        unit: float,
        clock: bool,
        cosines: FloatArray | None = None,
    ) -> "UserSignals":
        """The signals of R histories of users with these vectors (R, D).

        Args:
            histories: known items and padding; one without a known item says nothing.
            unit: `tables.unit`, computed once.
            clock: whether instants mean anything.
        """
        actions = Actions.of(histories, len(tables.item_events))
        latest = LatestItems.of(actions, (RECENCY, NOW, LONG))
        sources = (
            (tables.co_occurrence, 1 / unit, (RECENCY, NOW, LONG)),
            (tables.item_cosine, 1.0, (EACH_ONCE,)),
            (tables.text, 1.0, (RECENCY, NOW)),
            (tables.words, 1.0, (RECENCY, NOW)),
        )
        neighbours = [(table.index[latest.item] + latest.first[:, None]).ravel() for table, *_ in sources]
        flat, (*found, own) = _assign_slots(
            (*neighbours, actions.flat), len(histories), len(tables.item_events)
        )
        width = len(flat) + 1
        history_signals = np.zeros((_HISTORY_SIGNALS, width), np.float32)
        rows = iter(history_signals)
        for places, (table, factor, decays) in zip(found, sources, strict=True):
            scores = table.score[latest.item]  # (H, M)
            for decay in decays:
                weighted = scores * (factor * latest.weights[decay])[:, None]
                next(rows)[:] = sum_by_slot(places, weighted.ravel(), width)
        own_slots, own = np.unique(own, return_inverse=True)  # few: what they have is computed among them
        count = len(own_slots)
        request_at = histories.request_at_seconds[actions.user]
        own_signals = (
            *(sum_by_slot(own, decay**actions.back, count) for decay in (RECENCY, LONG)),
            *habit_signals(own, actions, request_at, clock, count),
            *count_signals(own, actions, request_at, clock, count),
        )
        for row, values in zip(rows, own_signals, strict=True):
            row[own_slots] = values
        history_signals[:, 0] = 0  # padding is not a neighbour
        return cls(
            tables, vectors, cosines, actions.flat, actions.counts, actions.ends, flat, history_signals
        )

    @property
    def size(self) -> int:
        """N + 1, by which a flat index is divided into user and item."""
        return len(self.tables.item_events)

    def strongest(self, count: int, allowed: BoolArray) -> IntArray:
        """Ascending, up to `count` `allowed` (R (N + 1),) a user, of the strongest neighbour signals."""
        first, *others = (self.history_signals[column, 1:] for column in _NEIGHBOUR_SIGNALS)
        strength = sum(others, start=first)
        some = np.flatnonzero((strength > 0) & allowed[self.flat])
        edges = np.searchsorted(self.flat[some], np.arange(len(self.vectors) + 1) * self.size)
        if (np.diff(edges) > count).any():
            parts = [some[start:stop] for start, stop in pairwise(edges.tolist())]
            some = np.concatenate([_largest(part, strength, count) for part in parts])
        return self.flat[some]

    def latest_items(self, user: int, count: int) -> IntArray:
        """Up to `count` items of a user's last actions, oldest first."""
        end = int(self.ends[user])
        start = max(end - count, end - int(self.counts[user]))
        return self.own[start:end] - user * self.size

    def network_cosines(self, flat: IntArray) -> FloatArray:
        """(K,) cosines of the users and items at `flat` (K,)."""
        if self.cosines is not None:
            known: FloatArray = self.cosines.ravel()[flat]
            return known
        if len(self.vectors) == 1:
            cosines: FloatArray = self.tables.item_vectors.take(flat, axis=0) @ self.vectors[0]
        else:
            user, item = np.divmod(flat, self.size)
            cosines = np.einsum("kd,kd->k", self.tables.item_vectors[item], self.vectors[user])
        return cosines

    def slots_at(self, flat: IntArray) -> IntArray:
        """(K,) the slots of the flat indexes (K,)."""
        if not len(self.flat):
            return np.zeros(len(flat), np.int64)
        places = np.minimum(np.searchsorted(self.flat, flat), len(self.flat) - 1)
        return np.where(self.flat[places] == flat, places + 1, 0)

    def signals_at(self, flat: IntArray) -> FloatArray:
        """(K, S) float32 SIGNALS at `flat` (K,)."""
        user, item = np.divmod(flat, self.size)
        others = (
            self.network_cosines(flat),
            self.tables.item_events[item],
            self.tables.popularity[item],
            self.counts[user],
            self.tables.text_missing[item],
        )
        out = np.empty((len(SIGNALS), len(flat)), np.float32)  # (S, K): it is read signal by signal
        self.history_signals.take(self.slots_at(flat), axis=1, out=out[: -len(others)], mode="clip")
        for column, values in zip(out[-len(others) :], others, strict=True):
            column[:] = values
        return out.T


def _assign_slots(found: Sequence[IntArray], users: int, size: int) -> tuple[IntArray, list[IntArray]]:
    """The distinct flat indexes in `found` (P,), ascending, and the slots of each of `found`."""
    mentioned = np.zeros(users * size, np.bool_)
    for flat in found:
        mentioned[flat] = True
    mentioned[::size] = False  # padding is not an item
    distinct = np.flatnonzero(mentioned)
    slots = np.empty(len(mentioned), np.int32)  # of those that are read alone: all would be a pass over it
    slots[::size] = 0
    slots[distinct] = np.arange(1, len(distinct) + 1, dtype=np.int32)
    return distinct, [slots[flat].astype(np.int64) for flat in found]


def _largest(places: IntArray, values: FloatArray, count: int) -> IntArray:
    """Up to `count` of `places` (P,), those where `values` are largest, ascending."""
    if len(places) <= count:
        return places
    return np.sort(places[np.argpartition(-values[places], count)[:count]])
