"""What is observed of the stores, the stream and the service: all that problems are judged by."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from recsys.instants import SECOND


@dataclass(frozen=True)
class StoreFacts:
    """The online store.

    Attributes:
        error: why it could not be read, empty where it was.
        owner: short id of the shop that it holds, empty where that is this one or it holds none.
        is_ours: whether it is marked as this shop's; a home without a shop needs no mark.
        has_user_rows, has_item_rows: whether it was given rows of any view of users, of items, in the
            schema of today.
        materialized_at: microseconds at which a view was last materialized into it, None = never.
        memory_bytes: that the server holds. memory_bound_bytes: that it may, 0 = no bound, None = not told.
    """

    error: str = ""
    owner: str = ""
    is_ours: bool = True
    has_user_rows: bool = False
    has_item_rows: bool = False
    materialized_at: int | None = None
    memory_bytes: int = 0
    memory_bound_bytes: int | None = None


@dataclass(frozen=True)
class LakeFacts:
    """The imported and streamed events on disk.

    Attributes:
        imported_at: microseconds of the last import, None where nothing was imported.
        newest_event_at: microseconds; None without events, or where the shop has an order and no clock.
        has_events: false for a catalog alone, of whose users nothing is known yet.
    """

    imported_at: int | None = None
    newest_event_at: int | None = None
    has_events: bool = True


@dataclass(frozen=True)
class StreamFacts:
    """The event stream and its workers.

    Attributes:
        error: why it could not be asked, empty where it was.
        waiting: events that are accepted and not visible.
        waiting_seconds: how long the oldest of them has waited at least; None where that is not known.
        worker_seconds: since the last sign of life of any worker; None where none is known.
        failing: background work of workers that fails.
        received, unknown: events of the last ten minutes, and those about items that are not in the catalog.
        dead_letters: entries that could not be processed, up to a bound.
    """

    error: str = ""
    waiting: int = 0
    waiting_seconds: float | None = None
    worker_seconds: float | None = None
    failing: tuple[str, ...] = ()
    received: int = 0
    unknown: int = 0
    dead_letters: int = 0


@dataclass(frozen=True)
class ServiceFacts:
    """One process of the service.

    Attributes:
        serves: whether a bundle is in service.
        bundle_problem: why the bundle in production is not, empty where it is.
        requests, cold: the last requests that named a user, up to a bound, and those that were cold starts.
        failing: background task -> what its last attempt raised.
        dropped: log of what was served -> records that were lately not written.
        keys_problem: why access keys cannot be read, empty where they can.
        rules_problem: why the shop's rules in force may not be the newest, empty where they are.
        ads_problem: the same of campaigns and of what they have spent.
    """

    serves: bool = True
    bundle_problem: str = ""
    requests: int = 0
    cold: int = 0
    failing: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    keys_problem: str = ""
    rules_problem: str = ""
    ads_problem: str = ""


@dataclass(frozen=True)
class PlacePcoc:
    """Expected clicks over clicks of the ads at one place, with its 95% interval."""

    place: str
    clicks: int
    pcoc: float
    low: float
    high: float


@dataclass(frozen=True)
class ClickDriftFacts:
    """What was measured last of the probabilities that ads were served with.

    Attributes:
        measured_at: microseconds.
    """

    measured_at: int
    places: tuple[PlacePcoc, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Everything that was observed at one instant; what was not looked at is None.

    Attributes:
        at: microseconds.
    """

    at: int
    store: StoreFacts | None = None
    lake: LakeFacts | None = None
    stream: StreamFacts | None = None
    service: ServiceFacts | None = None
    clicks: ClickDriftFacts | None = None

    @property
    def lake_lag_seconds(self) -> float | None:
        """How long the last import has waited to be materialized, 0 where it was; None where not known."""
        if self.lake is None or self.lake.imported_at is None or self.store is None or self.store.error:
            return None
        if (self.store.materialized_at or 0) >= self.lake.imported_at:
            return 0.0
        return max(self.at - self.lake.imported_at, 0) / SECOND

    @property
    def online_lag_seconds(self) -> float | None:
        """How long the oldest of what was accepted, by an import or the stream, has waited to be online."""
        stream = None if self.stream is None or self.stream.error else self.stream.waiting_seconds
        return max((lag for lag in (self.lake_lag_seconds, stream) if lag is not None), default=None)
