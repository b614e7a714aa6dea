"""What is wrong is said by answers, /readyz, a metric and the log; values only to those with the key."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from recsys.health.facts import Facts, LakeFacts, StoreFacts, StreamFacts
from recsys.health.problems import PROBLEM_KINDS
from recsys.instants import DAY, SECOND, to_micros
from recsys.service_settings import HealthSettings
from tests.fake_world import NOW
from tests.serving.conftest import HEALTHY, OpenShop, Shop

KEY = "open-sesame"
AT = to_micros(NOW)
OLD = LakeFacts(imported_at=AT - 900 * DAY, newest_event_at=AT - 900 * DAY)
LONG_AGO = AT - 8000 * SECOND
DEGRADING = {
    "other_shop": {"store": StoreFacts(owner="3f9c21ab")},
    "store_empty": {"store": StoreFacts(materialized_at=AT)},
    "nothing_materialised": {"store": replace(HEALTHY.store, materialized_at=LONG_AGO)},
    "data_older_than_windows": {"lake": OLD},
    "unknown_items": {"stream": StreamFacts(received=100, unknown=5)},
    "stream_worker_away": {"stream": StreamFacts(worker_seconds=500.0)},
    "stream_behind": {"stream": StreamFacts(waiting=2, waiting_seconds=90.0, worker_seconds=1.0)},
}


def facts_of(code: str) -> Facts:
    return replace(HEALTHY, **DEGRADING[code])


def metric(shop: Shop, line: str, **headers: str) -> float:
    lines = shop.client.get("/metrics", headers=headers).text.splitlines()
    (found,) = [each for each in lines if each.startswith(f"{line} ")]
    return float(found.rpartition(" ")[2])


def ready(shop: Shop, **headers: str) -> Any:
    answer = shop.client.get("/readyz", headers=headers)
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.parametrize("code", DEGRADING)
def test_a_problem_is_said_everywhere(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.observer.facts = facts_of(code)
    with caplog.at_level(logging.INFO, "recsys"):
        shop.deployment.health.look()
    assert shop.recommend(user_id="ann").json()["degraded"] == [code]
    assert shop.client.post("/v1/similar", json={"item_id": "apple"}).json()["degraded"] == [code]
    shown = ready(shop)
    assert shown["problems"] == [code]
    (detail,) = shown["details"]
    assert detail["code"] == code
    assert detail["detail"]
    assert detail["remedy"] in caplog.text
    assert f"problem {code}: " in caplog.text
    assert metric(shop, f'recsys_problem{{code="{code}"}}') == 1
    others = [kind.code for kind in PROBLEM_KINDS if kind.code != code]
    assert {metric(shop, f'recsys_problem{{code="{other}"}}') for other in others} == {0}

    shop.observer.facts = HEALTHY
    with caplog.at_level(logging.INFO, "recsys"):
        shop.deployment.health.look()
    assert shop.recommend(user_id="ann").json()["degraded"] == []
    assert ready(shop)["problems"] == []
    assert metric(shop, f'recsys_problem{{code="{code}"}}') == 0
    assert f"problem {code} is over" in caplog.text


def test_a_store_that_is_away_is_a_problem_and_answers_are_useful(shop: Shop) -> None:
    shop.observer.facts = replace(HEALTHY, store=StoreFacts(error="no answer"), stream=None)
    shop.features.away = True
    shop.deployment.health.look()
    assert ready(shop)["problems"] == ["store_unavailable"]
    assert shop.recommend(user_id="ann").json()["degraded"] == ["online_features_unavailable"]


def test_without_the_key_there_are_codes_and_nothing_else(open_shop: OpenShop) -> None:
    shop = open_shop(api_key=KEY)
    shop.observer.facts = facts_of("other_shop")
    shop.deployment.health.look()
    assert ready(shop) == {"status": "ok", "bundle_id": None, "problems": ["other_shop"]}
    assert ready(shop, **{"X-API-Key": "wrong"}) == ready(shop)
    shown = ready(shop, **{"X-API-Key": KEY})
    assert "3f9c21ab" in shown["details"][0]["detail"]
    assert shown["bundle_id"] == "bundle-1"


def test_without_a_bundle_the_reason_is_for_those_with_the_key(open_shop: OpenShop) -> None:
    shop = open_shop(api_key=KEY, bundle_id=None)
    shop.deployment.bundles.problem = "/srv/shop/bundles/b1 was changed"
    shop.deployment.health.look()
    closed, shown = (shop.client.get("/readyz", headers=headers) for headers in ({}, {"X-API-Key": KEY}))
    assert (closed.status_code, shown.status_code) == (503, 503)
    assert "/srv" not in closed.text
    assert closed.json()["error"]["code"] == "no_bundle"
    assert "/srv" in shown.json()["error"]["message"]
    assert metric(shop, 'recsys_problem{code="no_bundle"}', **{"X-API-Key": KEY}) == 1


def test_half_of_the_last_requests_cold_is_a_problem(open_shop: OpenShop) -> None:
    shop = open_shop(health=HealthSettings(cold_requests=4))
    for user in ("ann", "nobody", "vic"):
        shop.recommend(user_id=user)
    for _ in range(5):
        shop.recommend()  # visitors: nothing to know of them
    shop.deployment.health.look()
    assert ready(shop)["problems"] == [], "three of four requests"
    shop.recommend(user_id="someone")
    shop.deployment.health.look()
    assert ready(shop)["problems"] == ["mostly_cold"]
    assert "2 of the last 4" in ready(shop)["details"][0]["detail"]
    assert metric(shop, "recsys_cold_start_share") == 0.5
    shop.recommend(user_id="ann")
    shop.recommend(user_id="ann")
    shop.deployment.health.look()
    assert ready(shop)["problems"] == []


def test_a_promoted_bundle_that_is_refused_is_a_problem_while_the_old_one_serves(shop: Shop) -> None:
    shop.deployment.bundles.problem = "bundle-2 was made for other features"
    shop.deployment.health.look()
    assert ready(shop)["problems"] == ["bundle_refused"]
    shop.deployment.bundles.check()
    shop.deployment.health.look()
    assert ready(shop)["problems"] == []


def test_records_that_are_dropped_are_counted_and_said_for_ten_minutes(shop: Shop) -> None:
    counted = 'recsys_served_records_dropped_total{log="slates"}'
    shop.deployment.health.look()
    before = metric(shop, counted)
    shop.deployment.answer_log.dropped = 3
    shop.deployment.health.look()
    shop.deployment.health.look()
    assert metric(shop, counted) == before + 3
    assert ready(shop)["problems"] == ["records_dropped"]
    shop.clock.seconds += 601
    shop.deployment.health.look()
    assert ready(shop)["problems"] == []


def test_records_outside_the_share_that_is_kept_are_counted_and_no_problem(shop: Shop) -> None:
    counted = 'recsys_served_records_left_out_total{log="slates"}'
    shop.deployment.health.look()
    before = metric(shop, counted)
    shop.deployment.answer_log.left_out = 5
    shop.deployment.health.look()
    assert metric(shop, counted) == before + 5
    assert ready(shop)["problems"] == []


def test_background_work_that_fails_is_shown_and_counted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = 'recsys_background_task_failing{task="bundle watch"}'
    shop.deployment.health.look()
    before = metric(shop, 'recsys_background_failures_total{task="bundle watch"}')

    def broken() -> None:
        raise RuntimeError("no registry")

    monkeypatch.setattr(shop.deployment.bundles, "_production", broken)
    shop.deployment.bundles.check()
    shop.deployment.health.look()
    assert "background_task_failing" in ready(shop)["problems"]
    assert any("no registry" in each["detail"] for each in ready(shop)["details"])
    assert metric(shop, failing) == 1
    assert metric(shop, 'recsys_background_failures_total{task="bundle watch"}') == before + 1
    monkeypatch.undo()
    shop.deployment.bundles.check()
    shop.deployment.health.look()
    assert ready(shop)["problems"] == []
    assert metric(shop, failing) == 0


def test_a_look_that_fails_is_a_problem_itself_and_the_process_is_judged_all_the_same(shop: Shop) -> None:
    shop.deployment.answer_log.dropped = 1
    for failure in (KeyError("surprise"), SystemExit(3)):
        shop.observer.failure = failure
        shop.deployment.health.look()
        assert set(ready(shop)["problems"]) == {"records_dropped", "background_task_failing"}
    shop.observer.failure = None
    shop.deployment.health.look()
    assert ready(shop)["problems"] == ["records_dropped"]


def test_a_problem_that_stays_is_logged_once_in_ten_minutes(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.observer.facts = facts_of("store_empty")
    with caplog.at_level(logging.INFO, "recsys.serving.health"):
        for _ in range(100):
            shop.deployment.health.look()
            shop.clock.seconds += 5
        assert len(caplog.records) == 1
        shop.clock.seconds += 100
        shop.deployment.health.look()
    assert len(caplog.records) == 2


def test_freshness_is_the_lag_and_not_the_age_of_a_quiet_row(shop: Shop) -> None:
    def freshness() -> Any:
        return shop.recommend(user_id="ann").json()["features"]["freshness_seconds"]

    assert freshness() is None, "nobody has looked yet"
    shop.observer.facts = replace(HEALTHY, lake=OLD)
    shop.deployment.health.look()
    assert freshness() == 0.0, "the rows are years old and all that was accepted is in them"
    shop.observer.facts = facts_of("stream_behind")
    shop.deployment.health.look()
    assert freshness() == 90.0
    assert metric(shop, 'recsys_online_lag_seconds{source="stream"}') == 90.0
    assert metric(shop, 'recsys_online_lag_seconds{source="lake"}') == 0.0
