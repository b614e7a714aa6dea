"""What a user's own actions say of the items that they were on: how often, how long ago, how due they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.dataset.interactions import Histories

DAY_SECONDS = 86_400
LATEST = 100  # actions whose neighbours count
EACH_ONCE = 0.0  # instead of a decay: an item counts once, whenever and however often it was taken
OWN_HALF_LIFE_DAYS = 28.0  # of an own action, where there is a clock


@dataclass(frozen=True)
class Actions:
    """The A actions of R histories, end to end, each user's from the oldest on.

    Attributes:
        user, item, at_seconds: (A,) of each.
        first: (A,) the flat index of its user's item 0. flat: (A,) its own.
        back: (A,) moments between it and its user's last one.
        latest: (A,) whether it is one of its user's LATEST.
        counts: (R,) float32 actions. ends: (R,) where each user's actions end.
    """

    user: IntArray
    item: IntArray
    at_seconds: IntArray
    first: IntArray
    flat: IntArray
    back: IntArray
    latest: BoolArray
    counts: FloatArray
    ends: IntArray

    @classmethod
    def of(cls, histories: Histories, size: int) -> "Actions":
        """The actions of `histories` over a catalog of `size` items, padding included."""
        places = np.flatnonzero(histories.items)  # (A,) of the rows end to end
        user = places // histories.items.shape[1]
        item, at_seconds = histories.items.ravel()[places], histories.at_seconds.ravel()[places]  # (A,)
        counts = np.bincount(user, minlength=len(histories))
        ends = np.cumsum(counts)
        last = ends[user] - 1  # (A,) the same user's last action
        first = user * size
        return cls(
            user=user,
            item=item,
            at_seconds=at_seconds,
            first=first,
            flat=first + item,
            back=moments_back(at_seconds, last),
            latest=last - np.arange(len(user)) < LATEST,
            counts=counts.astype(np.float32),
            ends=ends,
        )


@dataclass(frozen=True)
class LatestItems:
    """The H distinct items of the latest actions of R users, with the weight that each has as a source.

    A household that bought an item ten times looks its neighbours up once.

    Attributes:
        item: (H,). first: (H,) the flat index of its user's item 0.
        weights: decay -> (H,) sum over the item's latest actions of decay^(moments back); EACH_ONCE -> ones.
    """

    item: IntArray
    first: IntArray
    weights: Mapping[float, DoubleArray]

    @classmethod
    def of(cls, actions: Actions, decays: Sequence[float]) -> "LatestItems":
        """The items of those `actions` that are among their user's latest."""
        latest = np.flatnonzero(actions.latest)
        _, place, item = np.unique(actions.flat[latest], return_index=True, return_inverse=True)
        chosen, back = latest[place], actions.back[latest]
        weights = {decay: sum_by_slot(item, decay**back, len(place)) for decay in decays}
        weights[EACH_ONCE] = np.ones(len(place))
        return cls(actions.item[chosen], actions.first[chosen], weights)


def sum_by_slot(slots: IntArray, weights: npt.NDArray[Any], width: int) -> DoubleArray:
    return np.bincount(slots, weights, width).astype(np.float64, copy=False)


def habit_signals(
    own: IntArray, actions: Actions, request_at: IntArray, clock: bool, width: int
) -> tuple[DoubleArray, DoubleArray]:
    """(P + 1,) 1 / (1 + moments since the last action) at own slots (A,), and how due the item is.

        due = log((time since the last) / (mean time between)), for an item taken at two instants or more;
        0 elsewhere, and where there is no clock.

    Args:
        request_at: (A,) the instant of each action's request.
    """
    last, due = (np.zeros(width) for _ in range(2))
    last[own] = 1 / (1.0 + actions.back)  # oldest first: the last write wins
    if not clock or len(own) < 2:
        return last, due
    order = np.lexsort((actions.at_seconds, own))
    item, at = own[order], actions.at_seconds[order]
    first = np.flatnonzero(np.append(True, item[1:] != item[:-1]))
    new = np.append(True, (item[1:] != item[:-1]) | (at[1:] != at[:-1]))
    moments = np.add.reduceat(new.astype(np.int64), first)
    final = np.append(first[1:], len(item)) - 1
    several = moments > 1
    gap = (at[final] - at[first])[several] / (moments[several] - 1)
    since = np.maximum((request_at[order] - at)[final][several], 1)
    due[item[first][several]] = np.log(since / np.maximum(gap, 1))
    return last, due


def count_signals(
    own: IntArray, actions: Actions, request_at: IntArray, clock: bool, width: int
) -> tuple[DoubleArray, DoubleArray]:
    """(P + 1,) own actions at own slots (A,), and the same halved every OWN_HALF_LIFE_DAYS by their age.

    Where there is no clock both are the plain count.
    """
    ones = np.ones(len(own))
    count = sum_by_slot(own, ones, width)
    if not clock:
        return count, count
    age = np.maximum(request_at - actions.at_seconds, 0)
    return count, sum_by_slot(own, np.exp2(-age / (OWN_HALF_LIFE_DAYS * DAY_SECONDS)), width)


def moments_back(at_seconds: IntArray, last: IntArray | int = -1) -> IntArray:
    """(H,) how many distinct instants lie between an action and the last one; `at_seconds` ascends.

    Args:
        last: (H,) the place of each action's last one, where there are several users.

    >>> moments_back(np.array([10, 10, 30, 40])).tolist()
    [2, 2, 1, 0]
    """
    if not len(at_seconds):
        return np.zeros(0, np.int64)
    moment = np.cumsum(np.append(False, at_seconds[1:] != at_seconds[:-1]))
    back: IntArray = (moment[last] - moment).astype(np.int64)
    return back
