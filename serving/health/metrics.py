"""What Prometheus can ask of health: problems, lags and background work."""

from collections.abc import Collection, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from recsys.background_task import BackgroundTask
from recsys.health.facts import ClickDriftFacts, Facts, LakeFacts, ServiceFacts, StoreFacts, StreamFacts
from recsys.health.problems import PROBLEM_KINDS, Problem
from recsys.instants import SECOND

UNKNOWN = float("nan")  # where nothing is known: an alert must not take an old value for a new one


class HealthMetrics:
    """Health as one process sees it; what it says of store, lake and stream is the whole home's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"recsys_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"recsys_{name}", text, labels, registry=registry)

        self._problem = gauge("problem", "1 while the service has this problem", "code")
        self._lag = gauge("online_lag_seconds", "How long the oldest waits to be online", "source")
        self._materialized = gauge("materialized_age_seconds", "Since features were last materialized")
        self._memory = gauge("store_memory_bytes", "Memory that the online store holds")
        self._memory_bound = gauge("store_memory_bound_bytes", "Memory that it may hold, 0 = no bound")
        self._newest_event = gauge("newest_event_age_seconds", "Age of the newest event in the lake")
        self._worker = gauge("stream_worker_age_seconds", "Since a stream worker last gave a sign of life")
        self._dead_letters = gauge("dead_letters", "Events that could not be processed, up to 100")
        self._unknown = gauge("unknown_item_share", "Of ten minutes' events, about unknown items")
        self._cold = gauge("cold_start_share", "Of the last requests with a user id, cold starts")
        self._pcoc = gauge(
            "ads_pcoc", "Expected clicks on ads over clicks, as measured last", "place", "bound"
        )
        self._failing = gauge("background_task_failing", "1 where the last attempt failed", "task")
        self._failures = counter("background_failures_total", "Failed attempts of background work", "task")
        self._dropped = counter("served_records_dropped_total", "Served records not written", "log")
        self._left_out = counter(
            "served_records_left_out_total", "Served records outside the share that is logged", "log"
        )
        self._counted: dict[tuple[Counter, str], int] = {}
        self._places: set[str] = set()  # of which a PCOC was measured
        for kind in PROBLEM_KINDS:
            self._problem.labels(kind.code).set(0)

    def of_process(self, tasks: Iterable[BackgroundTask]) -> None:
        """Takes what became of background work."""
        for task in tasks:
            self._failing.labels(task.name).set(bool(task.error))
            self._count(self._failures, task.name, task.failures)

    def of_log(self, name: str, dropped: int, left_out: int) -> None:
        """Takes what became of the records of a log, both counted since the process began."""
        self._count(self._dropped, name, dropped)
        self._count(self._left_out, name, left_out)

    def of_facts(self, facts: Facts, problems: Collection[Problem]) -> None:
        """Takes what was observed and what is wrong."""
        present = {problem.code for problem in problems}
        for kind in PROBLEM_KINDS:
            self._problem.labels(kind.code).set(kind.code in present)
        store, lake = facts.store or StoreFacts(), facts.lake or LakeFacts()
        stream, service = facts.stream or StreamFacts(), facts.service or ServiceFacts()
        self._lag.labels("lake").set(_known(facts.lake_lag_seconds))
        self._lag.labels("stream").set(_known(stream.waiting_seconds))
        self._materialized.set(_age(facts.at, store.materialized_at))
        self._memory.set(_known(store.memory_bytes or None))
        self._memory_bound.set(_known(store.memory_bound_bytes))
        self._newest_event.set(_age(facts.at, lake.newest_event_at))
        self._worker.set(_known(stream.worker_seconds))
        self._dead_letters.set(stream.dead_letters)
        self._unknown.set(stream.unknown / stream.received if stream.received else 0.0)
        self._cold.set(service.cold / service.requests if service.requests else 0.0)

        self._of_clicks(facts.clicks)

    def _of_clicks(self, clicks: ClickDriftFacts | None) -> None:
        """Sets what was measured; a place that is measured no more has no value, since labels stay."""
        known = {each.place: each for each in (() if clicks is None else clicks.places)}
        self._places |= known.keys()
        for name in self._places:
            place = known.get(name)
            values = (UNKNOWN,) * 3 if place is None else (place.pcoc, place.low, place.high)
            for bound, value in zip(("value", "low", "high"), values, strict=True):
                self._pcoc.labels(name, bound).set(value)

    def _count(self, counter: Counter, label: str, count: int) -> None:
        """Brings a counter up to a count that only grows."""
        before = self._counted.get((counter, label), 0)
        counter.labels(label).inc(max(count - before, 0))
        self._counted[counter, label] = count


def _known(value: float | None) -> float:
    return UNKNOWN if value is None else value


def _age(now: int, at: int | None) -> float:
    return UNKNOWN if at is None else (now - at) / SECOND
