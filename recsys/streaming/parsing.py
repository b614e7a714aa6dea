"""Entries of the stream as a table of canonical events; other entries are kept apart with their reasons."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from recsys import columns
from recsys.amounts import as_thousandths
from recsys.arrays import BoolArray, IntArray
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.errors import InvalidEventError
from recsys.event_fields import filters_text
from recsys.events import Fields, UserEvent, parse_fields
from recsys.ingest.cleaning.hashing import hash_texts
from recsys.instants import to_micros
from recsys.streaming.stream import Entry, partition_of

CheckItem = Callable[[str], None]
"""Raises InvalidEventError for the id of an item that is not in the catalog."""

_USERS_REMEMBERED = 1 << 17
_REQUIRED = (columns.EVENT_ID, columns.KIND, columns.USER_ID)
# Fields that some kinds of event have: absent ones are null.
_OPTIONAL = (
    columns.ITEM_ID,
    columns.SESSION_ID,
    columns.QUERY,
    columns.REQUEST_ID,
    columns.POSITION,
    columns.VALUE_MICROS,
    columns.QUERY_ID,
    columns.RESULTS,
    columns.SURFACE,
    columns.PAGE,
    columns.VISIBLE_MS,
    columns.VIEWABLE,
    columns.TOKEN,
)


@dataclass(frozen=True)
class ParsedEntries:
    """A batch of entries, read.

    Attributes:
        events: columns of EVENT_SCHEMA, in the order of arrival.
        accepted_at: (N,) microseconds at which each of them was accepted.
        id_hashes: (N,) int64 hashes of their ids.
        poison: entries that are not an event of a user of their partition, and why.
        entries: (M,) those of the whole batch that are events; the one of an event is at its sequence, less
            that of the first.
    """

    events: pa.Table
    accepted_at: IntArray
    id_hashes: IntArray
    poison: list[tuple[Entry, str]]
    entries: Sequence[Entry] = ()

    def take(self, rows: BoolArray) -> "ParsedEntries":
        """The events at `rows` (N,)."""
        if rows.all():
            return self
        return ParsedEntries(
            self.events.filter(pa.array(rows)),
            self.accepted_at[rows],
            self.id_hashes[rows],
            self.poison,
            self.entries,
        )


def parse_entries(
    entries: Sequence[Entry],
    partitions: int,
    weights: Mapping[str, float],
    sequence: int,
    check_item: CheckItem | None = None,
) -> ParsedEntries:
    """The events of `entries`.

    Args:
        partitions: of users; an event of a user of another partition is poison, for two workers would
            count for this user.
        weights: kind -> how much an event of it says.
        sequence: of the first event; those after it count on.
        check_item: rejects events of unknown items.
    """
    events: list[Fields] = []
    kept: list[Entry] = []
    poison: list[tuple[Entry, str]] = []
    for entry in entries:
        try:
            event = _event_fields(entry, partitions)
            if check_item is not None and (item := event.get(columns.ITEM_ID)) is not None:
                check_item(item)
            events.append(event)
            kept.append(entry)
        except (InvalidEventError, orjson.JSONDecodeError) as error:
            poison.append((entry, str(error)))
    table = _table(events, weights, sequence)
    accepted = np.array([entry.accepted_at for entry in kept], np.int64)
    return ParsedEntries(table, accepted, event_id_hashes(table[columns.EVENT_ID]), poison, kept)


def event_id_hashes(ids: Any) -> IntArray:
    """(N,) int64 hashes by which the state remembers event ids.

    Two ids among n share one with probability n^2 / 2^65: 3e-6 for ten million ids.
    """
    return hash_texts(ids).view(np.int64)


def _event_fields(entry: Entry, partitions: int) -> Fields:
    """The fields of a user's event, its kind among them."""
    row = orjson.loads(entry.body)
    if not isinstance(row, dict):
        raise InvalidEventError(f"the body is a {type(row).__name__}, not an object with the event's fields.")
    event, fields = parse_fields(row)
    if not issubclass(event, UserEvent):
        raise InvalidEventError(
            f"{event.kind} belongs to the catalog's partition {partitions}, not to {entry.partition}."
        )
    right = _partition_of(fields[columns.USER_ID], partitions)
    if right != entry.partition:
        raise InvalidEventError(
            f"user_id {fields[columns.USER_ID]!r} belongs to partition {right}, not {entry.partition}. "
            "Send it there."
        )
    fields[columns.KIND] = event.kind
    return fields


@lru_cache(_USERS_REMEMBERED)
def _partition_of(user_id: str, partitions: int) -> int:
    return partition_of(user_id, partitions)


def _table(events: Sequence[Fields], weights: Mapping[str, float], sequence: int) -> pa.Table:
    values: dict[str, Any] = {
        **{name: [event[name] for event in events] for name in _REQUIRED},
        columns.AT: [to_micros(event[columns.AT]) for event in events],
        columns.SEQUENCE: np.arange(sequence, sequence + len(events)),
        columns.WEIGHT: np.array([weights[event[columns.KIND]] for event in events], np.float32),
    }
    said = set[str]().union(*events)
    values |= {name: [event.get(name) for event in events] for name in _OPTIONAL if name in said}
    for name, stored, said_as in (
        (columns.QUANTITY, as_thousandths, columns.EVENT_QUANTITY),
        (columns.FILTERS, filters_text, columns.FILTERS),
    ):
        if said_as in said:
            found = (event.get(said_as) for event in events)
            values[name] = [None if each is None else stored(each) for each in found]
    arrays = []
    for field in EVENT_SCHEMA:
        if field.name not in values:
            arrays.append(pa.nulls(len(events), field.type))
        elif field.name == columns.AT:
            arrays.append(pa.array(values[field.name], pa.int64()).cast(field.type))
        else:
            arrays.append(pa.array(values[field.name], field.type))
    return pa.Table.from_arrays(arrays, schema=EVENT_SCHEMA)
