"""The rows that new events changed: those of their users and items, from the first of these events on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, Column, IntArray
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.features.event_log import (
    CANCEL_CODE,
    EVENT_COLUMNS_READ,
    EventLog,
    of_items,
    of_users,
    read_log,
)
from recsys.features.user_actions import reach_back
from recsys.features.windows import LONGEST_DAYS
from recsys.instants import NEVER
from recsys.stores.features.event_buckets import EventBuckets, bucket_count, computed
from recsys.stores.lake.event_lake import JoinedLake
from recsys.stores.lake.event_parts import count_events, parts_as_happened, whole_days

_SCHEMA = pa.schema([EVENT_SCHEMA.field(name) for name in EVENT_COLUMNS_READ])
_KEYS = {
    columns.USER_ACTIVITY: columns.USER_ID,
    columns.USER_HISTORY: columns.USER_ID,
    columns.ITEM_ENGAGEMENT: columns.ITEM_ID,
}
_EVENTS: Mapping[str, Callable[[pa.Table], pa.Table]] = {columns.USER_ID: of_users, columns.ITEM_ID: of_items}
_AMENDS = pa.array([columns.PURCHASE, columns.CANCEL])
Make = Callable[[EventLog, IntArray], pa.Table]


@dataclass(frozen=True)
class _Concerned:
    """The E users or items of new events.

    Attributes:
        since: (E,) the instant of the first of these events of each, microseconds.
        late: (E,) items whose first new event is not an action, so that their last one may be long ago.
        cancelled: (E,) of which a new event is a cancellation.
    """

    ids: Column
    since: IntArray
    late: BoolArray
    cancelled: BoolArray

    def since_of(self, names: Sequence[str] | Column) -> IntArray:
        """(N,) the instant of each by name."""
        column = names if hasattr(names, "type") else pa.array(names, pa.string())
        return np.asarray(self.since[pc.index_in(column, value_set=self.ids).to_numpy()])


class ChangedTables:
    """The changed rows of views of users and items; the lake is read once for all, as far as it matters.

    Features look back LONGEST_DAYS, and cancellations as far as their purchases. What lies on disk meanwhile
    is gone when the block is left.
    """

    def __init__(self, lake: JoinedLake, views: Sequence[str], days: Sequence[date], folder: Path) -> None:
        """Reads nothing.

        Args:
            views: user_activity, user_history, item_engagement or some of them.
            days: those that got new events; all of their events count as new.
            folder: where to keep events by bucket.
        """
        self._lake, self._views, self._days, self._folder = lake, views, days, folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def tables(self, view: str, make: Make) -> Iterator[pa.Table]:
        """The rows of `view`, in parts; none of an entity that is not concerned.

        Args:
            make: rows of a log from an instant of each of its entities on. Item keys of the log are 0.
        """
        key = _KEYS[view]
        held, concerned = self._split[key], self._concerned[key]

        def rows(number: int) -> pa.Table:
            log = read_log(held.table(number, _SCHEMA), lambda _: 0)
            return make(log, concerned.since_of(log.users if key == columns.USER_ID else log.items))

        return computed(rows, range(held.buckets))

    @cached_property
    def _concerned(self) -> dict[str, _Concerned]:
        read = [pa.Table.from_batches([], _SCHEMA)]
        for day in self._days:
            read.append(self._lake.read_as_happened(EVENT_COLUMNS_READ, *whole_days(day, day)))
        events = pa.concat_tables(read)
        keys = dict.fromkeys(_KEYS[view] for view in self._views)
        return {key: _concerned_by(key, read_log(_EVENTS[key](events), lambda _: 0)) for key in keys}

    @cached_property
    def _split(self) -> dict[str, EventBuckets]:
        first = self._days[0] - timedelta(days=LONGEST_DAYS)
        buckets = bucket_count(sum(count_events(self._lake, first).values()))
        found = {
            key: self._stack.enter_context(EventBuckets(key, buckets, self._folder))
            for key in self._concerned
        }
        items, amendments = self._late_items, [_SCHEMA.empty_table()]
        for key, events in self._events({key: each.ids for key, each in self._concerned.items()}, first):
            found[key].add(events)
            if key == columns.ITEM_ID and len(items):
                items = _without_action(events, items, self._concerned[key])
            elif key == columns.USER_ID and columns.USER_HISTORY in self._views:
                amendments.append(_amendments(events, self._concerned[key]))
        older = {columns.ITEM_ID: items, columns.USER_ID: self._far_users(pa.concat_tables(amendments))}
        older = {key: ids for key, ids in older.items() if len(ids)}
        if older:
            for key, events in self._events(older, date.min, first - timedelta(days=1)):
                found[key].add(events)
        return found

    def _events(
        self, ids: Mapping[str, Column], first: date, last: date = date.max
    ) -> Iterator[tuple[str, pa.Table]]:
        """The events of `ids`, which are those of users and of items, within these days, in parts."""
        for part in parts_as_happened(self._lake, EVENT_COLUMNS_READ, first=first, last=last):
            for key, wanted in ids.items():
                yield key, _EVENTS[key](part.filter(pc.is_in(part[key], value_set=wanted)))

    @property
    def _late_items(self) -> Column:
        """Items whose last action, or whether there was one, may be known from older events alone."""
        items = self._concerned.get(columns.ITEM_ID)
        return items.ids.filter(pa.array(items.late)) if items else pa.array([], pa.string())

    def _far_users(self, amendments: pa.Table) -> Column:
        """Users whose cancellations may concern older purchases."""
        log = read_log(amendments, lambda _: 0)
        names = pa.array(log.users, pa.string())
        if not len(names):
            return names
        return names.filter(pa.array(reach_back(log, self._concerned[columns.USER_ID].since_of(log.users))))


def _concerned_by(key: str, log: EventLog) -> _Concerned:
    names, entity = (log.users, log.user) if key == columns.USER_ID else (log.items, log.item)
    first, acted = np.full(len(names), NEVER), np.full(len(names), NEVER)
    acts = log.is_action | (log.kind == CANCEL_CODE)
    np.minimum.at(first, entity, log.at)
    np.minimum.at(acted, entity[acts], log.at[acts])
    cancelled = np.zeros(len(names), bool)
    cancelled[entity[log.kind == CANCEL_CODE]] = True
    known = np.flatnonzero(first < NEVER)
    ids = pa.array(names, pa.string()).take(pa.array(known))
    return _Concerned(ids, first[known], (acted > first)[known], cancelled[known])


def _amendments(events: pa.Table, users: _Concerned) -> pa.Table:
    """The purchases and cancellations of users who cancelled something new, and all cancellations that may
    take back another purchase now.
    """
    events = events.filter(pc.is_in(events[columns.KIND], value_set=_AMENDS))
    of_new = pc.is_in(events[columns.USER_ID], value_set=users.ids.filter(pa.array(users.cancelled)))
    later = users.since_of(events[columns.USER_ID]) <= events[columns.AT].cast(pa.int64()).to_numpy()
    cancels = pc.and_(pc.equal(events[columns.KIND], columns.CANCEL), pa.array(later))
    return events.filter(pc.or_(of_new, cancels))


def _without_action(events: pa.Table, late: Column, items: _Concerned) -> Column:
    """Those of `late` items without an action or cancellation among `events` up to their first new one."""
    log = read_log(of_users(events.filter(pc.is_in(events[columns.ITEM_ID], value_set=late))), lambda _: 0)
    names = pa.array(log.items, pa.string())
    since = items.since_of(log.items)
    done = np.unique(log.item[log.at <= since[log.item]])
    return late.filter(pc.invert(pc.is_in(late, value_set=names.take(pa.array(done)))))
