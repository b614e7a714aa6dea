"""What moves the best of the first stage: what the query names, and the user's taste."""

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.errors import RequestError
from recsys.filters import Filters
from recsys.funnel.catalog import Catalog
from recsys.search.relevance.ordering import Scored
from recsys.search.requests import ATTRIBUTE
from recsys.search.understanding.intent import Intent

NAMED, PERSONAL = "named", "personal"
MOST_BOOSTS = 8  # of what one query names, the strongest
PERSONAL_WEIGHT = 0.2  # of one standard deviation of taste, at full personalisation
_MOST_DEVIATIONS = 3.0


def add_named(head: Scored, intent: Intent, catalog: Catalog, weight: float) -> Scored:
    """`head` with `weight` for items with a brand, a category or an attribute that the query names."""
    boosts = named_boosts(intent, catalog, head.index)
    return head if boosts is None else head.with_part(NAMED, weight * boosts)


def add_taste(head: Scored, taste: FloatArray | None, dial: float) -> Scored:
    """`head` with the user's taste added: standard deviations from what was found, by the dial.

    Args:
        taste: (K,) of the items of `head`, on any scale; None where nothing is known of the user.
        dial: 0 = none, 1 = as far as goes.
    """
    spread = 0.0 if taste is None or len(head) < 2 else float(taste.std())
    if taste is None or not spread:
        return head
    deviations = np.clip((taste - taste.mean()) / spread, -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
    return head.with_part(PERSONAL, dial * PERSONAL_WEIGHT * deviations)


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
