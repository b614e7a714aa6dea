"""Versions of items whose prices are told by events, beside what the catalog says of the items."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import BoolArray, Column, IntArray, combined
from recsys.dataset.row_versions import (
    ImportedVersions,
    differs,
    newest_apart,
    places_of,
    sorted_versions,
    with_dates,
)


def without_prices(rows: pa.Table) -> pa.Table:
    """`rows` of `ITEM_SCHEMA` as a catalog has them that says nothing of prices."""
    return _priced(rows, pa.nulls(len(rows), pa.int64()))


def catalog_versions(earlier: pa.Table, newest: pa.Table) -> tuple[pa.Table, pa.Table]:
    """`earlier` and `newest` versions of a home less those that only told of another price.

    Each has the date from which the catalog said so.
    """
    table = sorted_versions(without_prices(pa.concat_tables([earlier, newest])), columns.ITEM_ID)
    return newest_apart(table.filter(pa.array(differs(table))), newest)


def with_event_prices(versions: ImportedVersions, prices: pa.Table, streamed: pa.Table) -> ImportedVersions:
    """`versions` of the catalog, at each instant with the price that was known then; null before the first.

    Args:
        prices: item_id, `at` and price_micros: the price from that instant on.
        streamed: the newest version of each item that came by the stream. It has a price of its own: what
            events say later takes its place only where the catalog is newer as well.
    """
    table = without_prices(pa.concat_tables([versions.earlier, versions.newest]))
    prices = prices.filter(pa.array(~_told_by_stream(prices, versions.newest, streamed)))
    ids = pa.chunked_array([combined(each[columns.ITEM_ID]) for each in (table, prices)])
    item = np.asarray(combined(ids.dictionary_encode()).indices.to_numpy(), np.int64)
    at = np.concatenate([_micros(each) for each in (table, prices)])
    row = np.arange(len(at))
    order = np.lexsort((row, at, item))  # at one instant the price after the catalog's row
    item, at, row = item[order], at[order], row[order]
    new = np.append(True, item[1:] != item[:-1])[: len(item)]
    content = _carried(np.where(row < len(table), row, -1), new)
    price = _carried(np.where(row < len(table), -1, row - len(table)), new)
    last = np.append(new[1:] | (at[1:] != at[:-1]), True)[: len(item)]
    kept = last & (content >= 0)
    rows = with_dates(table.take(pa.array(content[kept])), at[kept])
    costs = combined(prices[columns.PRICE_MICROS]).take(pa.array(price[kept], mask=price[kept] < 0))
    rows = sorted_versions(_priced(rows, costs), columns.ITEM_ID)
    earlier, newest = newest_apart(rows, versions.newest)
    return replace(versions, newest=newest, earlier=earlier)


def _told_by_stream(prices: pa.Table, newest: pa.Table, streamed: pa.Table) -> BoolArray:
    """(P,) prices from after a streamed version of an item that the catalog says nothing newer of."""
    since, said = (
        np.append(_micros(table), none)[places_of(prices[columns.ITEM_ID], table[columns.ITEM_ID])]
        for table, none in ((streamed, np.iinfo(np.int64).max), (newest, 0))
    )
    return np.asarray((_micros(prices) >= since) & (said <= since))


def _carried(values: IntArray, new: BoolArray) -> IntArray:
    """(N,) the last value up to each row of its group that is not -1; `new` begins a group."""
    rows = np.arange(len(values))
    place = np.maximum.accumulate(np.where(values >= 0, rows, -1))
    start = np.maximum.accumulate(np.where(new, rows, 0))
    return np.where(place >= start, values[place], -1)


def _priced(rows: pa.Table, prices: Column) -> pa.Table:
    column = rows.column_names.index(columns.PRICE_MICROS)
    return rows.set_column(column, rows.schema.field(columns.PRICE_MICROS), prices)


def _micros(table: pa.Table) -> IntArray:
    return np.asarray(table[columns.AT].cast(pa.int64()).to_numpy(), np.int64)
