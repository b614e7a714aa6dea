"""What "the last N days" means: written once, for the batch tables and for the stream.

A window of N days is a sawtooth window, as in Chronon: its head is exact and its tail hops at UTC midnight.
At the instant t it holds every event with

    midnight(t) - N days <= event.at <= t

so it always covers the last N x 24 hours and at most one day more. An event of day d enters at its own
instant and leaves at the midnight that begins day d + N + 1. A value therefore changes only at events and at
midnights, and one counter a day is all that a stream must keep of what only adds up.

Instants are int64 microseconds since 1970 UTC, days are int64 days since 1970.
"""

from typing import TypeVar

from recsys import columns
from recsys.arrays import IntArray
from recsys.instants import DAY

LONGEST_WINDOW = max(columns.WINDOW_DAYS)

# The windows that features without a number of days in a tuple use.
RATE_DAYS = 30  # click rate and conversion
TREND_DAYS = 7  # trend: this many of the last RATE_DAYS
PROFILE_DAYS = 90  # average price, active days, favourite categories
# From when on an event changes no count any more.
LONGEST_DAYS = max(LONGEST_WINDOW, RATE_DAYS, TREND_DAYS, PROFILE_DAYS)

Days = TypeVar("Days", int, IntArray)


def day_of(at: Days) -> Days:
    """The day that holds the instant `at`.

    >>> day_of(3 * DAY - 1), day_of(3 * DAY)
    (2, 3)
    """
    return at // DAY


def first_day(at: Days, days: int) -> Days:
    """The oldest day that a window of `days` still holds at the instant `at`.

    >>> first_day(10 * DAY + 5, 7)
    3
    """
    return day_of(at) - days


def leaves_at(day: Days, days: int) -> Days:
    """The instant from which events of `day` are no longer in a window of `days`.

    >>> leaves_at(3, 7) == 11 * DAY
    True
    """
    return (day + days + 1) * DAY
