"""How fast somebody clicks on ads: more clicks than a person makes are not billed."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

MOST_UNITS = 100_000  # whose clicks are remembered


@dataclass(frozen=True)
class ClickLimit:
    """`clicks` of one unit within `seconds` are billed at most; those above are marked."""

    clicks: int
    seconds: float


class ClickVelocity:
    """Counts clicks on ads by unit, in the order in which they are told; for one thread.

    It forgets with the process: a new one is told the clicks before it.
    """

    def __init__(self, limit: ClickLimit) -> None:
        self._limit = limit
        self._window = timedelta(seconds=limit.seconds)
        # The unit that clicked last is last; of each its last clicks, by the ids of their events.
        self._clicks: OrderedDict[str, dict[str, datetime]] = OrderedDict()

    def is_exceeded(self, unit: str, event_id: str, at: datetime) -> bool:
        """Whether the unit clicked often enough within the window before `at`; counts this click too.

        An event that is told twice, as its client did not hear that it was accepted, is one click.
        """
        clicks = self._clicks.setdefault(unit, {})
        self._clicks.move_to_end(unit)
        if event_id in clicks:
            return False
        exceeded = False
        if len(clicks) == self._limit.clicks:
            first = next(iter(clicks))
            exceeded = at - clicks.pop(first) < self._window
        clicks[event_id] = at
        if len(self._clicks) > MOST_UNITS:
            self._clicks.popitem(last=False)
        return exceeded
