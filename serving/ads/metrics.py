"""What Prometheus can ask of ads."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.06, 0.1, 0.2, 0.5, 1.0)


class AdsMetrics:
    """Metrics of ads of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "recsys_ads_answers_total",
            "Answers that ads were chosen for, by route and surface",
            ("route", "surface"),
            registry=registry,
        )
        self._shown = Counter(
            "recsys_ads_shown_total", "Sponsored items sent, by surface", ("surface",), registry=registry
        )
        self._explored = Counter(
            "recsys_ads_explored_total",
            "Sponsored items shown that exploration alone gave their slots, by surface",
            ("surface",),
            registry=registry,
        )
        self._degraded = Counter(
            "recsys_ads_degraded_total",
            "Answers whose ads were not as they should be",
            ("reason",),
            registry=registry,
        )
        self.choosing = Histogram(
            "recsys_ads_choosing_seconds",
            "Time to choose, price and hold the ads of an answer",
            buckets=_SECONDS,
            registry=registry,
        )
        self._campaigns = Gauge(
            "recsys_ads_campaigns", "Campaigns that may be shown as of the last look", registry=registry
        )
        self._left_out = Gauge(
            "recsys_ads_campaigns_left_out",
            "Active campaigns that cannot be shown; the log names them",
            registry=registry,
        )

    def watch(self, campaigns: Callable[[], float], left_out: Callable[[], float]) -> None:
        """Shows the numbers that these functions give whenever they are asked for."""
        self._campaigns.set_function(campaigns)
        self._left_out.set_function(left_out)

    def explored(self, surface: str, slots: int) -> None:
        """Counts explored slots of an answer."""
        self._explored.labels(surface).inc(slots)

    def answered(self, route: str, surface: str, shown: int, degraded: tuple[str, ...]) -> None:
        """Counts an answer with so many sponsored items."""
        self._answers.labels(route, surface).inc()
        self._shown.labels(surface).inc(shown)
        for reason in degraded:
            self._degraded.labels(reason).inc()
