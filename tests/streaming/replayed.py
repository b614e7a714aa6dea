"""A stream in memory: what a worker does with its state and with the rows online, without any store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import DAY, to_micros
from recsys.streaming.aggregate import Aggregated, aggregate, expire
from recsys.streaming.item_counters import (
    ItemCounters,
    add_counters,
    decode_counters,
    encode_counters,
    item_rows,
)
from tests.features.worlds import category_keys

EVERYTHING = CleaningRules(near_duplicate_seconds={}, bot_events_per_minute=0, bot_events_per_day=0)
Row = dict[str, Any]


def canonical(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """`rows` as a worker hands them over; an event id for those that have none."""
    filled = [{columns.EVENT_ID: f"e{row[columns.SEQUENCE]}", **row} for row in rows]
    return pa.Table.from_pylist(filled, schema=EVENT_SCHEMA)


@dataclass
class Replayed:
    """The state and the rows online.

    Attributes:
        online: by view and entity, the row that a last-writer-wins store holds.
    """

    rules: CleaningRules = EVERYTHING
    lateness: int = 90 * DAY
    logs: dict[str, bytes] = field(default_factory=dict)
    searches: dict[str, bytes] = field(default_factory=dict)
    counters: dict[str, bytes] = field(default_factory=dict)
    bots: frozenset[str] = frozenset()
    user_expires: dict[str, int | None] = field(default_factory=dict)
    item_expires: dict[str, int | None] = field(default_factory=dict)
    online: dict[tuple[str, str], Row] = field(default_factory=dict)
    created: int = 0

    def process(self, rows: Sequence[Mapping[str, Any]], now: datetime) -> Aggregated:
        """One batch, users and items."""
        step = self.users(rows, now)
        self.items(step.deltas, now)
        return step

    def users(self, rows: Sequence[Mapping[str, Any]], now: datetime) -> Aggregated:
        """What a batch does to its users; the deltas of items wait. A row may say when it `arrives`."""
        self.created += 1
        accepted = [to_micros(row.get("arrives", now)) for row in rows]
        events = canonical(rows)
        names = set(events[columns.USER_ID].to_pylist())
        step = aggregate(
            events,
            {user: log for user, log in self.logs.items() if user in names},
            searches={user: own for user, own in self.searches.items() if user in names},
            categories=category_keys,
            rules=self.rules,
            now=to_micros(now),
            created=self.created,
            bots=self.bots,
            lateness=self.lateness,
            accepted_at=np.array(accepted, np.int64),
        )
        assert len(step.kept) + len(step.late) + len(step.rejected) == len(rows)
        self.logs |= step.logs
        self.searches |= step.searches
        assert step.searches.keys() <= step.logs.keys()
        self.bots |= step.bots
        self.user_expires |= step.rows.expires
        self._write(columns.USER_ACTIVITY, columns.USER_ID, step.rows.activity)
        self._write(columns.USER_HISTORY, columns.USER_ID, step.rows.history)
        self._write(columns.USER_SEARCHES, columns.USER_ID, step.rows.searches)
        return step

    def items(self, deltas: ItemCounters, now: datetime) -> None:
        """What a batch, of whichever partition, does to its items."""
        self.created += 1
        stored = decode_counters(
            {item: self.counters[item] for item in deltas.items if item in self.counters}
        )
        counters = add_counters(stored, deltas)
        self.counters |= encode_counters(counters)
        self._write_items(counters, now)

    def tick(self, now: datetime) -> None:
        """What a midnight does to entities whose rows have expired."""
        self.created += 1
        users = {user for user, at in self.user_expires.items() if at is not None and at <= to_micros(now)}
        if users:
            logs = {user: self.logs[user] for user in users}
            rows = expire(logs, categories=category_keys, now=to_micros(now), created=self.created)
            assert set(rows.expires) == users
            self.user_expires |= rows.expires
            self._write(columns.USER_ACTIVITY, columns.USER_ID, rows.activity)
        items = {item for item, at in self.item_expires.items() if at is not None and at <= to_micros(now)}
        self._write_items(decode_counters({item: self.counters[item] for item in items}), now)

    def _write_items(self, counters: ItemCounters, now: datetime) -> None:
        rows = item_rows(counters, now=to_micros(now), created=self.created)
        self.item_expires |= rows.expires
        self._write(columns.ITEM_ENGAGEMENT, columns.ITEM_ID, rows.engagement)

    def _write(self, view: str, join_key: str, rows: pa.Table) -> None:
        for row in rows.to_pylist():
            key = view, row[join_key]
            before = self.online.get(key)
            if before:  # else a last-writer-wins store would refuse the row
                assert before[columns.EVENT_TIMESTAMP] <= row[columns.EVENT_TIMESTAMP]
                assert before[columns.CREATED_TIMESTAMP] < row[columns.CREATED_TIMESTAMP]
            self.online[key] = row

    def features(self, view: str, entity: str) -> tuple[Row | None, datetime | None]:
        """The features of a row online and its event timestamp."""
        row = dict(self.online.get((view, entity), {}))
        if not row:
            return None, None
        at = row.pop(columns.EVENT_TIMESTAMP)
        for name in (columns.CREATED_TIMESTAMP, columns.USER_ID, columns.ITEM_ID):
            row.pop(name, None)
        return row, at
