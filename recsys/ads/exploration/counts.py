"""How many slots a process showed today, and how many exploration gave: what warm-up is bounded by."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from threading import Lock

from recsys.ads.exploration.warm_up import Explored

_NOTHING = Explored()


class ExplorationCounts:
    """Counts of slots of one day (UTC), by campaign and in all; any thread may use them.

    They begin anew with each day and each process, so the budget of a warm-up is one of a process and a day.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._day: date | None = None
        self._campaigns: dict[str, Explored] = {}
        self._shop = _NOTHING

    def used(self, now: datetime, campaigns: Mapping[int, str]) -> tuple[dict[int, Explored], Explored]:
        """What each campaign has used today, by its number, and what all have.

        Args:
            campaigns: number -> id, of those that are asked for.
        """
        with self._lock:
            self._begin(now)
            found = {number: self._campaigns.get(name, _NOTHING) for number, name in campaigns.items()}
            return found, self._shop

    def note(self, now: datetime, slots: Iterable[tuple[str, bool]]) -> None:
        """Counts slots that are shown: the campaign of each, and whether it was explored."""
        with self._lock:
            self._begin(now)
            for campaign, explored in slots:
                self._campaigns[campaign] = _with(self._campaigns.get(campaign, _NOTHING), explored)
                self._shop = _with(self._shop, explored)

    def _begin(self, now: datetime) -> None:
        day = now.astimezone(UTC).date()
        if self._day is None or day > self._day:
            self._day, self._campaigns, self._shop = day, {}, _NOTHING


def _with(used: Explored, explored: bool) -> Explored:
    return Explored(used.total + 1, used.explored + explored)
