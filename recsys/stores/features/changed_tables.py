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
from recsys.features.windows import LONGEST_DAYS
from recsys.instants import NEVER
from recsys.stores.features.event_buckets import EventBuckets, bucket_count, computed
from recsys.stores.lake.event_lake import JoinedLake
from recsys.stores.lake.event_parts import count_events, parts_as_happened, whole_days

_SCHEMA = pa.schema([EVENT_SCHEMA.field(name) for name in EVENT_COLUMNS_READ])
_KEYS = {columns.USER_ACTIVITY: columns.USER_ID, columns.ITEM_ENGAGEMENT: columns.ITEM_ID}
_EVENTS: Mapping[str, Callable[[pa.Table], pa.Table]] = {
    columns.USER_ACTIVITY: of_users,
    columns.ITEM_ENGAGEMENT: of_items,
}
Make = Callable[[EventLog, IntArray], pa.Table]


@dataclass(frozen=True)
class _Concerned:
    """The E users or items of new events.

    Attributes:
        since: (E,) the instant of the first of these events of each, microseconds.
        late: (E,) items whose first new event is not an action, so that their last one may be long ago.
    """

    ids: Column
    since: IntArray
    late: BoolArray


class ChangedTables:
    """The changed rows of views of users and items; the lake is read once for all, as far as it matters.

    Features look back LONGEST_DAYS. What lies on disk meanwhile is gone when the block is left.
    """

    def __init__(self, lake: JoinedLake, views: Sequence[str], days: Sequence[date], folder: Path) -> None:
        """Reads nothing.

        Args:
            views: user_activity, item_engagement or both.
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
            make: rows of a log from an instant of each of its entities on.
        """
        held, concerned = self._split[view], self._concerned[view]

        def rows(number: int) -> pa.Table:
            log = read_log(held.table(number, _SCHEMA), lambda _: 0)  # nobody asks for keys
            entities = log.users if view == columns.USER_ACTIVITY else log.items
            place = pc.index_in(pa.array(entities, pa.string()), value_set=concerned.ids)
            return make(log, concerned.since[place.to_numpy()])

        return computed(rows, range(held.buckets))

    @cached_property
    def _concerned(self) -> dict[str, _Concerned]:
        read = [pa.Table.from_batches([], _SCHEMA)]
        for day in self._days:
            read.append(self._lake.read_as_happened(EVENT_COLUMNS_READ, *whole_days(day, day)))
        events = pa.concat_tables(read)
        return {view: _concerned_by(view, read_log(_EVENTS[view](events))) for view in self._views}

    @cached_property
    def _split(self) -> dict[str, EventBuckets]:
        first = self._days[0] - timedelta(days=LONGEST_DAYS)
        sizes = count_events(self._lake)
        buckets = bucket_count(sum(rows for day, rows in sizes.items() if day >= first))
        found = {
            view: self._stack.enter_context(EventBuckets(_KEYS[view], buckets, self._folder))
            for view in self._views
        }
        late = self._add(found, {view: each.ids for view, each in self._concerned.items()}, first, date.max)
        if len(late):  # their last actions are older
            self._add(found, {columns.ITEM_ENGAGEMENT: late}, date.min, first - timedelta(days=1))
        return found

    def _add(
        self, found: Mapping[str, EventBuckets], ids: Mapping[str, Column], first: date, last: date
    ) -> Column:
        """Adds the events of `ids` within these days; returns late items without an action in time."""
        items = self._concerned.get(columns.ITEM_ENGAGEMENT)
        late = items.ids.filter(pa.array(items.late)) if items else pa.array([], pa.string())
        for part in parts_as_happened(self._lake, EVENT_COLUMNS_READ, first=first, last=last):
            for view, wanted in ids.items():
                events = _EVENTS[view](part)
                events = events.filter(pc.is_in(events[_KEYS[view]], value_set=wanted))
                found[view].add(events)
                if view == columns.ITEM_ENGAGEMENT and items and len(late):
                    late = _without_action(events, late, items)
        return late


def _concerned_by(view: str, log: EventLog) -> _Concerned:
    names, entity = (log.users, log.user) if view == columns.USER_ACTIVITY else (log.items, log.item)
    first, acted = np.full(len(names), NEVER), np.full(len(names), NEVER)
    acts = log.is_action | (log.kind == CANCEL_CODE)
    np.minimum.at(first, entity, log.at)
    np.minimum.at(acted, entity[acts], log.at[acts])
    known = np.flatnonzero(first < NEVER)
    return _Concerned(
        pa.array(names, pa.string()).take(pa.array(known)), first[known], (acted > first)[known]
    )


def _without_action(events: pa.Table, late: Column, items: _Concerned) -> Column:
    """Those of `late` items without an action or cancellation among `events` up to their first new one."""
    log = read_log(of_users(events.filter(pc.is_in(events[columns.ITEM_ID], value_set=late))), lambda _: 0)
    names = pa.array(log.items, pa.string())
    since = items.since[pc.index_in(names, value_set=items.ids).to_numpy()]
    done = np.unique(log.item[log.at <= since[log.item]])
    return late.filter(pc.invert(pc.is_in(late, value_set=names.take(pa.array(done)))))
