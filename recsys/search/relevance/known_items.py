"""What a ranker is told of items beside how they match: their popularity, price and age."""

from datetime import datetime

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.funnel.catalog import Catalog
from recsys.instants import to_micros
from recsys.search.relevance.features import KnownOfItems
from recsys.search.relevance.first_stage import popularity_shares

_DAY = 86_400_000_000  # microseconds


def known_of_items(catalog: Catalog, index: IntArray, now: datetime) -> KnownOfItems:
    """What the catalog knows of the items at `index` as of `now`; NaN where it does not."""
    return KnownOfItems(
        popularity=popularity_shares(catalog.popularity, index).astype(np.float32),
        price=_prices(catalog, index),
        age_days=_ages(catalog, index, now),
    )


def _prices(catalog: Catalog, index: IntArray) -> FloatArray:
    """(K,) the logarithm of the price over the median price."""
    prices = catalog.items.price_micros
    known = prices[prices > 0]
    if not len(known):
        return np.full(len(index), np.nan, np.float32)
    own = prices[index].astype(np.float64)
    shares: FloatArray = np.where(own > 0, np.log(np.maximum(own, 1) / np.median(known)), np.nan)
    return shares.astype(np.float32)


def _ages(catalog: Catalog, index: IntArray, now: datetime) -> FloatArray:
    """(K,) the logarithm of 1 + days in the shop."""
    since = catalog.items.first_at[index]
    days = np.maximum(to_micros(now) - since, 0) / _DAY
    ages: FloatArray = np.where(since > 0, np.log1p(days), np.nan).astype(np.float32)
    return ages
