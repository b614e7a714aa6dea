"""Ids of events are unique in their [[events]] table: which rows share one, and what tells tables apart."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import Column
from recsys.ingest.cleaning.event_ids import ID_TABLE
from recsys.ingest.mapping.event_sources import EventSource
from recsys.ingest.warnings import ImportWarnings

_COUNTER = r"^\d+$"  # what a database counts up; other ids are taken as unique in the shop


class EventIds:
    """The ids of a shop's [[events]] tables.

    Where several tables give ids, a whole number gets the number of its table before it: `2:17`. What a
    mapping states as `event_id_prefix` stands before all ids of a table instead; tables with the same one
    share ids.
    """

    def __init__(self, sources: Sequence[EventSource]) -> None:
        giving = [place for place, source in enumerate(sources) if source.event_id is not None]
        stated = {place: sources[place].event_id_prefix for place in giving}
        self._needed = len(giving) > 1 or any(prefix is not None for prefix in stated.values())
        first: dict[str, int] = {}
        self._table: dict[int, int] = {}  # place of a source -> number, from 1, of the table of its ids
        self._prefixes: dict[int, str | None] = {}
        for place, prefix in stated.items():
            table = place + 1 if prefix is None else first.setdefault(prefix, place + 1)
            self._table[place] = table
            self._prefixes[table] = "" if prefix is None and len(giving) == 1 else prefix
        self._counters: set[int] = set()
        self._reused = 0
        self._example = ""

    def marked(self, events: pa.Table, place: int) -> pa.Table:
        """Events of the source number `place` with ID_TABLE, if anything depends on it."""
        if not self._needed:
            return events
        number = pa.scalar(self._table.get(place), pa.int16())
        given = events[columns.EVENT_ID].is_valid()
        return events.append_column(ID_TABLE, pc.if_else(given, number, pa.scalar(None, pa.int16())))

    def stored(self, events: pa.Table) -> pa.Table:
        """`events` with the ids that are kept, without ID_TABLE."""
        if ID_TABLE not in events.column_names:
            return events
        ids, table = events[columns.EVENT_ID], events[ID_TABLE]
        for number, prefix in self._prefixes.items():
            if prefix == "":
                continue
            chosen = pc.equal(table, number).fill_null(False)
            if prefix is None:
                chosen = pc.and_(chosen, pc.match_substring_regex(ids, _COUNTER))
                self._counters |= {number} if pc.any(chosen).as_py() else set()
            longer = pc.binary_join_element_wise(prefix or f"{number}:", ids, "")
            ids = pc.if_else(chosen, longer, ids)
        events = events.drop_columns([ID_TABLE])
        return events.set_column(events.column_names.index(columns.EVENT_ID), columns.EVENT_ID, ids)

    def count_reused(self, ids: Column) -> None:
        """Counts rows that were dropped for having the id of a row that says something else."""
        if len(ids):
            self._reused += len(ids)
            self._example = self._example or str(ids[0])

    def warn(self, warnings: ImportWarnings) -> None:
        """Adds what a person should know of the ids."""
        if self._reused:
            warnings.add(
                "reused_event_ids",
                f"{self._reused} rows have the `event_id` of another row, such as {self._example!r}, but "
                "another user, item or kind, and were dropped as duplicates. If it is an order's number, "
                "name the column that numbers its lines, or leave `event_id` out of the mapping.",
            )
        if not self._counters:
            return
        number = min(self._counters)
        warnings.add(
            "event_ids_of_tables",
            "several [[events]] tables give whole numbers as event ids: the id 17 of table "
            f"{number} is kept as '{number}:17'. If events also come by the stream, state `event_id_prefix` "
            'in each table and send it too; `event_id_prefix = ""` where ids are unique in the shop.',
        )
