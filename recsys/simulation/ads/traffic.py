"""Requests of simulated shoppers hour by hour, with all that chance decides about them drawn beforehand.

Every policy meets the same requests and the same draws: whether an ad would be clicked in a request does not
depend on who else is shown, so the difference of two policies has less noise than either.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from recsys.ads.pacing.forecast import HOURS_OF_WEEK, WeeklyForecast
from recsys.arrays import DoubleArray, IntArray
from recsys.instants import DAY, SECOND
from recsys.simulation.rhythm import HOUR, rate_at

Draws = npt.NDArray[np.float32]
BLOCK = 2048  # requests that are drawn at a time: bounds the memory
HOUR_SECONDS = 3600
_MONDAY = 4 * DAY  # 1970-01-05


@dataclass(frozen=True, eq=False)
class Requests:
    """B requests in the order of time.

    Attributes:
        first: the number of the first of them in the simulation.
        at: (B,) seconds after the beginning. shopper, page: (B,).
        take_part: (B, C) a campaign's pacing draw. click: (B, A) an ad is clicked, if it is looked at, where
            this is below its attraction. look: (B, slots) a slot is looked at where this is below its
            examination. buy: (B, slots).
        delay: (B, slots) standard normal, of how long a click takes. buy_delay: (B, slots) uniform.
    """

    first: int
    at: DoubleArray
    shopper: IntArray
    page: IntArray
    take_part: Draws
    click: Draws
    look: Draws
    buy: Draws
    delay: Draws
    buy_delay: Draws

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, eq=False)
class Traffic:
    """What requests are drawn from.

    Attributes:
        starts: a full hour in UTC. requests: of all hours together, exactly.
        hour_noise: standard deviation of the log of an hour's traffic around the forecast.
        activity: (S,) how often each shopper comes. page_weights: (P,); both sum to 1.
        campaigns, ads, slots: how many draws a request needs.
    """

    starts: datetime
    hours: int
    requests: int
    seed: int
    activity: DoubleArray
    page_weights: DoubleArray
    campaigns: int
    ads: int
    slots: int
    hour_noise: float = 0.15

    def by_hour(self) -> IntArray:
        """(hours,) how many requests come in each."""
        rng = np.random.default_rng([self.seed, 0])
        begin = round(self.starts.timestamp()) * SECOND
        rates = np.array([rate_at(begin + hour * HOUR) for hour in range(self.hours)])
        rates *= np.exp(rng.normal(0, self.hour_noise, self.hours))
        return rng.multinomial(self.requests, rates / rates.sum())

    def blocks(self) -> Iterator[Requests]:
        """All requests, a block at a time; equal arguments give equal requests."""
        first = 0
        for hour, count in enumerate(self.by_hour().tolist()):
            rng = np.random.default_rng([self.seed, 1 + hour])
            at = np.sort(rng.uniform(hour * HOUR_SECONDS, (hour + 1) * HOUR_SECONDS, count))
            for start in range(0, count, BLOCK):
                yield self._block(first + start, at[start : start + BLOCK], rng)
            first += count

    def _block(self, first: int, at: DoubleArray, rng: np.random.Generator) -> Requests:
        count = len(at)

        def uniform(width: int) -> Draws:
            return rng.random((count, width), np.float32)

        return Requests(
            first=first,
            at=at,
            shopper=_drawn(self.activity, count, rng),
            page=_drawn(self.page_weights, count, rng),
            take_part=uniform(self.campaigns),
            click=uniform(self.ads),
            look=uniform(self.slots),
            buy=uniform(self.slots),
            delay=rng.standard_normal((count, self.slots), np.float32),
            buy_delay=uniform(self.slots),
        )


def weekly_forecast() -> WeeklyForecast:
    """What the shop expects of its traffic: the rhythm without its chance."""
    return WeeklyForecast(tuple(rate_at(_MONDAY + hour * HOUR) for hour in range(HOURS_OF_WEEK)))


def _drawn(weights: DoubleArray, count: int, rng: np.random.Generator) -> IntArray:
    """(count,) indices by their weights."""
    places = np.searchsorted(np.cumsum(weights), rng.random(count), side="right")
    return np.minimum(places, len(weights) - 1).astype(np.int64)
