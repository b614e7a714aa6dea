"""Which facts are which problem: one row a code, at its bound and beside it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.health.facts import (
    ClickDriftFacts,
    Facts,
    LakeFacts,
    PlacePcoc,
    ServiceFacts,
    StoreFacts,
    StreamFacts,
)
from recsys.health.judge import judge
from recsys.health.problems import PROBLEM_KINDS
from recsys.instants import DAY, SECOND
from recsys.service_settings import HealthSettings

NOW = 20_000 * DAY
BOUNDS = HealthSettings()
LONGEST_DAYS = 90.0
HEALTHY = Facts(
    at=NOW,
    store=StoreFacts(has_user_rows=True, has_item_rows=True, materialized_at=NOW - 3600 * SECOND),
    lake=LakeFacts(imported_at=NOW - 2 * DAY, newest_event_at=NOW - DAY),
    stream=StreamFacts(waiting_seconds=0.0, worker_seconds=1.0, received=1000),
    service=ServiceFacts(requests=1000),
)


def codes(facts: Facts, bounds: HealthSettings = BOUNDS) -> list[str]:
    return [problem.code for problem in judge(facts, bounds, LONGEST_DAYS)]


def changed(part: str, **values: Any) -> Facts:
    return replace(HEALTHY, **{part: replace(getattr(HEALTHY, part), **values)})


def drift(age_days: float = 1.0, clicks: int = 200, **values: float) -> ClickDriftFacts:
    interval = {"pcoc": 1.0, "low": 0.8, "high": 1.2} | values
    return ClickDriftFacts(NOW - round(age_days * DAY), (PlacePcoc("ad/home", clicks, **interval),))


@pytest.mark.parametrize(
    "measured",
    [
        drift(),  # right
        drift(pcoc=1.3, low=1.099),  # it may be within the bound
        drift(pcoc=0.7, high=0.901),
        drift(clicks=199, pcoc=2.0, low=1.5),
        drift(age_days=2.1, pcoc=2.0, low=1.5),
    ],
)
def test_click_probabilities_drift_only_where_the_whole_interval_and_enough_clicks_of_late_say_so(
    measured: ClickDriftFacts,
) -> None:
    assert codes(replace(HEALTHY, clicks=measured)) == []


def test_a_healthy_shop_has_no_problem() -> None:
    assert codes(HEALTHY) == []


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("no_bundle", changed("service", serves=False, bundle_problem="none")),
        ("bundle_refused", changed("service", bundle_problem="made for other features")),
        ("store_unavailable", changed("store", error="redis: connection refused")),
        ("other_shop", changed("store", owner="3f9c21ab")),
        ("store_empty", changed("store", has_user_rows=False, has_item_rows=False)),
        ("store_empty", changed("store", has_user_rows=False)),
        ("nothing_materialised", changed("store", materialized_at=None)),
        ("nothing_materialised", changed("store", materialized_at=NOW - 7201 * SECOND)),
        ("store_memory_high", changed("store", memory_bytes=80, memory_bound_bytes=100)),
        ("data_older_than_windows", changed("lake", newest_event_at=NOW - 90 * DAY - SECOND)),
        ("mostly_cold", changed("service", cold=500)),
        ("unknown_items", changed("stream", unknown=50)),
        ("stream_unavailable", changed("stream", error="kafka: no broker")),
        ("stream_worker_away", changed("stream", worker_seconds=61.0)),
        ("stream_worker_away", changed("stream", worker_seconds=None, waiting=3, waiting_seconds=61.0)),
        ("stream_worker_away", changed("stream", worker_seconds=None, waiting=3, waiting_seconds=None)),
        ("stream_behind", changed("stream", waiting=3, waiting_seconds=61.0)),
        ("dead_letters", changed("stream", dead_letters=1)),
        ("rules_stale", changed("service", rules_problem="the database is away")),
        ("click_drift", replace(HEALTHY, clicks=drift(pcoc=1.2, low=1.101))),
        ("click_drift", replace(HEALTHY, clicks=drift(pcoc=0.8, high=0.899))),
        ("ads_stale", changed("service", ads_problem="the database is away")),
        ("background_task_failing", changed("service", failing={"catalog watch": "KeyError: 'x'"})),
        ("background_task_failing", changed("stream", failing=("compaction",))),
        ("records_dropped", changed("service", dropped={"slates": 2, "features": 0})),
    ],
)
def test_each_problem_is_told_by_its_facts_and_by_nothing_else(code: str, facts: Facts) -> None:
    (problem,) = judge(facts, BOUNDS, LONGEST_DAYS)
    assert problem.code == code
    assert problem.detail
    assert problem.kind.remedy


@pytest.mark.parametrize(
    "facts",
    [
        changed("store", materialized_at=NOW - 7200 * SECOND),
        changed("store", memory_bytes=79, memory_bound_bytes=100),
        changed("store", memory_bytes=10**12, memory_bound_bytes=0),  # `recsys doctor` warns of it
        changed("store", memory_bytes=10**12, memory_bound_bytes=None),
        changed("lake", newest_event_at=NOW - 90 * DAY),
        changed("lake", newest_event_at=None),  # nothing imported, or an order and no clock
        changed("service", cold=499),
        changed("service", requests=999, cold=999),
        changed("stream", unknown=49),
        changed("stream", received=0, unknown=0),
        changed("stream", worker_seconds=60.0),
        changed("stream", waiting=3, waiting_seconds=60.0),
        changed("stream", worker_seconds=None),  # nothing waits: no worker is needed
        changed("stream", waiting=3, waiting_seconds=None),  # a worker lives
        changed("service", dropped={"slates": 0}),
        Facts(NOW),
    ],
)
def test_up_to_its_bound_nothing_is_wrong(facts: Facts) -> None:
    assert codes(facts) == []


def test_every_bound_is_a_setting() -> None:
    strict = HealthSettings(
        schedule_seconds=1,
        data_days=0.5,
        cold_requests=10,
        cold_share=0.01,
        unknown_share=0.001,
        lag_seconds=1,
    )
    facts = replace(
        HEALTHY,
        service=ServiceFacts(requests=10, cold=1),
        stream=StreamFacts(waiting=1, waiting_seconds=2.0, worker_seconds=1.0, received=1000, unknown=1),
    )
    assert codes(facts) == []
    assert set(codes(facts, strict)) == {
        "nothing_materialised",
        "data_older_than_windows",
        "mostly_cold",
        "unknown_items",
        "stream_behind",
    }


def test_what_only_follows_from_a_store_that_is_away_or_of_another_shop_is_not_said() -> None:
    assert codes(replace(HEALTHY, store=StoreFacts(error="away"))) == ["store_unavailable"]
    assert codes(replace(HEALTHY, store=StoreFacts(owner="3f9c21ab"))) == ["other_shop"]


def test_what_stops_the_service_comes_first() -> None:
    facts = replace(HEALTHY, store=StoreFacts(), service=ServiceFacts(serves=False, failing={"x": "y"}))
    assert codes(facts)[0] == "no_bundle"


def test_the_lag_is_how_long_the_oldest_accepted_thing_waits_to_be_online() -> None:
    assert HEALTHY.online_lag_seconds == 0.0, "a quiet shop lags for nothing"
    assert changed("stream", waiting=1, waiting_seconds=5.0).online_lag_seconds == 5.0
    imported = replace(HEALTHY, lake=replace(HEALTHY.lake, imported_at=NOW - 600 * SECOND))
    assert imported.online_lag_seconds == 600.0, "imported after the last materialization"
    assert changed("store", materialized_at=None).online_lag_seconds == 2 * 86_400
    assert Facts(NOW, StoreFacts(error="away"), HEALTHY.lake).online_lag_seconds is None


ages = st.integers(0, 400 * DAY)
shares = st.integers(0, 2000)
STORES = st.builds(
    StoreFacts,
    error=st.sampled_from(["", "away"]),
    owner=st.sampled_from(["", "3f9c21ab"]),
    has_user_rows=st.booleans(),
    has_item_rows=st.booleans(),
    materialized_at=st.none() | ages.map(lambda age: NOW - age),
)
STREAMS = st.builds(
    StreamFacts,
    error=st.sampled_from(["", "away"]),
    waiting=shares,
    waiting_seconds=st.none() | st.floats(0, 1e6),
    worker_seconds=st.none() | st.floats(0, 86_400),
    received=shares,
    unknown=shares,
    dead_letters=shares,
)
SERVICES = st.builds(ServiceFacts, serves=st.booleans(), requests=st.integers(0, 1000), cold=shares)
LAKES = st.builds(LakeFacts, imported_at=st.none() | ages, newest_event_at=st.none() | ages)


@given(STORES, STREAMS, SERVICES, LAKES)
def test_any_facts_give_known_codes_once_each_and_never_an_error(
    store: StoreFacts, stream: StreamFacts, service: ServiceFacts, lake: LakeFacts
) -> None:
    found = codes(Facts(NOW, store, lake, stream, service))
    assert set(found) <= {kind.code for kind in PROBLEM_KINDS}
    assert len(found) == len(set(found))
    assert ("no_bundle" in found) == (not service.serves)
    assert not {"store_empty", "nothing_materialised"} & set(found) or not (store.error or store.owner)
