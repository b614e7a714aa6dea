"""How popular an item is with all users."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.dataset.interactions import Interactions
from recsys.instants import DAY

POPULARITY_HALF_LIFE_DAYS = 14.0  # right for films and groceries alike, see docs/model.md
# Live popularity is weighed as of this instant: every event can be weighed for it, whatever came before.
POPULARITY_ORIGIN = 20_000 * DAY  # October 2024: a double carries what is counted from it until 2063


def decayed_popularity(interactions: Interactions, now: int, half_life_days: float) -> FloatArray:
    """(N + 1,) float32: the weight of each item's actions before `now`, halved every `half_life_days`.

    popularity_i = sum over actions a of i with at_a < now of weight_a 2^(-(now - at_a) / half_life)

    Args:
        now: microseconds; actions at or after it count nothing, nor do those that were undone before it.
        half_life_days: `math.inf` for plain popularity, also where the data has no clock.
    """
    past = interactions.known_at(now)
    age_days = (now - past.at) / DAY
    weight = past.weight * np.exp2(-age_days / half_life_days)
    counts = np.bincount(past.item_index, weight, minlength=len(past.items))
    return counts.astype(np.float32)


def popularity_at_end(interactions: Interactions) -> FloatArray:
    """(N + 1,) decayed popularity right after the last of `interactions`."""
    return decayed_popularity(interactions, int(interactions.at.max()) + 1, POPULARITY_HALF_LIFE_DAYS)


def item_events(interactions: Interactions) -> FloatArray:
    """(N + 1,) float32 actions on each item."""
    return np.bincount(interactions.item_index, minlength=len(interactions.items)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class LivePopularity:
    """What is popular at one instant: few live scores, and how much all those of training are worth by then.

    Attributes:
        worth: what a trained score is multiplied by.
        index: (K,) items with a live score. scores: (K,) these, as of that instant.
    """

    worth: float
    index: IntArray
    scores: DoubleArray

    @classmethod
    def at(cls, trained_at: int, live: Mapping[int, float], now: int) -> "LivePopularity":
        """That of `live_popularity` with these arguments."""
        index = np.fromiter(live.keys(), np.int64, len(live))
        scores = np.fromiter(live.values(), np.float64, len(live)) * _worth(POPULARITY_ORIGIN - now)
        return cls(_worth(trained_at - now), index, scores)

    def of(self, trained: npt.NDArray[Any], size: int) -> DoubleArray:
        """(size,) the popularity of all items, given that of training (N + 1,); 0 for newer items."""
        popularity = np.zeros(size)
        np.multiply(trained, self.worth, out=popularity[: len(trained)], dtype=np.float64)
        popularity[self.index] = self.scores
        return popularity


def live_popularity(
    trained: npt.NDArray[Any], trained_at: int, live: Mapping[int, float], now: int
) -> DoubleArray:
    """(N + 1,) what is popular at `now`: `live` scores over those that training found.

    A live score is forward-decayed, so that it only ever grows and need not be aged:

        live_i = sum over actions a of i of weight_a 2^((at_a - ORIGIN) / half_life)

    Both are brought to `now`, which makes them comparable, an action on either side counts the same:

        popularity_i = live_i 2^(-(now - ORIGIN) / half_life)     where there is a live score
                     = trained_i 2^(-(now - trained_at) / half_life)  elsewhere

    A live score counts every action of the lake and of the stream, those that training saw included: it
    takes the place of the trained one.

    Args:
        trained: (N + 1,) `decayed_popularity` at `trained_at` (microseconds).
        live: item index -> score.
        now: microseconds.
    """
    return LivePopularity.at(trained_at, live, now).of(trained, len(trained))


def _worth(micros: int) -> float:
    """What one action counts that is `micros` away, negative = in the past."""
    return float(2.0 ** (micros / DAY / POPULARITY_HALF_LIFE_DAYS))
