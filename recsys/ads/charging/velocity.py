"""How fast somebody clicks on ads: more clicks than a person makes are not billed."""

from collections import OrderedDict, deque
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

    It forgets with the process: after a restart the clicks before it do not count.
    """

    def __init__(self, limit: ClickLimit) -> None:
        self._limit = limit
        self._window = timedelta(seconds=limit.seconds)
        # The unit that clicked last is last; of each its last clicks: when, and the ids of their events.
        self._clicks: OrderedDict[str, deque[tuple[datetime, str]]] = OrderedDict()

    def is_exceeded(self, unit: str, event_id: str, at: datetime) -> bool:
        """Whether the unit clicked often enough within the window before `at`; counts this click too.

        An event that is told twice, as its client did not hear that it was accepted, is one click.
        """
        clicks = self._clicks.setdefault(unit, deque(maxlen=self._limit.clicks))
        self._clicks.move_to_end(unit)
        if any(event_id == known for _, known in clicks):
            return False
        exceeded = len(clicks) == self._limit.clicks and at - clicks[0][0] < self._window
        clicks.append((at, event_id))
        if len(self._clicks) > MOST_UNITS:
            self._clicks.popitem(last=False)
        return exceeded
