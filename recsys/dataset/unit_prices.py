"""What items cost according to what was paid for them."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns

LATEST = 255  # purchases of an item that its price is taken from
_CONDENSE_ROWS = 8_000_000


class UnitPrices:
    """The median unit price of each item's latest purchases; memory grows with items, not with events."""

    def __init__(self) -> None:
        self._rows: list[pa.Table] = []
        self._count = 0

    def add(self, events: pa.Table) -> None:
        """Takes note of the purchases among `events`, of any part of the log."""
        bought = events.filter(
            pc.and_(
                pc.equal(events[columns.KIND], columns.PURCHASE),
                pc.greater(events[columns.VALUE_MICROS], 0),
            )
        )
        units = bought[columns.QUANTITY].fill_null(1)
        price = pc.divide(bought[columns.VALUE_MICROS], units)
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
        order = np.lexsort((table["price"].to_numpy(), codes))
        starts, counts = _groups(codes[order])
        middle = table["price"].to_numpy()[order][starts + (counts - 1) // 2]
        return pa.table(
            {columns.ITEM_ID: items.take(codes[order][starts]), columns.PRICE_MICROS: pa.array(middle)}
        )

    def _condense(self) -> None:
        empty = pa.table({"item": pa.nulls(0, pa.string()), "at": pa.nulls(0, pa.int64())})
        empty = empty.append_column("price", pa.nulls(0, pa.int64()))
        table = pa.concat_tables([empty, *self._rows]).combine_chunks()
        codes, _ = _codes(table["item"])
        order = np.lexsort((table["at"].to_numpy(), codes))
        starts, counts = _groups(codes[order])
        from_end = np.repeat(starts + counts, counts) - np.arange(len(order))
        kept = order[from_end <= LATEST]
        self._rows, self._count = [table.take(kept)], len(kept)


def _codes(texts: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], pa.Array]:
    encoded = texts.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return np.asarray(encoded.indices.to_numpy(), np.int64), encoded.dictionary


def _groups(codes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each run of equal codes starts and how long it is."""
    if not len(codes):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    return starts, np.diff(np.r_[starts, len(codes)])
