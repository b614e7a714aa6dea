"""What Prometheus can ask of the service; labels are route templates, never raw paths."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from recsys.funnel.slate import Slate
from recsys.search.answer import SearchAnswer
from serving.access.metrics import AccessMetrics
from serving.ads.metrics import AdsMetrics
from serving.events.metrics import StreamMetrics
from serving.health.metrics import HealthMetrics
from serving.overload.metrics import OverloadMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_FRESHNESS = (1, 10, 60, 600, 3_600, 6 * 3_600, 86_400, 7 * 86_400, 30 * 86_400)


class ServiceMetrics:
    """The metrics of one service process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._serving: tuple[str, str] | None = None
        self.requests = Histogram(
            "recsys_request_seconds",
            "Time to answer, by route template",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge("recsys_requests_in_flight", "Requests being answered", registry=registry)
        self.degraded = Counter(
            "recsys_degraded_slates_total",
            "Slates that were not as they should be",
            ("reason",),
            registry=registry,
        )
        self.cold_starts = Counter(
            "recsys_cold_start_slates_total", "Slates for unknown users", registry=registry
        )
        self.short = Counter("recsys_empty_slates_total", "Slates without an item", registry=registry)
        self.batch_rows = Counter(
            "recsys_batch_rows_total",
            "Rows of batches, by the code of their error",
            ("code",),
            registry=registry,
        )
        self.candidates = Histogram(
            "recsys_candidates",
            "Candidates ranked for a slate",
            buckets=(0, 10, 50, 100, 200, 300, 400, 500, 1000),
            registry=registry,
        )
        self.freshness = Histogram(
            "recsys_feature_age_seconds",
            "How far the features of a slate lagged behind what an import or the stream had accepted",
            buckets=_FRESHNESS,
            registry=registry,
        )
        self.searches = Counter("recsys_searches_total", "Pages of search answered", registry=registry)
        self.empty_searches = Counter(
            "recsys_empty_searches_total", "First pages of search that nothing matched", registry=registry
        )
        self.rewrites = Counter(
            "recsys_search_rewrites_total",
            "Searches that a rewriter changed",
            ("rewriter",),
            registry=registry,
        )
        self.bundle = Gauge(
            "recsys_bundle_info", "1 for the bundle that serves", ("bundle_id", "dataset"), registry=registry
        )
        self.swaps = Counter("recsys_bundle_swaps_total", "Bundles taken into service", registry=registry)
        self.refused = Counter("recsys_bundles_refused_total", "Promoted bundles refused", registry=registry)
        self.access = AccessMetrics(registry)
        self.stream = StreamMetrics(registry)
        self.health = HealthMetrics(registry)
        self.ads = AdsMetrics(registry)
        self.overload = OverloadMetrics(registry)

    def served(self, slate: Slate) -> None:
        """Counts one slate."""
        self.candidates.observe(slate.candidates)
        if slate.features.freshness_seconds is not None:
            self.freshness.observe(slate.features.freshness_seconds)
        if slate.cold_start:
            self.cold_starts.inc()
        if not slate.items:
            self.short.inc()
        for reason in slate.degraded:
            self.degraded.labels(reason).inc()

    def searched(self, answer: SearchAnswer) -> None:
        """Counts one page of search."""
        self.searches.inc()
        if not answer.total:
            self.empty_searches.inc()
        for name in {rewrite.name for rewrite in answer.rewrites}:
            self.rewrites.labels(name).inc()
        for reason in answer.degraded:
            self.degraded.labels(reason).inc()

    def taken(self, bundle_id: str, dataset: str) -> None:
        """Notes which bundle serves from now on."""
        if self._serving is not None:
            self.bundle.labels(*self._serving).set(0)  # clearing labels is refused in multi-process mode
        self._serving = (bundle_id, dataset)
        self.bundle.labels(*self._serving).set(1)
        self.swaps.inc()

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
