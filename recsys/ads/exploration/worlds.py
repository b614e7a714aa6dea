"""The attractions that a request might have used, each with its chance, and the one that it uses."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from recsys.ads.exploration.draws import AdDraws
from recsys.ads.exploration.rule import ExplorationRule
from recsys.arrays import DoubleArray
from recsys.errors import DataError

_EDGE = 1e-9  # a probability of 0 or 1 has no log-odds


@dataclass(frozen=True, eq=False)
class Worlds:
    """W possible attractions of K ads.

    Attributes:
        attractions: (W, K). chances: (W,), their sum is 1. used: which of them this request uses.
    """

    attractions: DoubleArray
    chances: DoubleArray
    used: int

    def __len__(self) -> int:
        return len(self.chances)

    @property
    def attraction(self) -> DoubleArray:
        """(K,) what this request uses."""
        found: DoubleArray = self.attractions[self.used]
        return found


def explored_attraction(
    attraction: DoubleArray, spread: DoubleArray, draws: AdDraws, rule: ExplorationRule
) -> tuple[DoubleArray, Worlds]:
    """(K,) the attraction that the auction uses, and what it could have been, for `slot_propensities`.

    The auction ranks and prices by it, so that each price is still the least bid that keeps the slot. What is
    logged, billed by and measured as p_click stays the attraction that is expected. Pacing comes before: an
    ad that does not take part is not drawn.

    Args:
        attraction: (K,) as expected, in [0, 1].
        spread: (K,) standard deviation of its log-odds; 0 = certain or not to be explored: it stays.

    Raises:
        DataError: a spread is negative or no number.
    """
    if not np.all((spread >= 0) & np.isfinite(spread)):
        wrong = spread[~((spread >= 0) & np.isfinite(spread))][0]
        raise DataError(f"spread {wrong} is not 0 or more. Correct it where attraction is predicted.")
    if rule.by == "none" or not spread.any():
        return attraction, Worlds(attraction[None], np.ones(1), 0)
    moved = rule.deviations * spread
    if rule.by == "upper":
        attractions = np.stack([attraction, _moved(attraction, moved)])
        chances = np.array([1 - rule.share, rule.share])
    else:
        attractions = _moved(attraction, moved * draws.normals(rule.draws))
        chances = np.full(rule.draws, 1 / rule.draws)
    used = min(int(np.searchsorted(np.cumsum(chances), draws.uniform(), "right")), len(chances) - 1)
    return attractions[used], Worlds(attractions, chances, used)


def _moved(attraction: DoubleArray, by: DoubleArray) -> DoubleArray:
    """Attraction with log-odds moved by so much; not touched where by 0."""
    log_odds = logit(np.clip(attraction, _EDGE, 1 - _EDGE))
    return np.where(by == 0, attraction, expit(log_odds + by))
