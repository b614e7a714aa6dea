"""What attribution reads, as arrays of codes: touches of ads, purchases, and which items belong together."""

from dataclasses import dataclass, fields

import numpy as np

from recsys.amounts import PIECE, UNKNOWN
from recsys.arrays import BoolArray, IntArray
from recsys.dataset.cancellations import match_cancellations
from recsys.errors import DataError


@dataclass(frozen=True, eq=False)
class Touches:
    """T clicks and viewable impressions of ads; marked ones and ghosts are left out before.

    Attributes:
        slot: the served slot. campaign: an index into the rules. user, item: codes, the item being the ad's.
        at: microseconds. clicked: true = a click, false = a viewable impression.
    """

    slot: IntArray
    campaign: IntArray
    user: IntArray
    item: IntArray
    at: IntArray
    clicked: BoolArray

    def __post_init__(self) -> None:
        """Raises DataError where columns differ in length."""
        _check_lengths(self)

    def __len__(self) -> int:
        return len(self.slot)


@dataclass(frozen=True, eq=False)
class Purchases:
    """P purchases as they stand today, what was cancelled and returned taken off.

    Attributes:
        user, item: codes. at: microseconds.
        quantity: thousandths that stand; 0 = it was undone as a whole.
        value_micros: that stand; UNKNOWN where no value was ever said.
        taken_micros: what was taken back of its value.
    """

    user: IntArray
    item: IntArray
    at: IntArray
    quantity: IntArray
    value_micros: IntArray
    taken_micros: IntArray

    def __post_init__(self) -> None:
        """Raises DataError where columns differ in length."""
        _check_lengths(self)

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, eq=False)
class ItemGroups:
    """The brand and the category of each of N items.

    Attributes:
        brand, category: (N,) codes by item code, 0 = none, which belongs to no group.
    """

    brand: IntArray
    category: IntArray


def standing_purchases(
    user: IntArray, item: IntArray, at: IntArray, cancels: BoolArray, quantity: IntArray, value: IntArray
) -> Purchases:
    """The purchases among M purchases and cancellations, less what was taken back up to now.

    A cancellation counts against the purchase that it takes from, however much later it comes.

    Args:
        user, item: (M,) codes. at: (M,) microseconds. cancels: (M,) which are cancellations.
        quantity, value: (M,) thousandths and micros, as `match_cancellations` reads them.
    """
    taken = match_cancellations(user * (item.max(initial=0) + 1) + item, cancels, at, quantity, value)
    pieces, money = np.where(quantity > 0, quantity, PIECE), value.copy()
    # Parts of one purchase come in the order of time, so the last one says what is left.
    pieces[taken.purchase], money[taken.purchase] = taken.quantity_left, taken.value_left
    rows = np.flatnonzero(~cancels)
    back = np.where(value > 0, value - np.maximum(money, 0), 0)
    undone_unknown = (pieces == 0) & (value == UNKNOWN)
    money = np.where(undone_unknown, 0, money)
    return Purchases(user[rows], item[rows], at[rows], pieces[rows], money[rows], back[rows])


def _check_lengths(table: Touches | Purchases) -> None:
    lengths = {field.name: len(getattr(table, field.name)) for field in fields(table)}
    if len(set(lengths.values())) > 1:
        raise DataError(f"columns differ in length: {lengths}. Give each row every column.")
