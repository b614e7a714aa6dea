"""Quantities and money as whole numbers: their bounds, and the arithmetic that stays within int64.

A quantity is kept in thousandths of a piece, money in millionths of the currency unit. One set of bounds
holds for an import and for a stream.
"""

import re
from collections.abc import Callable

import numpy as np

from recsys.arrays import BoolArray, IntArray
from recsys.errors import RequestError

PIECE = 1000  # thousandths
MICROS = 1_000_000  # of the currency unit
# Of a line or a price: over two thousand million units. A thousand times that still is an int64, which is
# what a price per piece and a quantity in thousandths are multiplied in. Up to here a float64 times a million
# rounds to the right integer.
MOST_MICROS = 2**51
MOST_THOUSANDTHS = 2**51
UNKNOWN = -1  # money that is not known

_AMOUNT = re.compile(r"(?:([A-Z]{3}) *)?([0-9]{1,10})(?:\.([0-9]{1,6}))?(?: *([A-Z]{3}))?")
_SHOWN = 40  # characters of a wrong amount that a message repeats
_SMALLEST, _LARGEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def parse_amount(what: str, text: str, currency: str | None = None) -> int:
    """The micros that `text` says, exactly: digits, and a point before up to six decimals.

    Args:
        what: what the amount is, for messages.
        currency: the shop's code; `text` may name it, before the number or behind it.

    Raises:
        RequestError: it is no such amount, is beyond MOST_MICROS, or names another currency.

    >>> parse_amount("bid", "0.40"), parse_amount("bid", "USD 0.0003", "USD"), parse_amount("bid", "12")
    (400000, 300, 12000000)
    """
    shown, found = repr(text[:_SHOWN]), _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise RequestError(
            f"{what} {shown} is no amount. Write digits with a point and up to six decimals, such as 50.00."
        )
    before, units, decimals, behind = found.groups()
    for named in (before, behind):
        if named is not None and named != currency:
            known = f"the shop's is {currency}" if currency else "the shop's is not known"
            raise RequestError(f"{what} {shown} is in {named}, {known}. Write the number alone.")
    micros = int(units) * MICROS + int((decimals or "0").ljust(6, "0"))
    if micros > MOST_MICROS:
        raise RequestError(f"{what} {shown} is too large. {amount_text(MOST_MICROS)} is the most.")
    return micros


def amount_text(micros: int, currency: str | None = None) -> str:
    """`micros` in units, exactly: two decimals, up to six where they say something.

    >>> amount_text(400_000), amount_text(300), amount_text(-12_345_670, "USD")
    ('0.40', '0.0003', '-12.34567 USD')
    """
    units, rest = divmod(abs(micros), MICROS)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    number = f"{'-' if micros < 0 else ''}{units}.{decimals}"
    return f"{number} {currency}" if currency else number


def as_thousandths(pieces: float) -> int | None:
    """`pieces` to the nearest thousandth (of two the even one); None unless that is within the bounds.

    >>> as_thousandths(0.25), as_thousandths(3), as_thousandths(0.1 + 0.2), as_thousandths(0.0001)
    (250, 3000, 300, None)
    """
    if not 0 < pieces <= MOST_THOUSANDTHS / PIECE:  # false for NaN too
        return None
    return round(pieces * PIECE) or None


def as_pieces(thousandths: int) -> int | float:
    """The quantity as an event's JSON has it: whole where it is.

    >>> as_pieces(3000), as_pieces(250)
    (3, 0.25)
    """
    whole, rest = divmod(thousandths, PIECE)
    return thousandths / PIECE if rest else whole


def earlier_quantities(pieces: IntArray, cancels: BoolArray) -> IntArray:
    """(N,) thousandths of quantities in `pieces`, as earlier versions kept them; 0 = not said.

    Their cancellations said 1 where a client said nothing, and always undid a whole line.

    Args:
        cancels: (N,) which are of cancellations.

    >>> earlier_quantities(np.array([3, 1, 2]), np.array([False, True, True])).tolist()
    [3000, 0, 2000]
    """
    thousandths = np.clip(pieces, 0, MOST_THOUSANDTHS // PIECE) * PIECE
    return np.where(cancels & (pieces == 1), 0, thousandths)


def line_micros(price: IntArray, thousandths: IntArray) -> IntArray:
    """(N,) `price` a piece times the quantity, rounded once, halves up.

    Args:
        price: (N,) micros from 0. A product beyond the bounds becomes MOST_MICROS + 1.

    >>> line_micros(np.array([10_000_000, 1]), np.array([250, 1500])).tolist()
    [2500000, 2]
    """
    fits = np.asarray(price, np.float64) * thousandths <= float(MOST_MICROS) * PIECE
    product = np.where(fits, price, 0) * np.where(fits, thousandths, 0)
    return np.where(fits, (product + PIECE // 2) // PIECE, MOST_MICROS + 1)


def unit_micros(value: IntArray, thousandths: IntArray) -> IntArray:
    """(N,) what one piece costs in lines of `value` micros, rounded down, within the bounds.

    >>> unit_micros(np.array([2_500_000]), np.array([250])).tolist()
    [10000000]
    """
    return np.minimum(value * PIECE // np.maximum(thousandths, 1), MOST_MICROS)


def saturating_sums(sums_of: Callable[[IntArray], IntArray], amounts: IntArray) -> IntArray:
    """`sums_of(amounts)`, where a sum that int64 does not hold is the largest or smallest that it does.

    Args:
        sums_of: makes sums of its argument's elements and of their negatives.

    >>> saturating_sums(np.cumsum, np.array([2**62, 2**62, -(2**62)])).tolist() == [2**62, 2**63 - 1, 2**62]
    True
    """
    if np.abs(amounts.astype(np.float64)).sum() < 2.0**62:
        return sums_of(amounts)
    low = sums_of(amounts & 0xFFFFFFFF)
    high = sums_of(amounts >> 32) + (low >> 32)
    inside = (high >= -(1 << 31)) & (high < 1 << 31)
    sums = np.where(inside, high, 0) * (1 << 32) + (low & 0xFFFFFFFF)
    return np.where(inside, sums, np.where(high < 0, _SMALLEST, _LARGEST))
