"""What speaks for each item, besides the network: neighbours, words and the user's own habit."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.dataset.histories import Histories

LATEST = 100  # actions whose neighbours speak
RECENCY = 0.8  # what one moment further back multiplies an action's voice by
NOW, LONG = 0.3, 0.97  # the same, for what is up right now and for the whole history

# The columns of `UserSignals.signals`, in this order.
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

_LOUD = [SIGNALS.index(name) for name in (TOGETHER, TEXT, WORDS)]


@dataclass(frozen=True)
class SignalTables:
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


class UserSignals:
    """What the histories of R users say of all items; read out for as many candidates as are asked.

    With r_m = decay^m for an action m moments back and N_k(h, i) the k-th table of neighbours:

        together, text, words (u, i) = sum over the latest actions h of r N_k(h, i)
        own (u, i) = sum over the user's own actions on i of r

    What is summed lies in cells: u (N + 1) + i is the cell of item i and the u-th user. So many users cost
    the passes over arrays that one does, and of a single user the cells are the item indexes.

    Args:
        experts: of the bundle; `unit` is `experts.unit`, computed once.
        histories: R of them, known items and padding; one without a known item says nothing.
        vectors: (R, D) the users'.
        cosines: (R, N + 1) of them with all items, where somebody has multiplied them already.

    Attributes:
        vectors: (R, D) the users'.
        cosines: as given.
        own: (A,) cells of the actions, user by user, oldest first.
    """

    def __init__(
        self,
        experts: SignalTables,
        unit: float,
        histories: Histories,
        vectors: FloatArray,
        cosines: FloatArray | None = None,
    ) -> None:
        self._experts = experts
        self.vectors, self.cosines = vectors, cosines
        self.size = len(experts.item_events)  # N + 1
        actions = np.flatnonzero(histories.items)  # (A,) of the rows end to end
        user = actions // histories.items.shape[1]
        items, at_seconds = histories.items.ravel()[actions], histories.at_seconds.ravel()[actions]  # (A,)
        counts = np.bincount(user, minlength=len(histories))
        self._events = counts.astype(np.float32)
        self._ends = np.cumsum(counts)
        last = self._ends[user] - 1  # (A,) the same user's last action
        back = moments_back(at_seconds, last)
        latest = last - np.arange(len(user)) < LATEST
        first_cell = user * self.size
        self.own: IntArray = first_cell + items
        tables = (
            (experts.neighbours, experts.neighbour_scores, 1 / unit, (RECENCY, NOW, LONG)),
            (experts.text_neighbours, experts.text_scores, 1.0, (RECENCY, NOW)),
            (experts.word_neighbours, experts.word_scores, 1.0, (RECENCY, NOW)),
        )
        speaking, first, spoken_back = items[latest], first_cell[latest, None], back[latest]
        found = [(neighbours[speaking] + first).ravel() for neighbours, *_ in tables]
        # Few cells are spoken for: they get places of their own, from 1; 0 = silence.
        mentioned = np.zeros(len(histories) * self.size, np.bool_)
        for cells in (*found, self.own):
            mentioned[cells] = True
        mentioned[:: self.size] = False  # padding is no item
        self._cells = np.flatnonzero(mentioned)
        self._places = np.zeros(len(mentioned), np.int64)
        self._places[self._cells] = np.arange(1, len(self._cells) + 1)
        columns: list[DoubleArray] = []
        for cells, (_, scores, factor, decays) in zip(found, tables, strict=True):
            columns += self._spread(self._places[cells], scores[speaking], spoken_back, factor, decays)
        own = self._places[self.own]
        columns += [self._summed(own, decay**back) for decay in (RECENCY, LONG)]
        columns += self._habit(own, back, at_seconds, histories.request_at_seconds[user])
        self._spoken = np.stack(columns, dtype=np.float32)  # (what histories say, P + 1)
        self._spoken[:, 0] = 0  # for items that nobody speaks for

    def found(self, count: int) -> IntArray:
        """Cells of up to `count` items a user that neighbours speak for, the loudest, in ascending order."""
        loud = np.sum([self._spoken[column, 1:] for column in _LOUD], axis=0)
        some = np.flatnonzero(loud > 0)
        users = np.arange(len(self.vectors) + 1)
        edges = np.searchsorted(self._cells[some], users * self.size)
        if (np.diff(edges) > count).any():
            parts = [some[start:stop] for start, stop in pairwise(edges.tolist())]
            some = np.concatenate([_loudest(part, loud, count) for part in parts])
        return self._cells[some]

    def latest(self, user: int, count: int) -> IntArray:
        """Up to `count` items of a user's last actions, oldest first."""
        end = int(self._ends[user])
        start = max(end - count, end - int(self._events[user]))
        return self.own[start:end] - user * self.size

    def network(self, cells: IntArray) -> FloatArray:
        """(K,) cosines of users and items at `cells` (K,)."""
        if self.cosines is not None:
            known: FloatArray = self.cosines.ravel()[cells]
            return known
        user, item = np.divmod(cells, self.size)
        if len(self.vectors) == 1:
            cosines: FloatArray = self._experts.item_vectors[item] @ self.vectors[0]
        else:
            cosines = np.einsum("kd,kd->k", self._experts.item_vectors[item], self.vectors[user])
        return cosines

    def signals(self, cells: IntArray) -> FloatArray:
        """(K, S) float32 SIGNALS at `cells` (K,)."""
        user, item = np.divmod(cells, self.size)
        others = (
            self.network(cells),
            self._experts.item_events[item],
            self._experts.popularity[item],
            self._events[user],
        )
        out = np.empty((len(SIGNALS), len(cells)), np.float32)  # (S, K): it is read signal by signal
        self._spoken.take(self._places[cells], axis=1, out=out[: -len(others)], mode="clip")
        for column, values in zip(out[-len(others) :], others, strict=True):
            column[:] = values
        return out.T

    def _spread(
        self, places: IntArray, scores: FloatArray, back: IntArray, factor: float, decays: Sequence[float]
    ) -> list[DoubleArray]:
        """For each decay (P + 1,): the scores of neighbours at `places` (H M,), summed by place."""
        return [self._summed(places, (scores * (factor * decay**back)[:, None]).ravel()) for decay in decays]

    def _summed(self, places: IntArray, weights: npt.NDArray[Any]) -> DoubleArray:
        return np.bincount(places, weights, len(self._cells) + 1).astype(np.float64, copy=False)

    def _habit(
        self, own: IntArray, back: IntArray, at_seconds: IntArray, request_at: IntArray
    ) -> tuple[DoubleArray, DoubleArray]:
        """(P + 1,) 1 / (1 + moments since the last action on own places (A,)), and how due the item is.

        due = log((time since the last) / (mean time between)), for an item taken at two instants or more;
        0 elsewhere, and where there is no clock.

        Args:
            back, at_seconds, request_at: (A,) of each action.
        """
        last, due = (np.zeros(len(self._cells) + 1) for _ in range(2))
        last[own] = 1 / (1.0 + back)  # oldest first: the last write wins
        if not self._experts.clock or len(own) < 2:
            return last, due
        order = np.lexsort((at_seconds, own))
        item, at = own[order], at_seconds[order]
        first = np.flatnonzero(np.append(True, item[1:] != item[:-1]))
        new = np.append(True, (item[1:] != item[:-1]) | (at[1:] != at[:-1]))
        moments = np.add.reduceat(new.astype(np.int64), first)
        final = np.append(first[1:], len(item)) - 1
        several = moments > 1
        gap = (at[final] - at[first])[several] / (moments[several] - 1)
        since = np.maximum((request_at[order] - at)[final][several], 1)
        due[item[first][several]] = np.log(since / np.maximum(gap, 1))
        return last, due


def _loudest(places: IntArray, loud: FloatArray, count: int) -> IntArray:
    """Up to `count` of `places` (P,), those where `loud` is largest, ascending."""
    if len(places) <= count:
        return places
    return np.sort(places[np.argpartition(-loud[places], count)[:count]])


def moments_back(at_seconds: IntArray, last: IntArray | int = -1) -> IntArray:
    """(H,) how many distinct instants lie between an action and the last one; `at_seconds` ascends.

    Args:
        last: (H,) the place of each action's last one, where there are several users.

    >>> moments_back(np.array([10, 10, 30, 40])).tolist()
    [2, 2, 1, 0]
    """
    if not len(at_seconds):
        return np.zeros(0, np.int64)
    moment = np.cumsum(np.append(False, at_seconds[1:] != at_seconds[:-1]))
    back: IntArray = (moment[last] - moment).astype(np.int64)
    return back
