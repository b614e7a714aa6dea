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


def with_event_ids(events: pa.Table, rules: CleaningRules) -> pa.Table:
    """`events` with an id for each row that has none: a hash of what the row says.

    Rows that say the same get the same id, in every run and on every machine. Where repeated lines
    are to be summed, quantity and value are no part of it.
    """
    given = events[columns.EVENT_ID]
    if given.null_count == 0:
        return events
    texts = [columns.USER_ID, columns.ITEM_ID, columns.KIND]
    texts += [columns.SESSION_ID, columns.QUERY, columns.REQUEST_ID]
    numbers = [columns.AT, columns.POSITION]
    if rules.repeated_lines == "duplicate":
        numbers += [columns.QUANTITY, columns.VALUE_MICROS]
    hashes = RowHashes(len(events))
    for place, name in enumerate((*texts, *numbers)):
        column = combined(events[name])
        if column.null_count < len(column):
            cells = hash_texts(column) if name in texts else hash_numbers(column)
            hashes.add(place, cells, np.asarray(column.is_null()) if column.null_count else None)
    ids = hashes.ids()
    if given.null_count < len(given):
        ids = pc.coalesce(given.combine_chunks(), ids)
    return events.set_column(events.column_names.index(columns.EVENT_ID), columns.EVENT_ID, ids)
