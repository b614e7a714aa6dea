"""What items cost according to what was paid for them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.amounts import PIECE, unit_micros
from recsys.arrays import IntArray

LATEST = 255  # purchases of an item that its price is taken from
_COLUMNS = [columns.ITEM_ID, columns.AT, columns.QUANTITY, columns.VALUE_MICROS]
_CONDENSE_ROWS = 8_000_000


class UnitPrices:
    """The median unit price of each item's latest purchases; memory grows with items, not with events."""

    def __init__(self) -> None:
        self._rows: list[pa.Table] = []
        self._count = 0

    def add(self, events: pa.Table) -> None:
        """Takes note of the purchases among `events`, of any part of the log."""
        paid = pc.greater(events[columns.VALUE_MICROS], 0)
        priced = pc.and_(pc.equal(events[columns.KIND], columns.PURCHASE), paid)
        bought = events.select(_COLUMNS).filter(priced)
        pieces = bought[columns.QUANTITY].fill_null(PIECE).to_numpy()
        price = pa.array(unit_micros(bought[columns.VALUE_MICROS].to_numpy(), pieces))
        self._rows.append(
            pa.table(
                {
                    "item": bought[columns.ITEM_ID],
                    "at": bought[columns.AT].cast(pa.int64()),
                    "price": price,
                }
            )
        )
        self._count += len(bought)
        if self._count > _CONDENSE_ROWS:
            self._condense()

    def medians(self) -> pa.Table:
        """item_id and price_micros of every item with a priced purchase; of an even count the lower one."""
        self._condense()
        table = self._rows[0]
        codes, items = _codes(table["item"])
        codes, prices = _sorted_pairs(codes, table["price"].to_numpy())
        starts, counts = _groups(codes)
        middle = prices[starts + (counts - 1) // 2]
        return pa.table({columns.ITEM_ID: items.take(codes[starts]), columns.PRICE_MICROS: pa.array(middle)})

    def _condense(self) -> None:
        empty = pa.table({"item": pa.nulls(0, pa.string()), "at": pa.nulls(0, pa.int64())})
        empty = empty.append_column("price", pa.nulls(0, pa.int64()))
        table = pa.concat_tables([empty, *self._rows]).combine_chunks()
        codes, _ = _codes(table["item"])
        often = np.flatnonzero(np.bincount(codes)[codes] > LATEST)  # most items are not: nothing to drop
        order = often[np.lexsort((table["at"].to_numpy()[often], codes[often]))]
        starts, counts = _groups(codes[order])
        from_end = np.repeat(starts + counts, counts) - np.arange(len(order))
        kept = np.ones(len(table), bool)
        kept[order[from_end > LATEST]] = False
        table = table.filter(pa.array(kept))
        self._rows, self._count = [table], len(table)


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
