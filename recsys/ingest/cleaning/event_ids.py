"""Ids for events whose source gives none, the same in every run and on every machine."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import combined
from recsys.ingest.cleaning.hashing import RowHashes, hash_numbers, hash_texts
from recsys.ingest.cleaning.rules import CleaningRules

# A column of staged events: the table in which a given id is unique; null where the id is a hash.
ID_TABLE = "_id_table"
# What a row says, each column at its place: the place is part of the hash. Append only.
_SAID = (
    columns.USER_ID,
    columns.ITEM_ID,
    columns.KIND,
    columns.SESSION_ID,
    columns.QUERY,
    columns.REQUEST_ID,
    columns.AT,
    columns.POSITION,
    columns.QUANTITY,
    columns.VALUE_MICROS,
    columns.QUERY_ID,
    columns.RESULTS,
    columns.FILTERS,
    columns.SURFACE,
    columns.PAGE,
    columns.VISIBLE_MS,
    columns.VIEWABLE,
    columns.TOKEN,
)
_NUMBERS = frozenset(
    {
        columns.AT,
        columns.POSITION,
        columns.QUANTITY,
        columns.VALUE_MICROS,
        columns.RESULTS,
        columns.PAGE,
        columns.VISIBLE_MS,
        columns.VIEWABLE,
    }
)


def with_event_ids(events: pa.Table, rules: CleaningRules) -> pa.Table:
    """`events` with an id for each row that has none: a hash of what the row says.

    A column that nobody fills changes no id, so that files keep theirs when a version adds columns.

    Rows that say the same get the same id, in every run and on every machine. Where repeated lines
    are to be summed, quantity and value are no part of it.
    """
    given = events[columns.EVENT_ID]
    if given.null_count == 0:
        return events
    amounts = () if rules.repeated_lines == "duplicate" else (columns.QUANTITY, columns.VALUE_MICROS)
    hashes = RowHashes(len(events))
    for place, name in enumerate(_SAID):
        if name in amounts or name not in events.column_names:
            continue
        column = combined(events[name])
        if column.null_count < len(column):
            cells = hash_numbers(column) if name in _NUMBERS else hash_texts(column)
            hashes.add(place, cells, np.asarray(column.is_null()) if column.null_count else None)
    ids = hashes.ids()
    if given.null_count < len(given):
        ids = pc.coalesce(given.combine_chunks(), ids)
    return events.set_column(events.column_names.index(columns.EVENT_ID), columns.EVENT_ID, ids)
