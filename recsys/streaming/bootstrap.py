"""The state of a stream out of the events that the lake holds already."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.catalog import stable_key
from recsys.features.event_log import IMPRESSION_CODE
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.streaming.batch import event_keys, read_batch
from recsys.streaming.cleaning import looked_at
from recsys.streaming.item_counter_deltas import item_deltas
from recsys.streaming.item_counters import ItemCounters
from recsys.streaming.user_logs.log import decode_logs, encode_logs, log_rows, merge_logs, trim_logs
from recsys.streaming.user_logs.searches import add_searches, encode_searches

BOOTSTRAP_COLUMNS = (
    columns.USER_ID,
    columns.ITEM_ID,
    columns.KIND,
    columns.AT,
    columns.SEQUENCE,
    columns.QUERY,
    columns.QUERY_ID,
    columns.REQUEST_ID,
    columns.PAGE,
    columns.QUANTITY,
    columns.VALUE_MICROS,
    columns.WEIGHT,
    columns.VIEWABLE,
)


@dataclass(frozen=True)
class Bootstrapped:
    """The state as if `events` had come by the stream.

    Attributes:
        logs: user id -> log. searches: the same of their queries, of those who searched.
        counters: of all items, with their popularity.
    """

    logs: dict[str, bytes]
    searches: dict[str, bytes]
    counters: ItemCounters


def bootstrap(
    events: pa.Table,
    *,
    rules: CleaningRules,
    label_kinds: Collection[str] = columns.ACTION_KINDS,
    key_of: Callable[[str], int] = stable_key,
) -> Bootstrapped:
    """The logs of all users and the counters of all items of canonical `events`, which are taken as clean.

    Only BOOTSTRAP_COLUMNS are read. A lake larger than memory comes in parts by user: logs of different
    users do not meet, and counters add up with `recsys.streaming.item_counters.sum_parts`.

    Args:
        label_kinds: the actions that make an item popular.
        key_of: `stable_key`, or one that remembers what it answered.
    """
    batch = read_batch(events, key_of)
    for_users = batch.counted & (batch.kind != IMPRESSION_CODE)
    written = np.flatnonzero(for_users | looked_at(batch.kind, rules))
    rows = log_rows(batch, event_keys(events, batch), written, for_users[written])
    logs = merge_logs(decode_logs(batch.users, {}), batch.user[written], rows)
    searched = add_searches({}, events.filter(pa.array(batch.is_search)))
    touched = np.concatenate([batch.user[written], batch.users_at(searched)])
    return Bootstrapped(
        logs=encode_logs(trim_logs(logs, rules).of_users(touched)),
        searches=encode_searches(searched),
        counters=item_deltas(batch, np.flatnonzero(batch.counted), logs.counted(), label_kinds),
    )
