"""Items and events as the lake keeps them: with what only events know, dated and shifted."""

import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.dataset.schemas import INSTANT
from recsys.ingest.event_summary import EventSummary
from recsys.ingest.mapping.catalog_sources import ItemSource
from recsys.ingest.tables.catalog import items_without_rows, with_paid_prices
from recsys.ingest.tables.rejections import QUARANTINE_SCHEMA, untouched_items


def finished_items(
    items: pa.Table, source: ItemSource, events: EventSummary
) -> tuple[pa.Table, int, pa.Table]:
    """The catalog with unlisted items and the prices paid; how many are unlisted; items that no event names.

    The last is a table with `QUARANTINE_SCHEMA`, empty unless `source` wants such items out.
    """
    unlisted = items_without_rows(events.items - set(items[columns.ITEM_ID].to_pylist()))
    items = pa.concat_tables([items, unlisted])
    untouched = QUARANTINE_SCHEMA.empty_table()
    if source.without_events == "quarantine":
        seen = pc.is_in(items[columns.ITEM_ID], value_set=pa.array(sorted(events.items), pa.string()))
        untouched = untouched_items(items.filter(pc.invert(seen)))
        items = items.filter(seen)
    if events.prices:
        items = with_paid_prices(items, events.prices.medians())
    return items.sort_by(columns.ITEM_ID), len(unlisted), untouched


def dated(table: pa.Table, at: pa.Scalar) -> pa.Table:
    """`table` with `at` as the instant from which each of its rows is known."""
    return table.append_column(columns.AT, pa.repeat(at, len(table)))


def shifted(events: pa.Table, shift: int) -> pa.Table:
    """`events` moved by `shift` microseconds."""
    if not shift:
        return events
    at = pc.add(events[columns.AT].cast(pa.int64()), shift).cast(INSTANT)
    return events.set_column(events.column_names.index(columns.AT), columns.AT, at)
