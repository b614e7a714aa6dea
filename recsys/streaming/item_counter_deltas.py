"""What events change in the counters of items."""

from collections.abc import Collection

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.features.event_log import CANCEL_CODE, IMPRESSION_CODE, IS_ACTION
from recsys.features.item_engagement import COUNTED_KINDS
from recsys.features.windows import day_of
from recsys.streaming.batch import EventBatch
from recsys.streaming.item_counters import TILE_COLUMNS, ItemCounters, sum_counters, weight_at_origin
from recsys.streaming.user_logs.log import Rows, UserLogs


def item_deltas(
    batch: EventBatch, counted: IntArray, logs: UserLogs, label_kinds: Collection[str]
) -> ItemCounters:
    """What the events of `batch` at `counted` add to counters and popularity.

    An action adds 1 to its own day; a purchase that is undone from now on takes 1 back there, and one that
    stands again because a late event changed what a cancellation means gives it back.

    Args:
        counted: places of events that features count.
        logs: what features count of the batch's users, with the events of the batch in it as new rows.
        label_kinds: the actions whose weight makes an item popular.
    """
    impressions = counted[batch.kind[counted] == IMPRESSION_CODE]
    rows, amount = _standing(logs)
    # Rows of the logs know their items by key; each of them is an item of an event of the batch.
    order = np.argsort(batch.item_keys)
    item = order[np.searchsorted(batch.item_keys, rows["key"], sorter=order)] if len(rows) else rows["key"]
    item = np.concatenate([item, batch.item[impressions]])
    kind = np.concatenate([rows["kind"].astype(np.int64), batch.kind[impressions]])
    amount = np.concatenate([amount, np.ones(len(impressions), np.int64)])
    day = day_of(np.concatenate([rows["at"], batch.at[impressions]]))
    counts = np.zeros((len(item), len(COUNTED_KINDS)), np.int64)
    counts[np.arange(len(item)), TILE_COLUMNS[kind]] = amount
    liked = np.isin(kind, [columns.KIND_CODES[name] for name in label_kinds])[: len(rows)]
    weight = weight_at_origin(rows["at"], rows["weight"]) * amount[: len(rows)]
    popularity = np.zeros(len(batch.items))
    np.add.at(popularity, item[: len(rows)][liked], weight[liked])
    newest, last = _last(batch, counted)
    touched = newest > 0
    names = tuple(batch.items[place] for place in np.flatnonzero(touched).tolist())
    place = np.cumsum(touched) - 1
    return sum_counters(names, place[item], day, counts, newest[touched], last[touched], popularity[touched])


def _standing(logs: UserLogs) -> tuple[Rows, IntArray]:
    """New actions, and purchases that are undone or stand again, with what each adds to its counter."""
    is_action = IS_ACTION[logs.rows["kind"]]
    if not (logs.rows["kind"] == CANCEL_CODE).any():
        changed = np.flatnonzero(is_action & logs.new)
        return np.take(logs.rows, changed), np.ones(len(changed), np.int64)
    stands, stood = _not_undone(logs), np.zeros(len(logs), bool)
    stood[~logs.new] = _not_undone(logs.chosen(~logs.new))
    amount = np.where(is_action, stands.astype(np.int64) - stood, 0)
    changed = np.flatnonzero((is_action & logs.new) | (amount != 0))
    return np.take(logs.rows, changed), amount[changed]


def _not_undone(logs: UserLogs) -> BoolArray:
    taken = logs.taken_back()
    stands = np.ones(len(logs), bool)
    stands[taken.purchase[taken.undone]] = False
    return stands


def _last(batch: EventBatch, counted: IntArray) -> tuple[IntArray, IntArray]:
    """By item, the instant of its newest event and of its newest action or cancellation; 0 = none."""
    newest, last = np.zeros((2, len(batch.items)), np.int64)
    np.maximum.at(newest, batch.item[counted], batch.at[counted])
    acts = counted[batch.kind[counted] != IMPRESSION_CODE]
    np.maximum.at(last, batch.item[acts], batch.at[acts])
    return newest, last
