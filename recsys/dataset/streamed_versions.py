"""Rows of an import beside the versions of the same items and users that came by the stream."""

from collections.abc import Collection
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import IntArray
from recsys.dataset.row_versions import equal_rows, last_of, places_of, sorted_versions, with_dates
from recsys.dataset.schemas import INSTANT


def dated_after_stream(
    imported: pa.Table, streamed: pa.Table, known: pa.Table, unlisted: Collection[str], now: datetime
) -> pa.Table:
    """`imported` with dates that do not let an older streamed version win.

    A key that no import had and whose row says something else than the stream did is dated `now`. One that an
    earlier import had is not older than it was then, if that was after the stream's newest version.

    Args:
        imported: rows of `ITEM_SCHEMA` or `USER_SCHEMA`, each key once, dated as if there were no stream.
        streamed: the newest version that came by the stream of each key.
        known: versions of the imports before.
        unlisted: keys of which the files say nothing.
        now: aware.
    """
    key = imported.column_names[0]
    known = last_of(sorted_versions(known, key), [key])
    place, before = (places_of(imported[key], table[key]) for table in (streamed, known))
    says_nothing = pc.is_in(imported[key], value_set=pa.array(sorted(unlisted), pa.string()))
    rows = np.flatnonzero((place >= 0) & ~np.asarray(says_nothing))
    others = streamed.take(pa.array(place[rows])).select(imported.column_names)
    differs = ~equal_rows(imported.take(pa.array(rows)), others)
    at, streamed_at, known_at = (_micros(table) for table in (imported, others, known))
    moment = int(pa.scalar(now, INSTANT).cast(pa.int64()).as_py())
    dates = at.copy()
    for row, differ, other in zip(rows.tolist(), differs.tolist(), streamed_at.tolist(), strict=True):
        if before[row] < 0 and differ:
            dates[row] = max(moment, other + 1)
        elif before[row] >= 0 and known_at[before[row]] > other:
            dates[row] = max(at[row], known_at[before[row]])
    return with_dates(imported, dates)


def _micros(table: pa.Table) -> IntArray:
    return np.asarray(table[columns.AT].cast(pa.int64()))
