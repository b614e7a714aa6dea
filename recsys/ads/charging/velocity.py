"""How fast somebody clicks on ads: more clicks than a person makes are not billed."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from recsys.ads.charging.origin import address_hash
from recsys.ads.charging.reasons import NotBilled

MOST_UNITS = 100_000  # whose clicks are remembered


@dataclass(frozen=True)
class ClickLimit:
    """`clicks` of one unit within `seconds` are billed at most; those above are marked."""

    clicks: int
    seconds: float


@dataclass(frozen=True)
class ClickLimits:
    """Within `seconds` so many clicks are billed at most; those above are marked.

    Attributes:
        unit: of one user or session.
        address: of one address; None = they are not looked at.
        agent: of one agent at one address; None likewise.
    """

    seconds: float
    unit: int
    address: int | None = None
    agent: int | None = None


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


class ClickVelocities:
    """Counts clicks by unit, by address and by agent; for one thread."""

    def __init__(self, limits: ClickLimits) -> None:
        self._units, self._addresses, self._agents = (
            None if clicks is None else ClickVelocity(ClickLimit(clicks, limits.seconds))
            for clicks in (limits.unit, limits.address, limits.agent)
        )

    def exceeded(self, unit: str, origin: str, event_id: str, at: datetime) -> NotBilled | None:
        """The limit that a click is above, as a reason; None where it is above none. Counts it.

        Args:
            origin: see `recsys.ads.charging.origin.hashed_origin`; empty where it is not known.
        """
        counted = [(self._units, unit, NotBilled.VELOCITY)]
        if origin:
            counted += [
                (self._addresses, address_hash(origin), NotBilled.ADDRESS_VELOCITY),
                (self._agents, origin, NotBilled.ADDRESS_VELOCITY),
            ]
        above = [
            reason
            for velocity, key, reason in counted
            if velocity is not None and velocity.is_exceeded(key, event_id, at)
        ]
        return above[0] if above else None
