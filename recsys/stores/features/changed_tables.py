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
        cancelled: (E,) users who cancelled something since.
    """

    ids: Column
    since: IntArray
    late: BoolArray
    cancelled: BoolArray

    def since_of(self, names: Sequence[str]) -> IntArray:
        """(N,) the instant of each by name."""
        place = pc.index_in(pa.array(names, pa.string()), value_set=self.ids)
        return np.asarray(self.since[place.to_numpy()])


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
        held, concerned = self._split[view], self._concerned[key]

        def rows(number: int) -> pa.Table:
            log = read_log(held.table(number, _SCHEMA), lambda _: 0)
            return make(log, concerned.since_of(log.users if key == columns.USER_ID else log.items))

        return computed(rows, range(held.buckets))

    @cached_property
    def _concerned(self) -> dict[str, _Concerned]:
        new, cancels = [_SCHEMA.empty_table()], [_SCHEMA.empty_table()]
        days = pa.array(self._days, pa.date32())
        for part in parts_as_happened(self._lake, EVENT_COLUMNS_READ, first=self._days[0]):
            new.append(part.filter(pc.is_in(part[columns.AT].cast(pa.date32()), value_set=days)))
            cancels.append(part.filter(pc.equal(part[columns.KIND], columns.CANCEL)))
        events, cancelled = pa.concat_tables(new), pa.concat_tables(cancels)
        keys = dict.fromkeys(_KEYS[view] for view in self._views)
        return {
            key: _concerned_by(key, read_log(_EVENTS[key](events), lambda _: 0), cancelled) for key in keys
        }

    @cached_property
    def _split(self) -> dict[str, EventBuckets]:
        """The events that the rows of each view depend on, by bucket."""
        first = self._days[0] - timedelta(days=LONGEST_DAYS)
        buckets = bucket_count(sum(count_events(self._lake, first).values()))
        found = {
            view: self._stack.enter_context(EventBuckets(_KEYS[view], buckets, self._folder))
            for view in self._views
        }
        items, amendments = self._late_items, [_SCHEMA.empty_table()]
        for key, events in self._events({key: each.ids for key, each in self._concerned.items()}, first):
            self._add(found, key, events)
            if key == columns.ITEM_ID and len(items):
                items = _without_action(events, items, self._concerned[key])
            elif columns.USER_HISTORY in found:
                amendments.append(events.filter(self._may_be_amended(events)))
        older = {columns.ITEM_ID: items, columns.USER_ID: self._far_users(pa.concat_tables(amendments))}
        older = {key: ids for key, ids in older.items() if len(ids)}
        if older:
            for key, events in self._events(older, date.min, first - timedelta(days=1)):
                self._add(found, key, events)
        return found

    def _add(self, found: Mapping[str, EventBuckets], key: str, events: pa.Table) -> None:
        for view, held in found.items():
            if view == columns.USER_HISTORY and key == columns.USER_ID:  # older actions stay as they are
                new = pc.greater_equal(
                    events[columns.AT], pa.scalar(whole_days(self._days[0], self._days[0])[0])
                )
                held.add(events.filter(pc.or_(new, self._of_cancelling(events))))
            elif _KEYS[view] == key:
                held.add(events)

    def _of_cancelling(self, events: pa.Table) -> Column:
        users = self._concerned[columns.USER_ID]
        return pc.is_in(events[columns.USER_ID], value_set=users.ids.filter(pa.array(users.cancelled)))

    def _may_be_amended(self, events: pa.Table) -> Column:
        return pc.and_(pc.is_in(events[columns.KIND], value_set=_AMENDS), self._of_cancelling(events))

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


def _concerned_by(key: str, log: EventLog, cancels: pa.Table) -> _Concerned:
    names, entity = (log.users, log.user) if key == columns.USER_ID else (log.items, log.item)
    first, acted = np.full(len(names), NEVER), np.full(len(names), NEVER)
    acts = log.is_action | (log.kind == CANCEL_CODE)
    np.minimum.at(first, entity, log.at)
    np.minimum.at(acted, entity[acts], log.at[acts])
    cancelled = np.zeros(len(names) + 1, bool)
    place = pc.index_in(cancels[key], value_set=pa.array(names, pa.string())).fill_null(-1).to_numpy()
    at = cancels[columns.AT].cast(pa.int64()).to_numpy()
    cancelled[place[at >= np.append(first, NEVER)[place]]] = True
    known = np.flatnonzero(first < NEVER)
    ids = pa.array(names, pa.string()).take(pa.array(known))
    return _Concerned(ids, first[known], (acted > first)[known], cancelled[known])


def _without_action(events: pa.Table, late: Column, items: _Concerned) -> Column:
    """Those of `late` items without an action or cancellation among `events` up to their first new one."""
    log = read_log(of_users(events.filter(pc.is_in(events[columns.ITEM_ID], value_set=late))), lambda _: 0)
    names = pa.array(log.items, pa.string())
    since = items.since_of(log.items)
    done = np.unique(log.item[log.at <= since[log.item]])
    return late.filter(pc.invert(pc.is_in(late, value_set=names.take(pa.array(done)))))
