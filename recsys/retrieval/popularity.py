"""How much an item is wanted by everybody."""

import numpy as np

from recsys.dataset.interactions import FloatArray, Interactions

POPULARITY_HALF_LIFE_DAYS = 28.0
_DAY_MICROS = 86_400_000_000


def decayed_popularity(interactions: Interactions, now: int, half_life_days: float) -> FloatArray:
    """(N + 1,) float32: the weight of each item's actions before `now`, halved every `half_life_days`.

    popularity_i = sum over actions a of i with at_a < now of weight_a 2^(-(now - at_a) / half_life)

    Args:
        now: microseconds; actions at or after it count nothing.
        half_life_days: `math.inf` for plain popularity, also where the data has no clock.
    """
    past = interactions.at < now
    age_days = (now - interactions.at[past]) / _DAY_MICROS
    weight = interactions.weight[past] * np.exp2(-age_days / half_life_days)
    counts = np.bincount(interactions.item_index[past], weight, minlength=len(interactions.items))
    return counts.astype(np.float32)
