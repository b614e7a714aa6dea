"""A line when a worker is ready, and one a minute while it works."""

import logging
from collections.abc import Callable

EVERY_SECONDS = 60.0

log = logging.getLogger(__name__)


class WorkLog:
    """Logs what a worker owns whenever that changes, and how much it did; a `report` of the runner.

    Args:
        users: how many partitions users have; the one behind them is the catalog's.
        clock: seconds of any origin.
    """

    def __init__(self, users: int, clock: Callable[[], float]) -> None:
        self._users, self._clock = users, clock
        self._owned: frozenset[int] | None = None
        self._done, self._since = 0, clock()

    def __call__(self, partitions: frozenset[int], entries: int) -> None:
        """Takes note of a round that processed so many entries."""
        if partitions != self._owned:
            self._owned = partitions
            log.info("ready: %s", describe_partitions(partitions, self._users))
        self._done += entries
        seconds = self._clock() - self._since
        if seconds >= EVERY_SECONDS:
            log.info("%d events in the last %.0f s", self._done, seconds)
            self._done, self._since = 0, self._clock()


def describe_partitions(owned: frozenset[int], users: int) -> str:
    """Partitions in words.

    >>> describe_partitions(frozenset({0, 1, 2, 5, 8}), users=8)
    'works on partitions 0-2,5 and the catalog'
    >>> describe_partitions(frozenset(), users=8)
    'waits, other workers have all partitions'
    """
    if not owned:
        return "waits, other workers have all partitions"
    runs: list[list[int]] = []
    for partition in sorted(owned - {users}):
        if runs and partition == runs[-1][1] + 1:
            runs[-1][1] = partition
        else:
            runs.append([partition, partition])
    named = ",".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)
    parts = ([f"partitions {named}"] if named else []) + (["the catalog"] if users in owned else [])
    return f"works on {' and '.join(parts)}"
