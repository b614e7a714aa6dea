"""Single facts for people: one item, one user's history."""

import json
from datetime import UTC, datetime

import numpy as np

from recsys import columns
from recsys.documents import JsonObject
from recsys.funnel.online_features import FeatureRows, Profile
from recsys.funnel.slate import ONLINE_FEATURES_UNAVAILABLE, HistoryEntry, ItemDetails
from recsys.models.bundle import Bundle

# Shown as fields of their own, or of use to models only.
_NOT_SHOWN = frozenset(
    {columns.TITLE, columns.TEXT, columns.CATEGORY, columns.BRAND, columns.ATTRIBUTES, columns.AVAILABLE}
    | {columns.PRICE_MICROS, columns.ITEM_KEY, columns.CATEGORY_KEY, columns.ITEM_ID}
)


def item_details(bundle: Bundle, popularity: float, index: int, rows: FeatureRows | None) -> ItemDetails:
    """The catalog's facts of item `index`, and the online values where `rows` (one row) has them."""
    items = bundle.items
    online = {} if rows is None else _values(rows)
    price = int(online.get(columns.PRICE_MICROS, items.price_micros[index]))
    return ItemDetails(
        item_id=items.vocabulary.ids[index],
        title=items.titles[index],
        category=items.categories[index] or None,
        brand=items.brands[index] or None,
        price_micros=price if price > 0 else None,
        available=bool(online.get(columns.AVAILABLE, items.available[index])),
        attributes=json.loads(items.attributes[index] or "{}"),
        popularity=popularity,
        features={name: value for name, value in online.items() if name not in _NOT_SHOWN},
        bundle_id=bundle.manifest.bundle_id,
        degraded=() if rows is not None else (ONLINE_FEATURES_UNAVAILABLE,),
    )


def history_entries(bundle: Bundle, profile: Profile, count: int) -> tuple[HistoryEntry, ...]:
    """The last `count` actions of a history, the latest first."""
    histories = profile.histories
    items, kinds, at = (part[0, ::-1] for part in (histories.items, histories.kinds, histories.at_seconds))
    return tuple(
        HistoryEntry(
            bundle.items.vocabulary.ids[items[place]],
            bundle.items.titles[items[place]],
            columns.KINDS[kinds[place] - 1],
            datetime.fromtimestamp(int(at[place]), UTC),
        )
        for place in np.flatnonzero(items)[:count]
    )


def _values(rows: FeatureRows) -> JsonObject:
    """Feature -> plain value of the one row, without arrays and without views that have no row."""
    found = {
        name: column[0] for name, column in rows.columns.items() if not rows.missing[rows.views[name]][0]
    }
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in found.items()
        if not isinstance(value, np.ndarray)
    }
