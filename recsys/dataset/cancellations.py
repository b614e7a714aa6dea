"""What cancellations take back of purchases: one definition for imports, batch features and the stream."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.amounts import MOST_MICROS, MOST_THOUSANDTHS, PIECE, UNKNOWN
from recsys.arrays import BoolArray, Column, IntArray


@dataclass(frozen=True)
class TakenBack:
    """T parts of purchases that cancellations took back; those of one purchase in the order of time.

    Attributes:
        purchase, cancel: (T,) places of the two events.
        quantity, value: (T,) thousandths and micros of the purchase before; a value may be UNKNOWN.
        quantity_left, value_left: (T,) what is left of it; quantity 0 = the purchase is undone.
    """

    purchase: IntArray
    cancel: IntArray
    quantity: IntArray
    value: IntArray
    quantity_left: IntArray
    value_left: IntArray

    def __len__(self) -> int:
        return len(self.purchase)

    @property
    def undone(self) -> BoolArray:
        """(T,) parts that leave nothing of their purchase."""
        return np.asarray(self.quantity_left == 0)


_NOTHING = np.zeros(0, np.int64)
NOTHING_TAKEN = TakenBack(_NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING)


def match_cancellations(
    pair: IntArray, cancels: BoolArray, at: IntArray, quantity: IntArray, value: IntArray
) -> TakenBack:
    """What is taken back among M purchases and cancellations, given in the order of arrival.

    A cancellation takes from the latest purchase of its user and item that still stands. What it says of
    a quantity may reach further back, over several purchases, and money follows in proportion. One without a
    quantity is about one purchase: it takes so much money as it says if that is less than was paid, else
    the purchase as a whole. At one instant purchases come first: a day's returns may stand above them.

    A log that lacks its beginning gives the same for the purchases that it holds.

    Args:
        pair: (M,) equal for events of the same user and item.
        cancels: (M,) which are cancellations, the others being purchases.
        quantity: (M,) thousandths, 0 = not said: one piece of a purchase.
        value: (M,) micros, UNKNOWN = not said.
    """
    concerned = np.flatnonzero(np.isin(pair, pair[cancels]))
    keys = (cancels[concerned], at[concerned], pair[concerned])
    order = concerned[np.lexsort(keys)]
    rows = zip(
        order.tolist(),
        pair[order].tolist(),
        cancels[order].tolist(),
        quantity[order].tolist(),
        value[order].tolist(),
        strict=True,
    )
    found = np.array([part for part in _taken_parts(rows)], np.int64).reshape(-1, 6)
    return TakenBack(*found.T)


def read_amounts(events: pa.Table, cancels: BoolArray) -> tuple[IntArray, IntArray]:
    """(M,) thousandths and (M,) micros of canonical `events`, within the bounds.

    What is not said is one piece, 0 of a cancellation, and UNKNOWN money.

    Args:
        cancels: (M,) which are cancellations.
    """
    quantity = _integers(events[columns.QUANTITY], 0)
    quantity = np.minimum(np.where(quantity > 0, quantity, np.where(cancels, 0, PIECE)), MOST_THOUSANDTHS)
    return quantity, np.minimum(_integers(events[columns.VALUE_MICROS], UNKNOWN), MOST_MICROS)


def _integers(column: Column, missing: int) -> IntArray:
    return np.asarray(column.cast(pa.int64()).fill_null(missing).to_numpy(), np.int64)


_Part = tuple[int, int, int, int, int, int]


def _taken_parts(rows: Iterator[tuple[int, int, bool, int, int]]) -> Iterator[_Part]:
    """The fields of `TakenBack` for each part; `rows` by pair and instant."""
    of_pair, standing = None, list[tuple[int, int, int]]()  # place, quantity and value of what stands
    for place, pair, cancels, quantity, value in rows:
        if pair != of_pair:
            of_pair, standing = pair, []
        if not cancels:
            standing.append((place, quantity or PIECE, value))
            continue
        left = quantity
        while standing:
            purchase, pieces, paid = standing.pop()
            pieces_left, paid_left, left = _rest(pieces, paid, left, 0 if quantity else value)
            yield purchase, place, pieces, paid, pieces_left, paid_left
            if pieces_left:
                standing.append((purchase, pieces_left, paid_left))
            if not left:
                break


def _rest(pieces: int, paid: int, returned: int, refund: int) -> tuple[int, int, int]:
    """What is left of a purchase in pieces and money, and of the quantity that is returned."""
    if not returned:
        return (pieces, paid - refund, 0) if 0 < refund < paid else (0, min(paid, 0), 0)
    part = min(returned, pieces)
    paid_left = paid - paid * part // pieces if paid > 0 else paid
    return pieces - part, paid_left, returned - part
