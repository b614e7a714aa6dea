"""From facts to problems: pure, so that each decision is a row of a test."""

from collections.abc import Iterator

from recsys.health.facts import ClickDriftFacts, Facts, LakeFacts, ServiceFacts, StoreFacts, StreamFacts
from recsys.health.problems import (
    ADS_STALE,
    BACKGROUND_TASK_FAILING,
    BUNDLE_REFUSED,
    CLICK_DRIFT,
    DATA_OLDER_THAN_WINDOWS,
    DEAD_LETTERS,
    KEYS_UNAVAILABLE,
    MOSTLY_COLD,
    NO_BUNDLE,
    NOTHING_MATERIALISED,
    OTHER_SHOP,
    RECORDS_DROPPED,
    RULES_STALE,
    STORE_EMPTY,
    STORE_MEMORY_HIGH,
    STORE_UNAVAILABLE,
    STREAM_BEHIND,
    STREAM_UNAVAILABLE,
    STREAM_WORKER_AWAY,
    UNKNOWN_ITEMS,
    Problem,
)
from recsys.instants import DAY, SECOND, from_micros
from recsys.service_settings import HealthSettings

MB = 1_000_000
_DRIFT_DAYS = 2.0  # an older measurement is none


def judge(facts: Facts, bounds: HealthSettings, longest_window_days: float) -> tuple[Problem, ...]:
    """The problems that `facts` tell, those that stop the service first.

    What was not observed is no problem, nor is what only follows from a store that cannot be read.

    Args:
        longest_window_days: of the features; the bound of the newest event where the settings have none.
    """
    data_days = longest_window_days if bounds.data_days is None else bounds.data_days
    found: list[Problem] = []
    has_users = facts.lake is None or facts.lake.has_events  # else nothing could be known of any
    if facts.service is not None:
        found += _of_service(facts.service, bounds, has_users)
    if facts.store is not None:
        found += _of_store(facts.store, bounds, facts.at, has_users)
    if facts.lake is not None:
        found += _of_lake(facts.lake, data_days, facts.at)
    if facts.stream is not None:
        found += _of_stream(facts.stream, bounds)
    if facts.clicks is not None:
        found += _of_clicks(facts.clicks, bounds, facts.at)
    return tuple(sorted(found, key=lambda problem: not problem.kind.stops))


def _of_service(service: ServiceFacts, bounds: HealthSettings, has_users: bool) -> Iterator[Problem]:
    if not service.serves:
        yield Problem(NO_BUNDLE, service.bundle_problem)
    elif service.bundle_problem:
        yield Problem(BUNDLE_REFUSED, service.bundle_problem)
    if service.keys_problem:
        yield Problem(KEYS_UNAVAILABLE, service.keys_problem)
    cold = service.requests >= bounds.cold_requests and service.cold >= bounds.cold_share * service.requests
    if cold and has_users:
        yield Problem(MOSTLY_COLD, f"{service.cold} of the last {service.requests} requests with a user id")
    if service.failing:
        named = "; ".join(f"{task}: {error}" for task, error in sorted(service.failing.items()))
        yield Problem(BACKGROUND_TASK_FAILING, named)
    if dropped := {name: count for name, count in service.dropped.items() if count}:
        named = ", ".join(f"{count} of {name}" for name, count in sorted(dropped.items()))
        yield Problem(RECORDS_DROPPED, f"{named} in the last ten minutes")
    if service.rules_problem:
        yield Problem(RULES_STALE, service.rules_problem)
    if service.ads_problem:
        yield Problem(ADS_STALE, service.ads_problem)


def _of_store(store: StoreFacts, bounds: HealthSettings, now: int, has_users: bool) -> Iterator[Problem]:
    if store.error:
        yield Problem(STORE_UNAVAILABLE, store.error)
        return
    if store.owner:
        yield Problem(OTHER_SHOP, f"it holds shop {store.owner}")
        return
    sides = (("users", store.has_user_rows or not has_users), ("items", store.has_item_rows))
    if lacking := [name for name, has in sides if not has]:
        yield Problem(STORE_EMPTY, f"it has no rows of {' and '.join(lacking)}")
    if store.materialized_at is None:
        yield Problem(NOTHING_MATERIALISED, "nothing was ever materialized into it")
    elif now - store.materialized_at > 2 * bounds.schedule_seconds * SECOND:
        since = from_micros(store.materialized_at)
        bound = f"twice health.schedule_seconds = {bounds.schedule_seconds:g}"
        yield Problem(NOTHING_MATERIALISED, f"not since {since:%Y-%m-%d %H:%M} UTC; the bound is {bound}")
    held, most = store.memory_bytes, store.memory_bound_bytes
    if most and held >= bounds.store_memory_share * most:
        yield Problem(STORE_MEMORY_HIGH, f"it holds {held / MB:.0f} of {most / MB:.0f} MB")


def _of_lake(lake: LakeFacts, data_days: float, now: int) -> Iterator[Problem]:
    if lake.newest_event_at is None:
        return
    age = (now - lake.newest_event_at) / DAY
    if age > data_days:
        newest = from_micros(lake.newest_event_at)
        yield Problem(
            DATA_OLDER_THAN_WINDOWS,
            f"the newest event is of {newest:%Y-%m-%d}, {age:.0f} days ago; the bound is {data_days:g} days",
        )


def _of_stream(stream: StreamFacts, bounds: HealthSettings) -> Iterator[Problem]:
    if stream.error:
        yield Problem(STREAM_UNAVAILABLE, stream.error)
        return
    waited = stream.waiting_seconds
    waits = f"{stream.waiting} events wait"
    if stream.worker_seconds is not None and stream.worker_seconds > bounds.worker_seconds:
        seen = f"the last sign of one was {stream.worker_seconds:.0f} s ago"
        yield Problem(STREAM_WORKER_AWAY, f"{seen}; {waits}")
    elif stream.waiting and (waited is None or waited > bounds.lag_seconds):
        if stream.worker_seconds is None:
            yield Problem(STREAM_WORKER_AWAY, f"none was seen in the last day; {waits}")
        elif waited is not None:
            bound = f"health.lag_seconds = {bounds.lag_seconds:g}"
            yield Problem(STREAM_BEHIND, f"{waits}, the oldest for {waited:.0f} s; the bound is {bound}")
    if stream.received and stream.unknown >= bounds.unknown_share * stream.received and stream.unknown:
        yield Problem(UNKNOWN_ITEMS, f"{stream.unknown} of {stream.received} events in the last ten minutes")
    if stream.dead_letters:
        yield Problem(DEAD_LETTERS, f"{stream.dead_letters} or more")
    if stream.failing:
        yield Problem(BACKGROUND_TASK_FAILING, f"of a worker: {', '.join(stream.failing)}")


def _of_clicks(drift: ClickDriftFacts, bounds: HealthSettings, now: int) -> Iterator[Problem]:
    """Places whose whole interval lies beyond the bound; an old measurement says nothing of now."""
    if now - drift.measured_at > _DRIFT_DAYS * DAY:
        return
    bound = bounds.click_drift
    off = [
        f"{place.place}: {place.pcoc:.2f} [{place.low:.2f}, {place.high:.2f}] of {place.clicks} clicks"
        for place in drift.places
        if place.clicks >= bounds.click_drift_clicks and (place.low > 1 + bound or place.high < 1 - bound)
    ]
    if off:
        yield Problem(CLICK_DRIFT, f"expected clicks over clicks, {'; '.join(off)}")
