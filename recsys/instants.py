"""Instants: whole microseconds since 1970 UTC in tables and states, aware datetimes at the edges."""

import time
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000  # microseconds
DAY = 86_400 * SECOND
CLOCK_TOLERANCE = 600 * SECOND  # an instant further ahead of a clock is of another clock that is wrong
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = 2**63 - 1  # microseconds that no clock reaches


def to_micros(at: datetime) -> int:
    """Microseconds from the epoch to `at`, exact: a float of seconds would round.

    Raises:
        ValueError: `at` has no time zone.

    >>> to_micros(datetime(1970, 1, 2, 0, 0, 1, 5, tzinfo=UTC)) == DAY + SECOND + 5
    True
    """
    if at.tzinfo is None:
        raise ValueError(f"the instant {at!r} has no time zone. Give it one, for example tzinfo=UTC.")
    since = at - EPOCH
    return since.days * DAY + since.seconds * SECOND + since.microseconds


def from_micros(micros: int) -> datetime:
    """The aware UTC instant that lies `micros` after the epoch.

    >>> from_micros(DAY)
    datetime.datetime(1970, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return EPOCH + timedelta(microseconds=micros)


def as_utc(instant: datetime) -> datetime:
    """The instant in UTC; one without a zone is taken for UTC.

    >>> as_utc(datetime(2026, 10, 1)).isoformat()
    '2026-10-01T00:00:00+00:00'
    """
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def utc_now() -> datetime:
    """The machine's clock, aware UTC."""
    return datetime.now(UTC)


def now_micros() -> int:
    """The machine's clock in microseconds."""
    return time.time_ns() // 1000
