"""Days of an account's time zone: which one an instant lies in, and from when to when it lasts.

Days cover the time line without gap or overlap: a day begins at the first instant at which the zone's clocks
show its date, and it ends where the next one begins. So a day has 23 or 25 hours where the clocks are
changed, and none where a zone left the date out (Samoa had no 30th of December 2011). Where clocks go back
over midnight, the repeated minutes are of the new day: a day that has ended never comes back.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from recsys.errors import RequestError, did_you_mean

FIRST_YEAR, LAST_YEAR = 1970, 2200
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)


@lru_cache(maxsize=1024)
def time_zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name.

    Raises:
        RequestError: there is none.

    >>> time_zone("Asia/Shanghai").key
    'Asia/Shanghai'
    """
    try:
        # A machine may have others, such as `localtime`, that mean something else elsewhere.
        if name[:1].isupper():
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    near = did_you_mean(name, available_timezones())
    raise RequestError(
        f"the time zone {name[:60]!r} is unknown.{near} Write one of the IANA database, such as "
        "Europe/Berlin or UTC."
    )


def local_day(at: datetime, zone: tzinfo) -> date:
    """The day of `zone` that the aware instant `at` lies in.

    >>> local_day(datetime(2026, 5, 1, 18, tzinfo=UTC), time_zone("Asia/Shanghai"))
    datetime.date(2026, 5, 2)
    """
    shown = at.astimezone(zone).date()
    return shown + _DAY if at >= day_start(shown + _DAY, zone) else shown


def day_bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """When `day` begins and, not belonging to it, when it ends; both in UTC."""
    return day_start(day, zone), day_start(day + _DAY, zone)


def day_hours(day: date, zone: tzinfo) -> float:
    """How many hours `day` has.

    >>> [day_hours(date(2026, 3, n), time_zone("Europe/Berlin")) for n in (28, 29)]
    [24.0, 23.0]
    """
    start, end = day_bounds(day, zone)
    return (end - start) / timedelta(hours=1)


@lru_cache(maxsize=16_384)
def day_start(day: date, zone: tzinfo) -> datetime:
    """The first instant at which the clocks of `zone` show `day` or a later date, in UTC.

    Raises:
        RequestError: the day is before 1970 or after 2200.
    """
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise RequestError(f"the day {day} is too far away. Give one from {FIRST_YEAR} to {LAST_YEAR}.")
    midnight = datetime.combine(day, time(), zone)
    first, second = (midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:  # midnight comes once, or twice as clocks go back
        return first
    # The clocks leave midnight out; they are changed at some instant after `second` and not after `first`.
    before, after = second, first
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).date() < day:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
