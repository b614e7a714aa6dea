"""Purchases that carry a token: what of them was not taken back."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.amounts import UNKNOWN
from recsys.arrays import IntArray, combined
from recsys.dataset.cancellations import match_cancellations, read_amounts


def net_purchases(events: pa.Table) -> tuple[IntArray, IntArray]:
    """(M,) thousandths of a piece and (M,) micros that are left of each event after all cancellations.

    A cancellation takes from the purchases of its user and item, whether or not it has a token. Of events
    that are no purchase both are 0; money that nobody said is 0.

    Args:
        events: LABEL_COLUMNS, in the order of arrival.
    """
    kinds = pa.array([columns.PURCHASE, columns.CANCEL])
    concerned = np.flatnonzero(np.asarray(combined(pc.is_in(events[columns.KIND], value_set=kinds))))
    rows = events.take(pa.array(concerned))
    cancels = np.asarray(combined(pc.equal(rows[columns.KIND], columns.CANCEL)))
    quantity, value = read_amounts(rows, cancels)
    people, items = (
        pd.factorize(np.array(rows[name].to_pylist(), object))[0].astype(np.int64)
        for name in (columns.USER_ID, columns.ITEM_ID)
    )
    pair = people * (items.max(initial=0) + 1) + items
    at = np.asarray(combined(rows[columns.AT]).cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    taken = match_cancellations(pair, cancels, at, quantity, value)
    quantity[taken.purchase], value[taken.purchase] = taken.quantity_left, taken.value_left  # the last part
    value[value == UNKNOWN] = 0
    left = np.zeros((2, len(events)), np.int64)
    left[:, concerned[~cancels]] = quantity[~cancels], value[~cancels]
    return left[0], left[1]
