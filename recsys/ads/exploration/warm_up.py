"""Which ads may be explored: those that are new, while their campaign and the shop have a budget for it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import ConfigError


@dataclass(frozen=True)
class WarmUp:
    """The budget of exploration, of each campaign and of the shop as a whole.

    It is counted in impressions or in micros of spend, all numbers in the same one.

    Attributes:
        share: of all that is shown or spent, at most so much goes to explored slots.
        first: beyond that share, so that a campaign that never won anything can begin.
        until_impressions: an ad with as many viewable impressions is new no longer; 0 = every ad is
            explored as far as its spread goes.

    Raises:
        ConfigError: a number is out of range.
    """

    share: float = 0.05
    first: int = 100
    until_impressions: int = 1000

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ConfigError(f"the share of the warm-up, {self.share:g}, is not between 0 and 1.")
        for name in ("first", "until_impressions"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} of the warm-up must be 0 or more (got {getattr(self, name)}).")


@dataclass(frozen=True)
class Explored:
    """What was shown or spent of late in all, and of that in explored slots."""

    total: int = 0
    explored: int = 0


def warm_up_spread(
    spread: DoubleArray,
    impressions: DoubleArray,
    campaign: IntArray,
    used: Mapping[int, Explored],
    shop: Explored,
    warm_up: WarmUp,
) -> DoubleArray:
    """(K,) the spread of ads that may be explored, 0 of all others.

    A request may fill several slots at once, so that a budget is passed by one request's slots at most.

    Args:
        spread, impressions, campaign: (K,) of each ad; impressions are viewable ones.
        used: of each campaign; one that is missing has used nothing.
    """
    if not _has_room(shop, warm_up):
        return np.zeros_like(spread)
    new = impressions < warm_up.until_impressions if warm_up.until_impressions else spread > 0
    return np.where(new & _campaigns_with_room(campaign, used, warm_up), spread, 0.0)


def _campaigns_with_room(campaign: IntArray, used: Mapping[int, Explored], warm_up: WarmUp) -> BoolArray:
    codes, place = np.unique(campaign, return_inverse=True)
    room = [_has_room(used.get(code, Explored()), warm_up) for code in codes.tolist()]
    return np.array(room, bool)[place]


def _has_room(used: Explored, warm_up: WarmUp) -> bool:
    return used.explored < warm_up.share * used.total + warm_up.first
