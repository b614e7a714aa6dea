"""Items, users and events as the lake keeps them: with what only events know, dated and shifted."""

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.dataset.schemas import INSTANT
from recsys.ingest.event_summary import EventSummary
from recsys.ingest.mapping.catalog_sources import ItemSource
from recsys.ingest.tables.catalog import items_without_rows
from recsys.ingest.tables.rejections import QUARANTINE_SCHEMA


def finished_items(items: pa.Table, source: ItemSource, events: EventSummary) -> tuple[pa.Table, pa.Table]:
    """The catalog with unlisted items and the prices paid, and the rows of items that no event names.

    The second table has `QUARANTINE_SCHEMA` and is empty unless `source` wants such items out.
    """
    listed = set(items[columns.ITEM_ID].to_pylist())
    items = pa.concat_tables([items, items_without_rows(events.items - listed)])
    untouched = QUARANTINE_SCHEMA.empty_table()
    if source.without_events == "quarantine":
        seen = pc.is_in(items[columns.ITEM_ID], value_set=pa.array(sorted(events.items), pa.string()))
        untouched = _untouched(items.filter(pc.invert(seen)))
        items = items.filter(seen)
    if events.prices:
        paid = events.prices.medians()
        place = pc.index_in(items[columns.ITEM_ID], value_set=paid[columns.ITEM_ID].combine_chunks())
        found = paid[columns.PRICE_MICROS].take(place)
        column = items.column_names.index(columns.PRICE_MICROS)
        prices = pc.coalesce(items[columns.PRICE_MICROS], found)
        items = items.set_column(column, columns.PRICE_MICROS, prices)
    return items.sort_by(columns.ITEM_ID), untouched


def finished_users(users: pa.Table | None, events: EventSummary) -> pa.Table:
    """Everybody: those of the user file and those that only events know."""
    listed = set() if users is None else set(users[columns.USER_ID].to_pylist())
    others = pa.array(sorted(events.users - listed), pa.string())
    found = pa.table(
        {columns.USER_ID: others, columns.ATTRIBUTES: pa.array(["{}"] * len(others), pa.string())}
    )
    return (found if users is None else pa.concat_tables([users, found])).sort_by(columns.USER_ID)


def dated(table: pa.Table, at: pa.Scalar) -> pa.Table:
    """`table` with `at` as the instant from which each of its rows is known."""
    return table.append_column(columns.AT, pa.repeat(at, len(table)))


def shifted(rows: pa.Table, shift: int, name: str = columns.AT) -> pa.Table:
    """`rows` with the instants of column `name` moved by `shift` microseconds."""
    if not shift:
        return rows
    at = pc.add(rows[name].cast(pa.int64()), shift).cast(INSTANT)
    return rows.set_column(rows.column_names.index(name), name, at)


def _untouched(items: pa.Table) -> pa.Table:
    rows = [
        {"table": "items", "reason": "no_events", "raw": orjson.dumps(row).decode()}
        for row in items.select([columns.ITEM_ID, columns.TITLE]).to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=QUARANTINE_SCHEMA)
