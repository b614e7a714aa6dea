"""What speaks for each item, besides the network: neighbours, words and the user's own habit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys.dataset.interactions import FloatArray, IntArray

LATEST = 100  # actions whose neighbours speak
RECENCY = 0.8  # what one moment further back multiplies an action's voice by
NOW, LONG = 0.3, 0.97  # the same, for what is up right now and for the whole history

# The columns of `Evidence.signals`, in this order.
TOGETHER, TOGETHER_NOW, TOGETHER_LONG = "together", "together_now", "together_long"
TEXT, TEXT_NOW, WORDS, WORDS_NOW = "text", "text_now", "words", "words_now"
OWN, OWN_LONG, OWN_MOMENTS, OWN_DUE = "own", "own_long", "own_moments", "own_due"
NETWORK, ITEM_EVENTS, POPULARITY, USER_EVENTS = "network", "item_events", "popularity", "user_events"
SIGNALS = (
    TOGETHER,
    TOGETHER_NOW,
    TOGETHER_LONG,
    TEXT,
    TEXT_NOW,
    WORDS,
    WORDS_NOW,
    OWN,
    OWN_LONG,
    OWN_MOMENTS,
    OWN_DUE,
    NETWORK,
    ITEM_EVENTS,
    POPULARITY,
    USER_EVENTS,
)

Totals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Experts:
    """Arrays of a bundle by item index, all of N + 1 rows, and what they are scaled by.

    Attributes:
        neighbours, text_neighbours, word_neighbours: (N + 1, M) item indexes, 0 = none.
        neighbour_scores, text_scores, word_scores: (N + 1, M).
        item_vectors: (N + 1, D).
        item_events: (N + 1,) training events. popularity: (N + 1,) decayed.
        clock: whether instants mean anything.
    """

    neighbours: IntArray
    neighbour_scores: FloatArray
    text_neighbours: IntArray
    text_scores: FloatArray
    word_neighbours: IntArray
    word_scores: FloatArray
    item_vectors: FloatArray
    item_events: FloatArray
    popularity: FloatArray
    clock: bool

    @property
    def unit(self) -> float:
        """The mean strongest neighbour: what co-occurrence is divided by, to mean the same in every shop."""
        strongest = self.neighbour_scores[:, 0] if self.neighbour_scores.size else np.zeros(0)
        some = strongest[strongest > 0]
        return float(some.mean()) if len(some) else 1.0


class Evidence:
    """What one user's history says of all items; read out for as many candidates as are asked.

    With r_m = decay^m for an action m moments back and N_k(h, i) the k-th table of neighbours:

        together, text, words (u, i) = sum over the latest actions h of r N_k(h, i)
        own (u, i) = sum over the user's own actions on i of r

    Args:
        experts: of the bundle; `unit` is `experts.unit`, computed once.
        history: (H,) known items, oldest first. at_seconds: (H,). request_at: seconds.
        vector: (D,) the user's.

    Attributes:
        vector: (D,) the user's.
    """

    def __init__(
        self,
        experts: Experts,
        unit: float,
        history: IntArray,
        at_seconds: IntArray,
        request_at: int,
        vector: FloatArray,
    ) -> None:
        self._experts = experts
        self._size = len(experts.item_events)
        self.vector = vector
        self._events = float(len(history))
        self._back = moments_back(at_seconds)
        latest, back = history[-LATEST:], self._back[-LATEST:]
        tables = (
            (experts.neighbours, experts.neighbour_scores, 1 / unit, (RECENCY, NOW, LONG)),
            (experts.text_neighbours, experts.text_scores, 1.0, (RECENCY, NOW)),
            (experts.word_neighbours, experts.word_scores, 1.0, (RECENCY, NOW)),
        )
        self._totals: list[Totals] = []
        for neighbours, scores, factor, decays in tables:
            self._totals += self._spread(neighbours[latest], scores[latest], back, factor, decays)
        self._own = [np.bincount(history, decay**self._back, self._size) for decay in (RECENCY, LONG)]
        self._last, self._due = self._habit(history, at_seconds, request_at)

    def found(self, count: int) -> IntArray:
        """Up to `count` items that a table of neighbours speaks for, those spoken for loudest, by index."""
        loud = self._totals[0] + self._totals[3] + self._totals[5]
        some = np.flatnonzero(loud > 0)
        if len(some) <= count:
            return some
        return np.sort(some[np.argpartition(-loud[some], count)[:count]])

    def network(self, index: IntArray) -> FloatArray:
        """(K,) cosines of the user with items `index` (K,)."""
        cosines: FloatArray = self._experts.item_vectors[index] @ self.vector
        return cosines

    def signals(self, index: IntArray) -> FloatArray:
        """(K, S) float32 SIGNALS of items `index` (K,)."""
        experts = self._experts
        out = np.empty((len(index), len(SIGNALS)), np.float32)  # (K, S)
        for place, total in enumerate((*self._totals, *self._own, self._last, self._due)):
            out[:, place] = total[index]
        out[:, -4] = self.network(index)
        out[:, -3] = experts.item_events[index]
        out[:, -2] = experts.popularity[index]
        out[:, -1] = self._events
        return out

    def _spread(
        self, found: IntArray, scores: FloatArray, back: IntArray, factor: float, decays: Sequence[float]
    ) -> list[Totals]:
        """For each decay (N + 1,): the scores of neighbours `found` (H, M), summed by item."""
        places = found.ravel()
        out: list[Totals] = []
        for decay in decays:
            weights = (scores * (factor * decay**back)[:, None]).ravel()
            total: Totals = np.bincount(places, weights, self._size).astype(np.float64, copy=False)
            total[0] = 0
            out.append(total)
        return out

    def _habit(self, history: IntArray, at_seconds: IntArray, request_at: int) -> tuple[Totals, Totals]:
        """(N + 1,) 1 / (1 + moments since the last own action), and how due the item is.

        due = log((time since the last) / (mean time between)), for an item taken at two instants or more;
        0 elsewhere, and where there is no clock.
        """
        last, due = np.zeros(self._size), np.zeros(self._size)
        last[history] = 1 / (1.0 + self._back)  # oldest first: the last write wins
        if not self._experts.clock or len(history) < 2:
            return last, due
        order = np.lexsort((at_seconds, history))
        item, at = history[order], at_seconds[order]
        first = np.flatnonzero(np.append(True, item[1:] != item[:-1]))
        new = np.append(True, (item[1:] != item[:-1]) | (at[1:] != at[:-1]))
        moments = np.add.reduceat(new.astype(np.int64), first)
        final = np.append(first[1:], len(item)) - 1
        several = moments > 1
        gap = (at[final] - at[first])[several] / (moments[several] - 1)
        since = np.maximum(request_at - at[final][several], 1)
        due[item[first][several]] = np.log(since / np.maximum(gap, 1))
        return last, due


def moments_back(at_seconds: IntArray) -> IntArray:
    """(H,) how many distinct instants lie between an action and the last one; `at_seconds` ascends.

    >>> moments_back(np.array([10, 10, 30, 40])).tolist()
    [2, 2, 1, 0]
    """
    if not len(at_seconds):
        return np.zeros(0, np.int64)
    moment = np.cumsum(np.append(False, at_seconds[1:] != at_seconds[:-1]))
    back: IntArray = (moment[-1] - moment).astype(np.int64)
    return back


def evidence_of(
    experts: Experts, unit: float, items: IntArray, at_seconds: IntArray, request_at: int, vector: FloatArray
) -> Evidence | None:
    """The evidence of one row of `Histories`, padding and all; None where it holds no known item.

    Args:
        items, at_seconds: (L,) oldest first, 0 = padding. vector: (D,).
    """
    known = items > 0
    if not known.any():
        return None
    return Evidence(experts, unit, items[known], at_seconds[known], request_at, vector)
