"""The item_engagement view: what people did with an item over rolling windows."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recsys import columns
from recsys.arrays import Column, FloatArray, IntArray
from recsys.features.event_log import CANCEL_CODE, IMPRESSION_CODE, EventLog
from recsys.features.kind_counts import kind_counts
from recsys.features.timeline import build_timeline, changes_of, latest_values
from recsys.features.view_schemas import instant_column, names_of, view_table
from recsys.features.window_sums import sums_over
from recsys.features.windows import RATE_DAYS, TREND_DAYS
from recsys.instants import SECOND

COUNTED_KINDS = (columns.IMPRESSION, *columns.ACTION_KINDS)
COUNT_NAME = "item_{kind}_count_{days}d"


def item_engagement(log: EventLog, created_at: int, since: IntArray | None = None) -> pa.Table:
    """The item_engagement rows of `log`, sorted by instant.

    Rates are 0 where nothing was counted. The click rate is clicks an impression; the conversion is
    purchases a visit, a visit being a view or a click; the trend is the share of the last RATE_DAYS days'
    actions that fell into the last TREND_DAYS.

    Args:
        since: (len(log.items),) the instant of an event of each item, before which no rows are asked for: a
            log that begins LONGEST_DAYS before the day of the earliest, and that has an action or a
            cancellation of each item up to then if there is any, is enough then.
    """
    changes = changes_of(log, log.item, np.flatnonzero(log.is_action | (log.kind == IMPRESSION_CODE)))
    timeline = build_timeline(log.item, log.at, changes, columns.WINDOW_DAYS, since)
    order = timeline.written
    acts = np.flatnonzero(log.is_action | (log.kind == CANCEL_CODE))
    rows = timeline.rows_of(log.item[acts], log.at[acts])
    return engagement_table(
        kind_counts(
            timeline, sums_over(timeline, changes), log.kind[changes.source], COUNTED_KINDS, COUNT_NAME
        ),
        latest_values(timeline, rows, log.at[acts] // SECOND)[order],
        names_of(log.items, timeline.entity[order]),
        timeline.at[order],
        created_at,
    )


def engagement_table(
    counts: Mapping[str, Column], last_seconds: IntArray, items: Column, at: IntArray, created_at: int
) -> pa.Table:
    """Rows of the view out of its counts by name, of which the rates follow."""
    shares = engagement_rates({name: column.to_numpy() for name, column in counts.items()})
    values = {
        **counts,
        **{name: pa.array(share) for name, share in shares.items()},
        columns.ITEM_LAST_EVENT_AT: pa.array(last_seconds),
        columns.ITEM_ID: items,
        columns.EVENT_TIMESTAMP: instant_column(at),
        columns.CREATED_TIMESTAMP: instant_column(np.full(len(at), created_at)),
    }
    return view_table(columns.ITEM_ENGAGEMENT, values)


def engagement_rates(counts: Mapping[str, npt.NDArray[np.int32]]) -> dict[str, FloatArray]:
    """The three rates out of the view's own counts, so that they agree wherever the counts were made."""

    def total(kinds: tuple[str, ...], days: int) -> IntArray:
        parts = [counts[f"item_{kind}_count_{days}d"] for kind in kinds]
        return np.asarray(np.sum(parts, axis=0, dtype=np.int64))

    definitions = {
        columns.ITEM_CLICK_RATE: ((columns.CLICK,), (columns.IMPRESSION,), RATE_DAYS),
        columns.ITEM_CONVERSION: ((columns.PURCHASE,), (columns.VIEW, columns.CLICK), RATE_DAYS),
        columns.ITEM_TREND: (columns.ACTION_KINDS, columns.ACTION_KINDS, TREND_DAYS),
    }
    result = {}
    for name, (above, below, days) in definitions.items():
        whole = total(below, RATE_DAYS)
        result[name] = np.where(whole > 0, total(above, days) / np.maximum(whole, 1), 0).astype(np.float32)
    return result
