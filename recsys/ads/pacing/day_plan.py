"""The plan of a day: how much of a budget shall have been spent at each instant."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from itertools import accumulate, pairwise

from recsys.ads.campaigns.local_days import day_bounds
from recsys.ads.pacing.forecast import WeeklyForecast
from recsys.errors import RequestError

# Spread evenly over the day whatever the forecast says: so an hour that it takes for empty may spend a
# little, and a forecast of nothing is a plan too.
EVEN_SHARE = 0.01
# A plan ends before its day does: what charges that came late have left over is spent in that time.
FINISH_SECONDS = 900
FINISH_SHARE = 0.1  # of a time that is shorter than ten times that
LEAST_REST = 0.01  # of the budget or of the day: no division by less
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class DayPlan:
    """What a budget shall have spent at each instant of its time on one day.

    Attributes:
        budget_micros: of the whole day.
        edges: (E,) instants from the first to the last at which it plans, an hour or less apart.
        shares: (E,) share of the day's demand before each edge, from 0 to 1.
        from_share: the share at which the budget became what it is; 0 unless it was changed on the day.
        from_micros: what was committed then.
    """

    budget_micros: int
    edges: tuple[datetime, ...]
    shares: tuple[float, ...]
    from_share: float = 0.0
    from_micros: int = 0

    @property
    def ends_at(self) -> datetime:
        """When everything shall have been spent."""
        return self.edges[-1]

    def share(self, at: datetime) -> float:
        """The share of the day's demand that comes before `at`, from 0 to 1; between edges it is linear."""
        if at <= self.edges[0]:
            return 0.0
        if at >= self.edges[-1]:
            return 1.0
        after = bisect_right(self.edges, at)
        start, end = self.edges[after - 1 : after + 1]
        low, high = self.shares[after - 1 : after + 1]
        return low + (high - low) * ((at - start) / (end - start))

    def target_micros(self, at: datetime) -> int:
        """What shall have been spent before `at`, rounded down. Never above the budget."""
        if at >= self.ends_at or self.budget_micros <= self.from_micros:
            return self.budget_micros
        passed = max(self.share(at) - self.from_share, 0.0) / max(1.0 - self.from_share, LEAST_REST)
        return self.from_micros + int((self.budget_micros - self.from_micros) * passed)

    @property
    def pace_micros(self) -> float:
        """Micros planned for the demand of a whole day, at the pace that holds now.

        Without a change on the day it is the budget. It is never 0: where more is committed than a lowered
        budget, holds that end unused leave something to spend.
        """
        left = max(self.budget_micros - self.from_micros, LEAST_REST * self.budget_micros)
        return left / max(1.0 - self.from_share, LEAST_REST)

    def with_budget(self, budget_micros: int, committed_micros: int, now: datetime) -> "DayPlan":
        """The plan from `now` on with another budget: what is left is spread over the demand that is left.

        The past is not planned anew, so that a lowered budget does not stop a campaign that is ahead of where
        the new one would be now, and a raised one is not spent at once.

        Args:
            committed_micros: spent and held.

        Raises:
            RequestError: the budget is not above 0.
        """
        _check_budget(budget_micros)
        return replace(
            self,
            budget_micros=budget_micros,
            from_share=self.share(now),
            from_micros=committed_micros,
        )


def plan_day(
    budget_micros: int,
    day: date,
    zone: tzinfo,
    forecast: WeeklyForecast,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> DayPlan:
    """The plan of `day`, which has 23, 24 or 25 hours in `zone`, by each hour's share of the forecast.

    Args:
        from_at: when the campaign starts on that day; None = with the day.
        until_at: when it ends on that day; None = with the day.

    Raises:
        RequestError: the budget is not above 0, or no time of the day is left.
    """
    _check_budget(budget_micros)
    starts, ends = day_bounds(day, zone)
    starts = starts if from_at is None else max(starts, from_at)
    ends = ends if until_at is None else min(ends, until_at)
    if starts >= ends:
        raise RequestError(f"no time of {day} is from {from_at} to {until_at}. Plan a day that it runs on.")
    ends -= min(timedelta(seconds=FINISH_SECONDS), FINISH_SHARE * (ends - starts))
    edges = _hour_edges(starts, ends)
    return DayPlan(budget_micros, edges, _cumulative_shares(edges, forecast))


def _hour_edges(starts: datetime, ends: datetime) -> tuple[datetime, ...]:
    """`starts`, the full hours after it and `ends`."""
    hour = starts.replace(minute=0, second=0, microsecond=0)
    count = int((ends - hour) / _HOUR) + 1
    inner = (hour + place * _HOUR for place in range(1, count + 1))
    return (starts, *(edge for edge in inner if starts < edge < ends), ends)


def _cumulative_shares(edges: tuple[datetime, ...], forecast: WeeklyForecast) -> tuple[float, ...]:
    demand = [forecast.between(start, end) for start, end in pairwise(edges)]
    even = [(end - start) / (edges[-1] - edges[0]) for start, end in pairwise(edges)]
    total = sum(demand)
    shares = [
        EVEN_SHARE * flat + (1 - EVEN_SHARE) * (value / total if total > 0 else flat)
        for value, flat in zip(demand, even, strict=True)
    ]
    return (0.0, *list(accumulate(shares))[:-1], 1.0)


def _check_budget(budget_micros: int) -> None:
    if budget_micros <= 0:
        raise RequestError(f"a budget of {budget_micros} micros cannot be planned. Give one above 0.")
