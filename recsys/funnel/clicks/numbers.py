"""What the click model reads of a user and of items, from rows of the online store."""

import numpy as np

from recsys import columns
from recsys.ads.selection.prediction import AdContext
from recsys.arrays import FloatArray
from recsys.features.cross import cross_features
from recsys.features.item_age import item_ages
from recsys.funnel.online_features import FeatureRows, Profile
from recsys.instants import SECOND, to_micros


def click_numbers(profile: Profile, items: FeatureRows, context: AdContext) -> FloatArray:
    """(K, F) float32 CLICK_NUMBERS of a user and K items as of `context.now`, NaN = missing."""
    now, of_items = to_micros(context.now), items.matrix(columns.ITEM_RANKING_FEATURES)
    cross = cross_features(profile.columns, items.columns, now // SECOND)
    first = np.asarray(items.columns[columns.FIRST_AT])
    parts = [
        np.broadcast_to(profile.matrix(), (len(of_items), len(columns.USER_RANKING_FEATURES))),
        of_items,
        np.stack([cross[name] for name in columns.CROSS_FEATURES], 1),
        item_ages(first, now)[:, None],
    ]
    return np.ascontiguousarray(np.concatenate(parts, axis=1), np.float32)
