"""Items with a brand, a category or an attribute that the query names count more."""

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.errors import RequestError
from recsys.filters import Filters
from recsys.funnel.catalog import Catalog
from recsys.search.requests import ATTRIBUTE
from recsys.search.understanding.intent import Intent

MOST_BOOSTS = 8  # of one query, the strongest


def named_boosts(intent: Intent, catalog: Catalog, index: IntArray) -> FloatArray | None:
    """(K,) the largest weight of what the query names and the item at `index` has; None: it names nothing."""
    if not intent.boosts or not len(index):
        return None
    found = np.zeros(len(index), np.float32)
    for boost in sorted(intent.boosts, key=lambda each: -each.weight)[:MOST_BOOSTS]:
        try:
            mask = catalog.passing(_filters_of(boost.field, boost.value))
        except RequestError:  # an attribute that no item has any more
            continue
        found = np.maximum(found, boost.weight * mask[index]).astype(np.float32)
    return found


def _filters_of(field: str, value: str) -> Filters:
    if field.startswith(ATTRIBUTE):
        return Filters(attributes={field.removeprefix(ATTRIBUTE): value})
    return Filters(categories=(value,)) if field == "category" else Filters(brands=(value,))
