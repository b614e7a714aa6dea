"""Every instant at which values of entities can change, for all entities at once, or one moment each."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TypeAlias

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.features.event_log import EventLog
from recsys.features.windows import day_of, leaves_at
from recsys.instants import NEVER


@dataclass(frozen=True)
class Changes:
    """C changes of daily counters: at `at` that of `entity` on `day` gains `sign`.

    Attributes:
        source: (C,) int64 place in the event log.
        sign: (C,) int64, 1; -1 where a cancellation undoes a purchase, 0 where it takes a part of it.
    """

    source: IntArray
    entity: IntArray
    at: IntArray
    day: IntArray
    sign: IntArray

    def __len__(self) -> int:
        return len(self.source)

    def chosen(self, which: BoolArray | IntArray | slice) -> "Changes":
        """Those of `which`: a mask, places or a range of places."""
        return Changes(
            self.source[which], self.entity[which], self.at[which], self.day[which], self.sign[which]
        )

    def plus(self, other: "Changes") -> "Changes":
        """These, and behind them those of `other`."""
        return Changes(
            *(
                np.concatenate([getattr(self, field.name), getattr(other, field.name)])
                for field in fields(self)
            )
        )


def changes_of(log: EventLog, entity: IntArray, source: IntArray) -> Changes:
    """What the events at `source` (C',) places of `log` change; `entity` is (M,) for the whole log.

    A purchase that is undone later counts until then, and from then on its own day gives it back.
    """
    undone = source[log.undone_at[source] != NEVER]
    places = np.concatenate([source, undone])
    at = np.concatenate([log.at[source], log.undone_at[undone]])
    sign = np.concatenate([np.ones_like(source), -np.ones_like(undone)])
    order = by_entity(entity[places], at)  # as the rows of a timeline: looking them up stays in cache
    places = places[order]
    return Changes(places, entity[places], at[order], day_of(log.at[places]), sign[order])


def by_entity(entity: IntArray, at: IntArray) -> IntArray:
    """(C,) the order by entity and then instant; fast where most is in order already, as in logs."""
    if not len(at):
        return np.zeros(0, np.int64)
    oldest = int(at.min())
    width = int(at.max()) - oldest + 1
    if int(entity.max()) >= NEVER // width:
        return np.lexsort((at, entity))
    return np.argsort(entity * width + (at - oldest), kind="stable")


@dataclass(frozen=True)
class PairOrder:
    """One number for a pair of entity and instant, which sorts as the pair does.

    Attributes:
        width: how many places of instants there are.
        oldest: the instant of place 0, the others following by the microsecond, if `instants` is None.
        instants: sorted distinct, one a place, where numbers by the microsecond would not fit into int64.
    """

    width: int
    oldest: int = 0
    instants: IntArray | None = None

    def numbers(self, entity: IntArray, at: IntArray) -> IntArray:
        """(N,) the numbers of pairs."""
        place = at - self.oldest if self.instants is None else np.searchsorted(self.instants, at)
        return np.asarray(entity * self.width + place)

    def instants_of(self, numbers: IntArray) -> IntArray:
        """(N,) the instants of pairs by their numbers."""
        place = numbers % self.width
        return place + self.oldest if self.instants is None else self.instants[place]


def order_pairs(entity: IntArray, at: Sequence[IntArray]) -> PairOrder:
    """The order of pairs of these entities and instants."""
    at = [part for part in at if len(part)]
    if not at:
        return PairOrder(1)
    oldest = min(int(part.min()) for part in at)
    width = max(int(part.max()) for part in at) - oldest + 1
    if int(entity.max()) < NEVER // width:
        return PairOrder(width, oldest)
    instants = distinct_values(np.concatenate([distinct_values(part) for part in at]))
    return PairOrder(len(instants), instants=instants)


@dataclass(frozen=True)
class Timeline:
    """R rows, sorted by entity and instant: every instant at which some value of an entity can change.

    Attributes:
        numbers: (R,) of the pairs, ascending.
        since: by entity, the instant of its first row; None where rows begin with the first event.
    """

    entity: IntArray
    at: IntArray
    numbers: IntArray
    order: PairOrder
    since: IntArray | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def written(self) -> IntArray:
        """(R,) the rows in the order in which a table has them: by instant."""
        return np.argsort(self.at, kind="stable")

    def rows_of(self, entity: IntArray, at: IntArray) -> IntArray:
        """The rows of these pairs, all of which must be in the timeline; before `since` the first row."""
        at = at if self.since is None else np.maximum(at, self.since[entity])
        return np.searchsorted(self.numbers, self.order.numbers(entity, at)).astype(np.int64)

    def starts(self) -> IntArray:
        """(R,) first row of each row's entity."""
        first = np.concatenate([[True], self.entity[1:] != self.entity[:-1]])[: len(self)]
        starts: IntArray = np.maximum.accumulate(np.where(first, np.arange(len(self)), 0))
        return starts


@dataclass(frozen=True)
class Moments:
    """A timeline with each of E entities at one instant, which no event of it is later than.

    Attributes:
        entity: (E,) ascending.
        at: (E,) the instant of each.
        rank: by entity, its place in `entity`.
    """

    entity: IntArray
    at: IntArray
    rank: IntArray

    def __len__(self) -> int:
        return len(self.entity)

    @cached_property
    def written(self) -> IntArray:
        """(E,) all rows, in the order of entities."""
        return np.arange(len(self))

    def rows_of(self, entity: IntArray, at: IntArray) -> IntArray:
        """The row of each entity: every `at` is before its moment."""
        return self.rank[entity]

    def starts(self) -> IntArray:
        """(E,) first row of each row's entity."""
        return self.written


Instants: TypeAlias = Timeline | Moments


def build_timeline(
    entity: IntArray, at: IntArray, changes: Changes, days: Sequence[int], since: IntArray | None = None
) -> Timeline:
    """The timeline of events (`entity`, `at`) and of each midnight at which a window loses a day.

    Args:
        since: by entity, the instant of one of its events: no earlier rows are asked for.
    """
    counter_entity, counter_day = _distinct_counters(changes)
    midnights = [leaves_at(counter_day, window) for window in days]
    order = order_pairs(entity, [at, *midnights])
    numbers = [order.numbers(entity, at), *(order.numbers(counter_entity, part) for part in midnights)]
    if since is not None:
        pairs = [(entity, at), *((counter_entity, part) for part in midnights)]
        numbers = [each[part >= since[of]] for each, (of, part) in zip(numbers, pairs, strict=True)]
    rows = distinct_values(np.concatenate(numbers))
    return Timeline(rows // order.width, order.instants_of(rows), rows, order, since)


@dataclass(frozen=True)
class Validity:
    """For each of E entities, from when its values at an instant hold and until when.

    Attributes:
        since: the latest change up to that instant; 0 = there was none.
        until: the next midnight at which a window loses a daily counter, NEVER = none.
    """

    since: IntArray
    until: IntArray


def find_validity(newest: IntArray, counter_entity: IntArray, counter_day: IntArray, now: int) -> Validity:
    """When the values of E entities at `now`, or at their newest event if that is later, began and end.

    Args:
        newest: (E,) instant of the newest event, 0 = none.
        counter_entity: (T,) entity, 0 .. E - 1, of each day on which something was counted.
        counter_day: (T,) that day. The same pair may come more than once.
    """
    since, until = newest.copy(), np.full(len(newest), NEVER)
    instant = np.maximum(newest, now)[counter_entity]
    for days in columns.WINDOW_DAYS:
        leave_at = leaves_at(counter_day, days)
        gone = leave_at <= instant
        np.maximum.at(since, counter_entity[gone], leave_at[gone])
        np.minimum.at(until, counter_entity[~gone], leave_at[~gone])
    return Validity(since, until)


def _distinct_counters(changes: Changes) -> tuple[IntArray, IntArray]:
    if not len(changes.day):
        return changes.entity, changes.day
    oldest = int(changes.day.min())
    width = int(changes.day.max()) - oldest + 1
    pairs = distinct_values(changes.entity * width + (changes.day - oldest))
    return pairs // width, pairs % width + oldest


def distinct_values(values: IntArray) -> IntArray:
    """Sorted distinct values; on millions of them several times faster than the hashing `numpy.unique`."""
    values = np.sort(values)
    new: BoolArray = np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]
    return values[new]


def latest_values(instants: Instants, rows: IntArray, values: IntArray) -> IntArray:
    """(R,) the value set at the last of `rows` up to each row of the same entity; 0 before the first."""
    at_row = np.zeros(len(instants), np.int64)
    at_row[rows] = values
    place = np.zeros(len(instants), np.int64)
    place[rows] = rows
    place = np.maximum.accumulate(place)
    return np.where(place >= instants.starts(), at_row[place], 0)
