"""The stream's state out of the lake by parts of users and then of items: memory holds one part at a time."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.catalog import stable_key
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.ingest.mapping.schema import ShopMapping
from recsys.stores.features.event_buckets import EventBuckets
from recsys.stores.lake.event_lake import JoinedLake
from recsys.stores.lake.event_parts import count_events, parts_as_happened
from recsys.streaming.bootstrap import BOOTSTRAP_COLUMNS, Bootstrapped, bootstrap
from recsys.streaming.item_counters import decode_parts, encode_counters, sum_parts

PART_EVENTS = 65_536  # read at once, and about as many of the users of a part
MOST_BUCKETS = 256  # of each kind: as many files are open at once
_EVENTS = pa.schema([EVENT_SCHEMA.field(name) for name in BOOTSTRAP_COLUMNS])
_COUNTERS = pa.schema({columns.ITEM_ID: pa.string(), "counters": pa.binary()})


class LakeState:
    """What a stream leaves that had all events of a lake: `users` first, then `items`, each once.

    The lake is read once, when the block is entered; what lies on disk meanwhile is gone when it is left.

    Attributes:
        events: how many there are.
        last_sequence: the largest of them, 0 = there is none.
    """

    def __init__(
        self,
        lake: JoinedLake,
        mapping: ShopMapping,
        folder: Path,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> None:
        """Reads nothing.

        Args:
            folder: for what does not stay in memory.
            start, end: only events with start <= at < end.
        """
        self.events = self.last_sequence = 0
        self._lake, self._mapping, self._folder = lake, mapping, folder
        self._start, self._end = start, end
        self._stack = ExitStack()
        self._key_of = cache(stable_key)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._buckets = min(-(-sum(count_events(self._lake).values()) // PART_EVENTS) or 1, MOST_BUCKETS)
            self._of_users = stack.enter_context(self._open(columns.USER_ID))
            self._of_items = stack.enter_context(self._open(columns.ITEM_ID))
            for part in self._parts():
                self.events += len(part)
                self.last_sequence = max(self.last_sequence, pc.max(part[columns.SEQUENCE]).as_py() or 0)
                self._of_users.add(part.select(BOOTSTRAP_COLUMNS))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def users(self) -> Iterator[Bootstrapped]:
        """The state of all users, in parts; the counters are those of their events alone."""
        rules, labels = self._mapping.cleaning, self._mapping.label_kinds
        for number in range(self._of_users.buckets):
            events = self._of_users.table(number, _EVENTS)
            part = bootstrap(events, rules=rules, label_kinds=labels, key_of=self._key_of)
            counters = encode_counters(part.counters)
            self._of_items.add(pa.table([[*counters], [*counters.values()]], _COUNTERS))
            yield part

    def items(self) -> Iterator[dict[str, bytes]]:
        """The counters of all items, in parts, when `users` has come to its end."""
        for number in range(self._of_items.buckets):
            parts = self._of_items.table(number, _COUNTERS)
            yield encode_counters(sum_parts([decode_parts(*(column.to_pylist() for column in parts))]))

    def _open(self, column: str) -> EventBuckets:
        return EventBuckets(column, self._buckets, self._folder)

    def _parts(self) -> Iterator[pa.Table]:
        first = self._start.astimezone(UTC).date() if self._start else date.min
        last = self._end.astimezone(UTC).date() if self._end else date.max
        for part in parts_as_happened(self._lake, BOOTSTRAP_COLUMNS, PART_EVENTS, first, last):
            for bound, compare in ((self._start, pc.greater_equal), (self._end, pc.less)):
                if bound is not None:
                    part = part.filter(compare(part[columns.AT], pa.scalar(bound, part[columns.AT].type)))
            if len(part):
                yield part
