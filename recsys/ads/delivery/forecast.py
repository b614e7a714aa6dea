"""What a campaign is to be expected to deliver a day, from the demand of the last days: with an interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys.ads.campaigns.bidding import IMPRESSIONS_OF_CPM, Pricing
from recsys.ads.campaigns.targets import Surface
from recsys.ads.delivery.report import DayReport
from recsys.arrays import DoubleArray
from recsys.documents import JsonObject

DRAWS = 4000  # possible days
_LOW, _HIGH = 10, 90  # percentiles of the interval


@dataclass(frozen=True)
class SurfaceDemand:
    """What a surface brought.

    Attributes:
        requests: for ads, of each of the last days; the same days on every surface.
        asked: requests that were looked at. met: those of them that met the targets.
    """

    surface: Surface
    requests: tuple[int, ...]
    asked: int
    met: int


@dataclass(frozen=True)
class Share:
    """`count` of `of`, with what is assumed before anything was counted: `prior` of `strength` more.

    The share is drawn from Beta(count + prior x strength, rest + (1 - prior) x strength).
    """

    count: float
    of: float
    prior: float = 0.5
    strength: float = 1.0

    def draw(self, rng: np.random.Generator, draws: int) -> DoubleArray:
        """(draws,) float64 possible values, in [0, 1]."""
        lost = max(self.of - self.count, 0.0)
        drawn: DoubleArray = rng.beta(
            self.count + self.prior * self.strength, lost + (1 - self.prior) * self.strength, draws
        )
        return drawn


@dataclass(frozen=True)
class ForecastBasis:
    """What a forecast is made from.

    Attributes:
        wins: requests in which it is shown, of those that meet its targets while its budget lasts.
        billed: events that are billed, of the requests in which an ad is shown. clicks: the same of clicks.
        price_micros: what a billed event costs; of cpm a thousand of them.
        budget_micros: what may be spent in a day; None = no bound.
        assumptions: what was assumed, for people.
    """

    demand: tuple[SurfaceDemand, ...]
    wins: Share
    billed: Share
    clicks: Share
    pricing: Pricing
    price_micros: int
    budget_micros: int | None
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """A mean, and the bounds that 8 of 10 days lie within."""

    expected: float
    low: float
    high: float

    def to_json(self) -> JsonObject:
        """The three numbers."""
        return dict(vars(self))


@dataclass(frozen=True)
class Forecast:
    """What a campaign delivers a day.

    Attributes:
        matched: requests that meet its targets. impressions: of them, those in which it is shown.
        budget_share: the part of the day's budget that is spent; None without one.
    """

    matched: Estimate
    impressions: Estimate
    clicks: Estimate
    billed: Estimate
    spend_micros: Estimate
    budget_share: Estimate | None
    assumptions: tuple[str, ...]

    def to_json(self) -> JsonObject:
        """What is kept and printed."""
        share = self.budget_share
        return {
            **{name: getattr(self, name).to_json() for name in _ESTIMATES},
            "budget_share": None if share is None else share.to_json(),
            "assumptions": list(self.assumptions),
        }


_ESTIMATES = ("matched", "impressions", "clicks", "billed", "spend_micros")


def forecast(basis: ForecastBasis, rng: np.random.Generator) -> Forecast:
    """The forecast, by simulated days: demand as on one of the last days, shares as uncertain as they are.

    Where a day's budget is spent before the day is over, impressions and clicks end with it.
    """
    matched = _matched(basis.demand, rng)
    shown = rng.binomial(matched, basis.wins.draw(rng, DRAWS)).astype(np.float64)
    counted = shown.astype(np.int64)
    billed = rng.binomial(counted, basis.billed.draw(rng, DRAWS)).astype(np.float64)
    # Where clicks are billed they are those events, not others like them.
    clicks = billed if basis.pricing == "cpc" else rng.binomial(counted, basis.clicks.draw(rng, DRAWS))
    price = basis.price_micros / (IMPRESSIONS_OF_CPM if basis.pricing == "cpm" else 1)
    spend = billed * price
    budget = np.inf if basis.budget_micros is None else float(basis.budget_micros)
    served = np.divide(budget, spend, out=np.ones(DRAWS), where=spend > budget)
    spend = spend * served
    return Forecast(
        matched=_estimate(matched),
        impressions=_estimate(shown * served),
        clicks=_estimate(clicks * served),
        billed=_estimate(billed * served),
        spend_micros=_estimate(spend),
        budget_share=None if basis.budget_micros is None else _estimate(spend / budget),
        assumptions=basis.assumptions,
    )


@dataclass(frozen=True)
class ForecastError:
    """What was expected of a day beside what came of it. `within`: whether that is in the interval."""

    expected: float
    actual: int
    within: bool

    def to_json(self) -> JsonObject:
        """The numbers, and by how much the day was above what was expected."""
        return {**vars(self), "error": self.actual - self.expected}


def forecast_errors(made: Forecast, day: DayReport) -> dict[str, ForecastError]:
    """`impressions`, `clicks` where they are known, and `spend_micros` -> how far off the forecast was."""
    actual = {
        "impressions": day.waterfall.won,
        "clicks": day.clicks,
        "spend_micros": day.spend_micros,
    }
    found: dict[str, ForecastError] = {}
    for name, came in actual.items():
        estimate: Estimate = getattr(made, name)
        if came is not None:
            within = estimate.low <= came <= estimate.high
            found[name] = ForecastError(estimate.expected, came, within)
    return found


def forecast_of(document: Mapping[str, Any]) -> Forecast:
    """What `Forecast.to_json` wrote.

    Raises:
        KeyError, TypeError: it is none of this version.
    """
    share = document["budget_share"]
    return Forecast(
        **{name: Estimate(**document[name]) for name in _ESTIMATES},
        budget_share=None if share is None else Estimate(**share),
        assumptions=tuple(document["assumptions"]),
    )


def _matched(
    demand: Sequence[SurfaceDemand], rng: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(draws,) requests of a day that meet the targets."""
    found = np.zeros(DRAWS)
    days = len(demand[0].requests) if demand else 0
    if days == 0:
        return found.astype(np.int64)
    day = rng.integers(days, size=DRAWS)
    for each in demand:
        found += np.array(each.requests)[day] * _target_share(each, rng)
    return np.round(found).astype(np.int64)


def _target_share(demand: SurfaceDemand, rng: np.random.Generator) -> DoubleArray:
    """(draws,) possible shares of the requests that meet the targets: none where none did, all where all."""
    if demand.met in (0, demand.asked):
        return np.full(DRAWS, float(demand.met > 0))
    return Share(demand.met, demand.asked).draw(rng, DRAWS)


def _estimate(drawn: np.ndarray[Any, Any]) -> Estimate:
    low, high = np.percentile(drawn, [_LOW, _HIGH])
    return Estimate(float(np.mean(drawn)), float(low), float(high))
