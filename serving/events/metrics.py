"""What Prometheus can ask of the event stream."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from recsys.streaming.stream import PartitionStatus

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Freshness(Protocol):
    """How long the last minutes' events took from accepted to visible."""

    @property
    def p50_ms(self) -> float:
        """The median, milliseconds."""

    @property
    def p90_ms(self) -> float:
        """The 90th percentile, milliseconds."""

    @property
    def p99_ms(self) -> float:
        """The 99th percentile, milliseconds."""


class StreamMetrics:
    """Collection and freshness as this process sees them; lag and freshness are the whole stream's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "recsys_events_total", "Events that clients sent, by verdict", ("verdict",), registry=registry
        )
        self.turned_away = Counter(
            "recsys_event_bodies_turned_away_total",
            "Bodies answered by 429: too much waits",
            registry=registry,
        )
        self.append_seconds = Histogram(
            "recsys_events_append_seconds",
            "Time until the events of one body were durable",
            buckets=_SECONDS,
            registry=registry,
        )
        self.token_seconds = Histogram(
            "recsys_token_wait_seconds",
            "What a recommendation waited for the events of its token",
            ("outcome",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._lag = Gauge(
            "recsys_stream_lag_events", "Events that wait for a worker", ("partition",), registry=registry
        )
        self._clock = Gauge(
            "recsys_clock_faults",
            "What wrong clocks did, by what, since the online store was new",
            ("what",),
            registry=registry,
        )
        self._freshness = Gauge(
            "recsys_event_freshness_seconds",
            "From accepted to visible online, of the last minutes' events",
            ("quantile",),
            registry=registry,
        )

    def collected(self, accepted: int, refused: int) -> None:
        """Counts the events of one body."""
        self.events.labels("accepted").inc(accepted)
        self.events.labels("refused").inc(refused)

    def lags(self, status: Iterable[PartitionStatus]) -> None:
        """Notes the lag of each partition."""
        for partition in status:
            self._lag.labels(str(partition.partition)).set(partition.lag)

    def clock(self, faults: Mapping[str, int]) -> None:
        """Notes what wrong clocks did."""
        for what, count in faults.items():
            self._clock.labels(what).set(count)

    def fresh(self, summary: Freshness) -> None:
        """Notes how long events take until they are visible."""
        for quantile, ms in (("0.5", summary.p50_ms), ("0.9", summary.p90_ms), ("0.99", summary.p99_ms)):
            self._freshness.labels(quantile).set(ms / 1e3)
