"""What Prometheus can ask of access: who calls, and what is refused."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from serving.access.caller import Caller

MOST_KEYS = 500  # that have a series of their own
OTHERS = "others"


class AccessMetrics:
    """Requests by key and refusals by reason; ids are those of known keys, so their number is bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "recsys_key_requests_total",
            f"Requests by key, up to {MOST_KEYS} of them, and role",
            ("key", "role"),
            registry=registry,
        )
        self.refused = Counter(
            "recsys_access_refused_total", "Requests refused by the guard", ("reason",), registry=registry
        )
        self.keys = Gauge("recsys_access_keys", "Access keys that are known", registry=registry)
        self.unread = Gauge(
            "recsys_access_keys_away", "1 while the access keys cannot be read", registry=registry
        )
        self.rates_local = Gauge(
            "recsys_rate_limits_local",
            "1 while each process counts the requests of keys for itself",
            registry=registry,
        )
        self._known: set[str] = set()

    def admitted(self, caller: Caller) -> None:
        """Counts a request that was let through."""
        key = caller.key_id
        if key not in self._known:
            if len(self._known) >= MOST_KEYS:
                key = OTHERS
            else:
                self._known.add(key)
        self._requests.labels(key, caller.role).inc()
