"""Rows of some users or items, or from an instant on, are those that the whole log gives."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.features.event_log import EventLog, of_items, of_users, read_log
from recsys.features.item_engagement import item_engagement
from recsys.features.user_activity import user_activity
from recsys.features.windows import LONGEST_DAYS
from recsys.instants import from_micros
from recsys.stores.features.event_buckets import bucket_of
from tests.features.worlds import EVENTS, FAR, category_keys, numbered, table

KEYS = {columns.USER_ACTIVITY: columns.USER_ID, columns.ITEM_ENGAGEMENT: columns.ITEM_ID}


def rows_of(view: str, log: EventLog, since: Any = None) -> pa.Table:
    if view == columns.ITEM_ENGAGEMENT:
        return item_engagement(log, 0, since)
    return user_activity(log, category_keys(log.item_keys), 0, since)


def in_order(view: str, rows: pa.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rows.sort_by(
        [(KEYS[view], "ascending"), (columns.EVENT_TIMESTAMP, "ascending")]
    ).to_pylist()
    return found


@settings(deadline=None)
@given(rows=EVENTS, buckets=st.integers(1, 4))
def test_rows_by_bucket_are_the_rows_of_the_whole_log(rows: list[dict[str, Any]], buckets: int) -> None:
    events = table(numbered(rows))
    for view, key in KEYS.items():
        own = of_users(events) if view == columns.USER_ACTIVITY else of_items(events)
        bucket = bucket_of(own[key], buckets)
        parts = [rows_of(view, read_log(own.filter(pa.array(bucket == number)))) for number in range(buckets)]
        assert in_order(view, pa.concat_tables(parts)) == in_order(view, rows_of(view, read_log(events)))


@settings(deadline=None)
@given(rows=EVENTS, at=FAR)
def test_rows_from_an_event_on_need_no_older_log_than_the_longest_window(
    rows: list[dict[str, Any]], at: datetime
) -> None:
    events = table(numbered(rows))
    for view, key in KEYS.items():
        own = of_users(events)  # with impressions, a last action may be older than every window
        new = read_log(own.filter(pc.greater_equal(own[columns.AT], pa.scalar(at))))
        names, entity = (new.users, new.user) if view == columns.USER_ACTIVITY else (new.items, new.item)
        since = {name: int(new.at[entity == place].min(initial=2**62)) for place, name in enumerate(names)}
        since = {name: first for name, first in since.items() if first < 2**62}
        if not since:
            continue
        begin = from_micros(min(since.values())).replace(hour=0, minute=0, second=0, microsecond=0)
        begin -= timedelta(days=LONGEST_DAYS)
        kept = pc.and_(pc.greater_equal(own[columns.AT], begin), pc.is_in(own[key], pa.array([*since])))
        log = read_log(own.filter(kept))
        given_since = np.array([since[name] for name in (log.users if key == columns.USER_ID else log.items)])
        whole = in_order(view, rows_of(view, read_log(own)))
        expected = [
            row
            for row in whole
            if row[key] in since and row[columns.EVENT_TIMESTAMP] >= from_micros(since[row[key]])
        ]
        assert in_order(view, rows_of(view, log, given_since)) == expected
