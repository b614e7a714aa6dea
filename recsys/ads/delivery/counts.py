"""How often each campaign left a request at which step: counted in memory, by hour and surface."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt

from recsys.ads.campaigns.targets import Surface
from recsys.ads.delivery.campaign_steps import STEP_OF_CODE, STEPS, CampaignSteps
from recsys.ads.delivery.steps import Step
from recsys.arrays import IntArray
from recsys.instants import as_utc

HOUR = timedelta(hours=1)
FLUSH_SECONDS = 1.0  # how often counts are written: what a killed process loses
SILENT_SECONDS = 60.0  # a process that wrote nothing for so long, and did not say that it ended, was killed

StepCounts = Mapping[tuple[str, Step], int]
"""Campaign id and step -> requests that the campaign left there."""


class DeliveryCounter(Protocol):
    """Counts what became of ads; any thread may use it, and it never fails."""

    def count(self, at: datetime, surface: Surface, steps: CampaignSteps, holdout: bool) -> None:
        """One served request.

        Args:
            at: when; aware.
            steps: where campaigns left; only those whose targets the request met.
            holdout: whether its unit is held out, so that nothing was shown.
        """
        ...


@dataclass(frozen=True)
class CountedHour:
    """What was counted in one hour on one surface.

    Attributes:
        hour: its begin, UTC. holdout: whether of requests that are held out, which are counted apart.
        requests: all that were served, whatever ads they met.
    """

    hour: datetime
    surface: Surface
    holdout: bool
    requests: int
    steps: StepCounts


@dataclass(frozen=True)
class CountingProcess:
    """A process that counts.

    Attributes:
        flushed_at: when it last wrote what it had counted. ended_at: when it ended by itself; None = it runs,
            or was killed.
    """

    process: str
    started_at: datetime
    flushed_at: datetime
    ended_at: datetime | None = None

    def was_killed(self, now: datetime) -> bool:
        """Whether it ended without writing its last counts, as far as that can be told at `now`."""
        return self.ended_at is None and (now - self.flushed_at).total_seconds() > SILENT_SECONDS


def lost_seconds(processes: Iterable[CountingProcess], now: datetime) -> float:
    """Seconds of one process's requests that are at most missing: each killed process had one more to write.

    While the database is away nothing is written, and a process that is killed then loses all since it
    last wrote.
    """
    return FLUSH_SECONDS * sum(each.was_killed(now) for each in processes)


def hour_of(at: datetime) -> datetime:
    """The begin, in UTC, of the hour that the aware instant `at` lies in.

    >>> from datetime import UTC
    >>> hour_of(datetime(2026, 5, 1, 12, 34, tzinfo=UTC)).isoformat()
    '2026-05-01T12:00:00+00:00'
    """
    return as_utc(at).replace(minute=0, second=0, microsecond=0)


@dataclass
class _Tally:
    """`steps`: by the identity of the campaigns' ids these, and (C, S) how many left at which step."""

    requests: int = 0
    steps: dict[int, tuple[npt.NDArray[np.object_], IntArray]] = field(default_factory=dict)

    def add(self, steps: CampaignSteps) -> None:
        """Counts one request."""
        self.requests += 1
        if len(steps):
            names = steps.campaign_ids
            empty = (names, np.zeros((len(names), len(STEPS)), np.int64))
            _, counts = self.steps.setdefault(id(names), empty)
            counts[steps.numbers, steps.codes] += 1

    def step_counts(self) -> StepCounts:
        """How many requests each campaign left at each step."""
        found: Counter[tuple[str, Step]] = Counter()
        for names, counts in self.steps.values():
            rows, codes = np.nonzero(counts)
            keys = zip(names[rows].tolist(), STEP_OF_CODE[codes].tolist(), strict=True)
            found.update(dict(zip(keys, counts[rows, codes].tolist(), strict=True)))
        return found


class DeliveryCounts(DeliveryCounter):
    """Counts in memory until they are taken: as many numbers as campaigns, however many requests come."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[datetime, Surface, bool], _Tally] = {}
        self._lock = Lock()

    def count(self, at: datetime, surface: Surface, steps: CampaignSteps, holdout: bool) -> None:
        """One served request; see `DeliveryCounter.count`. 0.02 ms of 1,000 campaigns."""
        key = (hour_of(at), surface, holdout)
        with self._lock:
            self._tallies.setdefault(key, _Tally()).add(steps)

    def take(self) -> tuple[CountedHour, ...]:
        """What was counted since the last call, by hour, surface and hold-out."""
        with self._lock:
            taken, self._tallies = self._tallies, {}
        return tuple(
            CountedHour(*key, taken[key].requests, taken[key].step_counts()) for key in sorted(taken)
        )
