"""Which purchases are the first of their brand in a year."""

import numpy as np

from recsys.ads.attribution.records import ItemGroups, Purchases
from recsys.ads.attribution.rule import DAY_MICROS
from recsys.arrays import BoolArray

YEAR_MICROS = 365 * DAY_MICROS


def new_to_brand(purchases: Purchases, groups: ItemGroups) -> BoolArray:
    """(P,) whether the user bought nothing of the item's brand in the year before.

    Lines of one instant are one order: none makes another one old. What was undone as a whole is no purchase,
    and neither is it new. Items without a brand are new to none.

    Args:
        purchases: those that are asked about and all of the year before them.
    """
    brand = groups.brand[purchases.item]
    rows = np.flatnonzero((purchases.quantity > 0) & (brand > 0))
    order = rows[np.lexsort((purchases.at[rows], brand[rows], purchases.user[rows]))]
    keys = np.stack([purchases.user[order], brand[order]], 1)
    at = purchases.at[order]
    # Where a run of equal key and instant begins: the order before it is what decides.
    same_key = np.concatenate([[False], (keys[1:] == keys[:-1]).all(1)])[: len(order)]
    same_order = same_key & np.concatenate([[False], at[1:] == at[:-1]])[: len(order)]
    begins = np.maximum.accumulate(np.where(same_order, 0, np.arange(len(order))))
    before = np.maximum(begins - 1, 0)
    recent = same_key[begins] & (at - at[before] <= YEAR_MICROS)
    found = np.zeros(len(purchases), bool)
    found[order] = ~recent
    return found
