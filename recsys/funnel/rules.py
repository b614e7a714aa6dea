"""What may be shown: the request's filters, the user's past, and what is in stock."""

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.features.rows import FeatureRows
from recsys.funnel.catalog import Catalog, price_mask
from recsys.funnel.requests import Filters


def allowed_items(
    catalog: Catalog, filters: Filters, exclude: tuple[str, ...], removed: IntArray
) -> BoolArray:
    """(N + 1,) true for items that pass `filters` and are neither excluded nor `removed` (item indexes).

    Availability is left to `passes_now`, which knows more.

    Raises:
        RequestError: no item has an attribute that the filters name.
    """
    mask = catalog.passing(filters)
    mask[removed] = False
    if exclude:
        mask[catalog.items.vocabulary.indexes(exclude)] = False
    return mask


def passes_now(catalog: Catalog, index: IntArray, filters: Filters, rows: FeatureRows | None) -> BoolArray:
    """(K,) true for items (K,) that are available, and cost what `filters` ask, as of now.

    The online value counts; where there is none, the bundle's.
    """
    available = catalog.items.available[index]
    if rows is not None and columns.AVAILABLE in rows.columns:
        online = rows.columns[columns.AVAILABLE].astype(bool)
        available = np.where(rows.missing[rows.views[columns.AVAILABLE]], available, online)
    mask = available | filters.include_unavailable
    if filters.price_min_micros is not None or filters.price_max_micros is not None:
        mask &= price_mask(prices_now(catalog, index, rows), filters)
    return mask


def prices_now(catalog: Catalog, index: IntArray, rows: FeatureRows | None) -> IntArray:
    """(K,) prices in micros, 0 or less where unknown: the online value, else the bundle's."""
    prices = catalog.items.price_micros[index]
    if rows is None or columns.PRICE_MICROS not in rows.columns:
        return prices
    online = rows.columns[columns.PRICE_MICROS].astype(np.int64)
    return np.where(rows.missing[rows.views[columns.PRICE_MICROS]], prices, online)
