"""How likely items are clicked and bought in a context, and the simplest answer: smoothed rates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import NamedTuple, Protocol

import numpy as np
from scipy.special import zeta

from recsys.ads.campaigns.targets import Surface
from recsys.arrays import BoolArray, DoubleArray
from recsys.errors import ConfigError, StoreUnavailableError


@dataclass(frozen=True)
class AdContext:
    """Whom ads are chosen for, and what the place is about.

    Attributes:
        unit: see `recsys.experiments.assignment.assignment_unit`.
        now: aware.
        item_id: of the page's item; None where the page is of none.
    """

    surface: Surface
    unit: str
    now: datetime
    user_id: str | None = None
    session_id: str | None = None
    query: str | None = None
    category: str | None = None
    item_id: str | None = None


@dataclass(frozen=True, eq=False)
class ClickEstimates:
    """What a predictor says of K items; (K,) float64 each.

    Attributes:
        attraction: probability of a click where the item is viewed, in [0, 1].
        p_purchase: of a purchase after a click, in [0, 1].
        relevance: how well the item fits the context, in [0, 1]; floors of quality and relevance look at it.
        spread: standard deviation of the attraction's log-odds, from 0: 0 = certain.
        viewed: how often the item was viewed, as far as it is known; exploration asks what is new.
    """

    attraction: DoubleArray
    p_purchase: DoubleArray
    relevance: DoubleArray
    spread: DoubleArray
    viewed: DoubleArray

    def __len__(self) -> int:
        return len(self.attraction)

    def of(self, which: BoolArray) -> "ClickEstimates":
        """Those of the items that `which`, (K,), is true of."""
        return ClickEstimates(*(getattr(self, one.name)[which] for one in fields(self)))


class ClickPredictor(Protocol):
    """Estimates clicks and purchases; immutable, any thread may use it."""

    @property
    def version(self) -> str:
        """Names it in what is logged of each slot."""

    def estimate(self, context: AdContext, items: Sequence[str]) -> ClickEstimates:
        """What is to be expected of each of `items`; one that is not known has the prior."""
        ...

    def examination(self, surface: Surface, slots: int) -> tuple[float, ...]:
        """(slots,) probability that each position is viewed, from the first; never rising, in (0, 1]."""
        ...


class ItemCounts(NamedTuple):
    """Clicks on an item, and how often it was viewed."""

    clicks: int
    viewed: int


def examination_by_power(slots: int, power: float) -> tuple[float, ...]:
    """Position n is viewed with n^-power; the first always.

    Paper: Joachims, Swaminathan and Schnabel 2017, Unbiased Learning-to-Rank (section 6.1).

    >>> [round(each, 2) for each in examination_by_power(4, 0.5)]
    [1.0, 0.71, 0.58, 0.5]
    """
    return tuple(float(place) ** -power for place in range(1, slots + 1))


@dataclass(frozen=True, eq=False)
class WithPrior:
    """A ClickPredictor: `first`, and `prior` while the store that the first one reads does not answer."""

    first: ClickPredictor
    prior: ClickPredictor

    @property
    def version(self) -> str:
        """That of the first one."""
        return self.first.version

    def estimate(self, context: AdContext, items: Sequence[str]) -> ClickEstimates:
        """As the protocol says."""
        try:
            return self.first.estimate(context, items)
        except StoreUnavailableError:
            return self.prior.estimate(context, items)

    def examination(self, surface: Surface, slots: int) -> tuple[float, ...]:
        """As the protocol says; of the first one, so that it does not change with the store."""
        return self.first.examination(surface, slots)


@dataclass(frozen=True, eq=False)
class SmoothedRates:
    """A ClickPredictor: clicks over views of each item, drawn to the rate of its surface.

    The attraction is the mean of Beta(prior rate x strength + clicks, rest x strength + views without a
    click). Views are viewable impressions, so that an item is not blamed for a place that nobody looked at.
    Whom the ads are for and what the place is about does not count: every item fits.

    Attributes:
        rates: prior rate of each surface; `rate` where one is not named.
        counts: by item.
        strength: how many views the prior counts as.
        purchase_rate: of a purchase after a click, of every item.
        examination_power: see `examination_by_power`.

    Raises:
        ConfigError: a rate is not within (0, 1), or the strength not above 0.
    """

    counts: Mapping[str, ItemCounts] = field(default_factory=dict)
    rate: float = 0.02
    rates: Mapping[Surface, float] = field(default_factory=dict)
    strength: float = 100.0
    purchase_rate: float = 0.03
    examination_power: float = 0.5
    version: str = "smoothed-rates"

    def __post_init__(self) -> None:
        for name, rate in (("rate", self.rate), *self.rates.items()):
            if not 0 < rate < 1:
                raise ConfigError(f"the click rate of {name} is {rate}. Give one above 0 and below 1.")
        if not self.strength > 0:
            raise ConfigError(f"strength = {self.strength} is not above 0. Give the views it counts as.")

    def estimate(self, context: AdContext, items: Sequence[str]) -> ClickEstimates:
        """As the protocol says."""
        rate = self.rates.get(context.surface, self.rate)
        found = np.zeros((len(items), 2))
        if self.counts:
            nothing = ItemCounts(0, 0)
            found[:] = [self.counts.get(item, nothing) for item in items]
        clicked = rate * self.strength + found[:, 0]
        passed = (1 - rate) * self.strength + np.maximum(found[:, 1] - found[:, 0], 0.0)
        count = len(items)
        # The variance of the log-odds of a Beta is trigamma(a) + trigamma(b); trigamma(x) = zeta(2, x).
        counted = slice(None) if self.counts else slice(0, 1)  # without counts all are alike
        spread = np.zeros(count)
        spread[:] = np.sqrt(zeta(2, clicked[counted]) + zeta(2, passed[counted]))
        purchase = np.full(count, self.purchase_rate)
        return ClickEstimates(clicked / (clicked + passed), purchase, np.ones(count), spread, found[:, 1])

    def examination(self, surface: Surface, slots: int) -> tuple[float, ...]:
        """As the protocol says; the same on every surface."""
        return examination_by_power(slots, self.examination_power)
