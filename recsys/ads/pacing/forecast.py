"""How much demand each hour of a week brings: what the plan of a day is spread by."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate

import numpy as np

from recsys.errors import DataError

HOURS_OF_WEEK, HOURS_OF_DAY = 168, 24
LOOK_BACK = timedelta(days=28)  # that demand is measured over
LEAST_DAYS = 7  # of it, below which nothing is known of a week
PRIOR_WEEKS = 1.0  # that an hour's mean over all days counts as, beside those of its own day of the week
_HOUR = timedelta(hours=1)
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class WeeklyForecast:
    """Expected demand in each hour of a week in UTC, in any unit; only its proportions count.

    It is in UTC because shoppers do not move with an advertiser's clocks. Where a share of the traffic is
    held out of advertising, count only the rest.

    Attributes:
        demand: (168,) numbers from 0; the first is that of Monday, 00:00 to 01:00.

    Raises:
        DataError: there are not 168, or one is negative or not a number.
    """

    demand: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.demand) != HOURS_OF_WEEK:
            raise DataError(
                f"a forecast has {len(self.demand)} values, a week {HOURS_OF_WEEK} hours. Give one an hour."
            )
        for hour, value in enumerate(self.demand):
            if not 0 <= value < math.inf:
                raise DataError(f"the demand of hour {hour} is {value}. Give a number from 0.")

    @classmethod
    def of_day(cls, demand: Sequence[float]) -> "WeeklyForecast":
        """The same (24,) hours in UTC on every day of the week."""
        return cls(tuple(demand) * (HOURS_OF_WEEK // HOURS_OF_DAY))

    @classmethod
    def even(cls) -> "WeeklyForecast":
        """The same demand in each hour."""
        return cls.of_day([1.0] * HOURS_OF_DAY)

    @classmethod
    def of_requests(cls, requests: Mapping[datetime, int], end: datetime) -> "WeeklyForecast":
        """Each hour of the week as it was on average, drawn towards the mean of that hour over all days.

            demand(day, hour) = (sum over the weeks + PRIOR_WEEKS mean(hour)) / (weeks + PRIOR_WEEKS)

        Even where less than LEAST_DAYS were counted: a plan by the hours of two days would follow chance.

        Args:
            requests: begin of an hour -> how many it brought. Hours between the first and `end` that are
                not there brought none.
            end: midnight in UTC, before which they were counted.
        """
        counted = [hour for hour in requests if hour < end]
        days = int((end - min(counted)) / timedelta(days=1)) if counted else 0
        if days < LEAST_DAYS:
            return cls.even()
        start = end - timedelta(days=days)
        by_day = np.zeros((days, HOURS_OF_DAY))
        for hour in counted:
            if hour >= start:
                day, of_day = divmod(int((hour - start) / _HOUR), HOURS_OF_DAY)
                by_day[day, of_day] += requests[hour]
        weekday = (start.weekday() + np.arange(days)) % 7
        of_hours = by_day.mean(axis=0)
        demand = [
            (by_day[weekday == each].sum(axis=0) + PRIOR_WEEKS * of_hours)
            / ((weekday == each).sum() + PRIOR_WEEKS)
            for each in range(7)
        ]
        return cls(tuple(np.concatenate(demand).tolist()))

    def between(self, start: datetime, end: datetime) -> float:
        """The demand from `start` to `end`; within an hour it is even.

        >>> WeeklyForecast.of_day([1.0] * 12 + [3.0] * 12).between(
        ...     datetime(2026, 5, 1, 11, 30, tzinfo=UTC), datetime(2026, 5, 1, 13, tzinfo=UTC)
        ... )
        3.5
        """
        weeks, first = divmod((start - _MONDAY) / _HOUR, HOURS_OF_WEEK)
        last = (end - _MONDAY) / _HOUR - weeks * HOURS_OF_WEEK
        return self._until(last) - self._until(first)

    def _until(self, hours: float) -> float:
        weeks, rest = divmod(hours, HOURS_OF_WEEK)
        whole = int(rest)
        return weeks * self._sums[-1] + self._sums[whole] + (rest - whole) * self.demand[whole]

    @cached_property
    def _sums(self) -> tuple[float, ...]:
        return (0.0, *accumulate(self.demand))
