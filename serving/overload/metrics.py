"""What Prometheus can ask of overload: how long requests wait, who is turned away, and the rung."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class TurnMetrics:
    """Of one kind of turns.

    Attributes:
        waits: from arrival to turn, of those turned away the limit.
        rung: of `recsys.funnel.requests.Effort`, where answers have one.
    """

    waits: Histogram
    turned_away: Counter
    rung: Gauge


class OverloadMetrics:
    """Of the turns of answers and of events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        waits = Histogram(
            "recsys_turn_wait_seconds",
            "How long requests waited to be answered, from arrival; those turned away count with the limit",
            ("turns",),
            buckets=_SECONDS,
            registry=registry,
        )
        turned_away = Counter(
            "recsys_turned_away_total",
            "Requests whose turn did not come in time",
            ("turns",),
            registry=registry,
        )
        rung = Gauge(
            "recsys_effort_rung",
            "0 = answers are as good as they can be, 3 = popularity alone",
            registry=registry,
        )
        self.answers, self.events = (
            TurnMetrics(waits.labels(name), turned_away.labels(name), rung) for name in ("answers", "events")
        )
