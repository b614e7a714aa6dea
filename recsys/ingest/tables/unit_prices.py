"""What items cost according to what was paid for them, at the end of the log and at each instant before."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.amounts import PIECE, unit_micros
from recsys.arrays import BoolArray, Column, IntArray
from recsys.dataset.schemas import INSTANT

LATEST = 255  # purchases of an item that its price is taken from
_COLUMNS = [columns.ITEM_ID, columns.AT, columns.QUANTITY, columns.VALUE_MICROS]
_CONDENSE_ROWS = 8_000_000
_SCHEMA = pa.schema(
    [
        ("item", pa.string()),
        ("at", pa.int64()),
        ("price", pa.int64()),
        ("net", pa.bool_()),  # a purchase less what was returned of it; one that was returned whole is none
        ("came", pa.bool_()),  # a purchase as it came
    ]
)


class UnitPrices:
    """The median unit price of each item's latest purchases; memory grows with items and months."""

    def __init__(self) -> None:
        self._rows: list[pa.Table] = [_SCHEMA.empty_table()]
        self._count = 0
        self._medians: pa.Table | None = None  # until more comes, once computed

    def add(self, events: pa.Table, returned: pa.Table) -> None:
        """Takes note of the purchases of a part of the log, see `recsys.ingest.cleaning.clean.Cleaned`.

        Args:
            events: what is kept.
            returned: cancellations, and the purchases that they took from, as they came.
        """
        changed = pc.is_in(events[columns.EVENT_ID], value_set=returned[columns.EVENT_ID].combine_chunks())
        self._add(events, net=True, came=pc.invert(changed))
        self._add(returned, net=False, came=pa.array(np.ones(len(returned), bool)))

    def _add(self, events: pa.Table, net: bool, came: Column) -> None:
        paid = pc.greater(events[columns.VALUE_MICROS], 0)
        priced = pc.fill_null(pc.and_(pc.equal(events[columns.KIND], columns.PURCHASE), paid), False)
        bought = events.select(_COLUMNS).filter(priced)
        pieces = bought[columns.QUANTITY].fill_null(PIECE).to_numpy()
        price = pa.array(unit_micros(bought[columns.VALUE_MICROS].to_numpy(), pieces))
        at = bought[columns.AT].cast(pa.int64())
        values = [bought[columns.ITEM_ID], at, price, pa.repeat(net, len(bought)), came.filter(priced)]
        self._medians = None
        self._rows.append(pa.table(dict(zip(_SCHEMA.names, values, strict=True))).cast(_SCHEMA))
        self._count += len(bought)
        if self._count > _CONDENSE_ROWS:
            self._condense()

    def medians(self) -> pa.Table:
        """item_id and price_micros of every item with a priced purchase; of an even count the lower one.

        It is the price at the end of the log: purchases less what was returned of them.
        """
        if self._medians is None:
            self._medians = self._latest_medians()
        return self._medians

    def _latest_medians(self) -> pa.Table:
        codes, items, at, prices = self._read("net")
        order = np.lexsort((at, codes))
        codes, prices = codes[order], prices[order]
        latest = _from_end(codes) <= LATEST
        starts, middle = _lower_medians(codes[latest], prices[latest])
        return pa.table(
            {
                columns.ITEM_ID: items.take(codes[latest][starts]),
                columns.PRICE_MICROS: pa.array(middle),
            }
        )

    def versions(self, end: int) -> pa.Table:
        """item_id, `at` and price_micros: what each item cost from `at` on, by item and instant.

        The first price is dated by the item's first priced purchase. Then there is one at the beginning of
        each month (UTC) before which the median of the latest purchases moved, as they came: a return that
        comes later changes nothing. The last is that of `medians`, dated `end` if it is another price.

        Args:
            end: microseconds, of the newest event.
        """
        codes, items, at, prices = self._read("came")
        order = np.lexsort((prices, at, codes))
        codes, at, prices = codes[order], at[order], prices[order]
        starts, counts = _groups(codes)
        first = np.repeat(at[starts], counts) == at  # several lines of the first instant
        found = [_priced(codes[first], prices[first], at[first])]
        months = _month_numbers(at)
        for month in np.unique(months).tolist():
            begins = _month_start(month + 1)
            if begins > end:
                continue
            bought = np.zeros(len(items), bool)
            bought[codes[months == month]] = True
            latest = np.flatnonzero(bought[codes] & (months <= month))
            latest = latest[_from_end(codes[latest]) <= LATEST]
            found.append(_priced(codes[latest], prices[latest], np.full(len(latest), begins)))
        newest = self.medians()
        place = pc.index_in(newest[columns.ITEM_ID], value_set=items).to_numpy()
        found.append((place, np.full(len(place), end), newest[columns.PRICE_MICROS].to_numpy()))
        item, since, price = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((since, item))  # stable: at one instant what was found last counts
        item, since, price = item[order], since[order], price[order]
        last = np.append((item[1:] != item[:-1]) | (since[1:] != since[:-1]), True)[: len(item)]
        item, since, price = item[last], since[last], price[last]
        moved = np.append(True, (item[1:] != item[:-1]) | (price[1:] != price[:-1]))[: len(item)]
        return pa.table(
            {
                columns.ITEM_ID: items.take(item[moved]),
                columns.AT: pa.array(since[moved]).cast(INSTANT),
                columns.PRICE_MICROS: pa.array(price[moved]),
            }
        ).sort_by([(columns.ITEM_ID, "ascending"), (columns.AT, "ascending")])

    def _read(self, which: str) -> tuple[IntArray, pa.Array, IntArray, IntArray]:
        """Codes of items, the items, instants and prices of the purchases that are `net` or `came`."""
        self._condense()
        table = self._rows[0].filter(self._rows[0][which])
        codes, items = _codes(table["item"])
        return codes, items, table["at"].to_numpy(), table["price"].to_numpy()

    def _condense(self) -> None:
        """Leaves the latest purchases of each item and month, of both kinds."""
        if len(self._rows) == 1:
            return  # nothing came since
        table = pa.concat_tables(self._rows).combine_chunks()
        codes, _ = _codes(table["item"])
        groups = codes * 2**20 + _month_numbers(table["at"].to_numpy())
        kept = np.zeros(len(table), bool)
        for which in ("net", "came"):
            rows = np.flatnonzero(table[which].to_numpy())
            kept[rows[_latest(groups[rows], table["at"].to_numpy()[rows])]] = True
        table = table.filter(pa.array(kept))
        self._rows, self._count = [table], len(table)


def _latest(groups: IntArray, at: IntArray) -> BoolArray:
    """(N,) the LATEST rows of each group; most groups are smaller, and there is nothing to drop."""
    kept = np.ones(len(groups), bool)
    place, _ = pd.factorize(groups)
    often = np.flatnonzero(np.bincount(place)[place] > LATEST)
    order = often[np.lexsort((at[often], groups[often]))]
    kept[order[_from_end(groups[order]) > LATEST]] = False
    return kept


def _priced(codes: IntArray, prices: IntArray, at: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Items, the instant of each and its lower median price; an item's rows have one instant."""
    starts, middle = _lower_medians(codes, prices)
    return codes[starts], at[starts], middle


def _lower_medians(codes: IntArray, prices: IntArray) -> tuple[IntArray, IntArray]:
    """Where each run of equal codes starts, and the lower median of its prices; codes ascend."""
    starts, counts = _groups(codes)
    _, ordered = _sorted_pairs(codes, prices)
    return starts, ordered[starts + (counts - 1) // 2]


def _month_numbers(at: IntArray) -> IntArray:
    """(N,) months since 1970 of instants in microseconds."""
    return np.asarray(at.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64))


def _month_start(month: int) -> int:
    """The instant, microseconds, at which a month since 1970 begins."""
    return int(np.datetime64(month, "M").astype("datetime64[us]").astype(np.int64))


def _codes(texts: pa.ChunkedArray) -> tuple[IntArray, pa.Array]:
    encoded = texts.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return np.asarray(encoded.indices.to_numpy(), np.int64), encoded.dictionary


def _sorted_pairs(codes: IntArray, prices: IntArray) -> tuple[IntArray, IntArray]:
    """Both by code, then price; packed into one integer where they fit, which sorts ten times faster."""
    bits = int(prices.max(initial=0)).bit_length()
    if bits + int(codes.max(initial=0)).bit_length() < 63:
        packed = np.sort((codes << bits) | prices)
        return packed >> bits, packed & ((1 << bits) - 1)
    order = np.lexsort((prices, codes))
    return codes[order], prices[order]


def _groups(codes: IntArray) -> tuple[IntArray, IntArray]:
    """Where each run of equal codes starts and how long it is."""
    if not len(codes):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    return starts, np.diff(np.r_[starts, len(codes)])


def _from_end(codes: IntArray) -> IntArray:
    """(N,) each row's place in its run of equal codes, counted from the run's end, from 1."""
    starts, counts = _groups(codes)
    return np.repeat(starts + counts, counts) - np.arange(len(codes))
