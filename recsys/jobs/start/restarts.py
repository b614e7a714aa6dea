"""When a program that ended is started again: pure, the clock is an argument."""

from dataclasses import dataclass, replace

MOST_RESTARTS, WITHIN_SECONDS = 5, 60.0
WAIT_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)  # before the first restart within a minute, the second, ...
FULL_DISK_SECONDS = (1.0, 2.0, 5.0, 10.0)  # between two looks at a full disk; the last one again and again


@dataclass(frozen=True)
class Restarts:
    """What one program has behind it.

    Attributes:
        deaths: seconds of any clock at which it ended, those of the last minute that count.
        full: how often in a row the disk was found full since it ended.
    """

    deaths: tuple[float, ...] = ()
    full: int = 0


def after_end(past: Restarts, now: float, disk_full: bool) -> tuple[Restarts, float | None]:
    """What a program has behind it that ended at `now`, and when to start it again; None: not any more.

    An end on a full disk does not count: no program can help that, and it passes when there is room.

    >>> after_end(Restarts(), 100.0, disk_full=False)
    (Restarts(deaths=(100.0,), full=0), 100.2)
    >>> after_end(Restarts(deaths=(96.0, 97.0, 98.0, 99.0, 99.5)), 100.0, disk_full=False)[1] is None
    True
    """
    if disk_full:
        return while_full(past, now)
    recent = tuple(each for each in past.deaths if now - each < WITHIN_SECONDS)
    deaths = (*recent, now)
    at = now + WAIT_SECONDS[len(recent)] if len(recent) < MOST_RESTARTS else None
    return Restarts(deaths), at


def while_full(past: Restarts, now: float) -> tuple[Restarts, float]:
    """The same where the disk is full at `now`: when to look again."""
    wait = FULL_DISK_SECONDS[min(past.full, len(FULL_DISK_SECONDS) - 1)]
    return replace(past, full=past.full + 1), now + wait
