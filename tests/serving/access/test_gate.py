"""Keys over HTTP: who is let in, what each may, what a refusal says, and that no key is written anywhere."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from recsys.access.keys import new_key
from recsys.service_settings import AccessSettings, LogSettings
from serving.access.caller import Caller
from serving.access.metrics import MOST_KEYS, AccessMetrics
from serving.logs import log_service
from tests.fake_world import NOW

KEY = "open-sesame"
VIEW = {"kind": "view", "event_id": "e1", "user_id": "ann", "item_id": "apple"}
UPSERT = {"kind": "item_upsert", "event_id": "e2", "item_id": "apple", "price_micros": 1}
USER = {"kind": "user_upsert", "event_id": "e3", "user_id": "ann"}


def ask(shop: Any, key: str | None, path: str = "/v1/items/apple") -> Any:
    return shop.client.get(path, headers={"X-API-Key": key} if key else {})


def error_of(answer: Any) -> Any:
    return answer.json()["error"]


def refused(shop: Any) -> dict[str, float]:
    # Where processes share counts, those of other tests are there.
    for reason in ("unauthorized", "forbidden"):
        shop.deployment.metrics.access.refused.labels(reason)
    samples = [
        sample
        for metric in shop.deployment.metrics.access.refused.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    ]
    return {sample.labels["reason"]: sample.value for sample in samples}


def test_this_machine_needs_no_key_until_the_first_one_is_made(open_shop) -> None:
    shop = open_shop()
    assert ask(shop, None).status_code == 200
    key = shop.keys.make()
    shop.deployment.gate.keys.check()
    assert ask(shop, None).status_code == 401
    assert ask(shop, key).status_code == 200
    shop.keys.revoke("web", NOW, "ann")
    shop.deployment.gate.keys.check()
    assert ask(shop, None).status_code == 401, "revoking the last key opens nothing"


def test_the_description_asks_for_the_key_from_then_on(open_shop) -> None:
    shop = open_shop()
    assert "security" not in ask(shop, None, "/openapi.json").json()
    key = shop.keys.make()
    shop.deployment.gate.keys.check()
    assert ask(shop, key, "/openapi.json").json()["security"] == [{"key": []}, {"bearer": []}]


def test_a_key_is_taken_at_once_where_others_are_known(open_shop) -> None:
    shop = open_shop(api_key=KEY)
    assert ask(shop, shop.keys.make()).status_code == 200


def test_the_key_of_the_settings_stays_an_operators_beside_the_others(open_shop) -> None:
    shop = open_shop(api_key=KEY)
    shop.keys.make()
    assert ask(shop, KEY, "/metrics").status_code == 200
    assert ask(shop, KEY, "/v1/history?user_id=ann").status_code == 200


def test_a_bearer_token_is_as_good_as_the_header(open_shop) -> None:
    shop = open_shop()
    headers = {"Authorization": f"bearer {shop.keys.make()}"}
    assert shop.client.get("/v1/items/apple", headers=headers).status_code == 200


@pytest.mark.parametrize("change", ["secret", "id", "short", "text"])
def test_a_key_that_is_not_one_is_401_without_a_word_of_it(open_shop, change: str) -> None:
    shop = open_shop(api_key=KEY)
    right = shop.keys.make()
    prefix, key_id, secret = right.split("_")
    other = new_key()[1].split("_")
    wrong = {
        "secret": f"{prefix}_{key_id}_{other[2]}",
        "id": f"{prefix}_{other[1]}_{secret}",
        "short": right[:-1],
        "text": "parsley",
    }[change]
    answer = ask(shop, wrong)
    assert (answer.status_code, error_of(answer)["code"]) == (401, "unauthorized")
    assert wrong not in answer.text
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_key_is_refused_by_the_next_look(open_shop) -> None:
    shop = open_shop()
    key = shop.keys.make()
    assert ask(shop, key).status_code == 200
    shop.keys.revoke("web", NOW, "ann")
    shop.deployment.gate.keys.check()
    answer = ask(shop, key)
    assert answer.status_code == 401
    assert "revoked" in error_of(answer)["message"]


def test_an_expired_key_is_told_apart_from_a_wrong_one(open_shop) -> None:
    shop = open_shop()
    ended = shop.keys.make(name="old", expires_at=NOW)
    lasting = shop.keys.make(name="new", expires_at=NOW + timedelta(microseconds=1))
    assert "has expired" in error_of(ask(shop, ended))["message"]
    assert ask(shop, lasting).status_code == 200


def test_while_the_database_is_away_known_keys_go_on_and_unknown_ones_are_503(open_shop) -> None:
    shop = open_shop()
    known = shop.keys.make()
    assert ask(shop, known).status_code == 200
    shop.keys.away = True
    made_elsewhere = new_key()[1]
    answer = ask(shop, made_elsewhere)
    assert (answer.status_code, error_of(answer)["code"]) == (503, "keys_unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert ask(shop, known).status_code == 200
    assert ask(shop, None).status_code == 401, "who shows no key need not wait"
    assert ask(shop, "parsley").status_code == 401, "what has not the form of a key is none, whoever is away"
    shop.deployment.health.look()
    problems = [problem.code for problem in shop.deployment.health.current_problems()]
    assert problems == ["keys_unavailable"]
    assert "recsys_access_keys_away 1.0" in shop.deployment.metrics.text().decode()
    shop.keys.away = False
    shop.deployment.gate.keys.check()
    assert ask(shop, made_elsewhere).status_code == 401
    shop.deployment.health.look()
    assert shop.deployment.health.current_problems() == ()


def test_a_storefront_key_does_not_see_what_is_wrong_inside(open_shop) -> None:
    shop = open_shop(bundle_id=None)
    storefront, operator = shop.keys.make("storefront", "web"), shop.keys.make("operator", "ops")
    shop.deployment.gate.keys.check()
    shop.deployment.bundles.problem = "/srv/shop/bundles/b1 is damaged"
    assert "/srv" not in ask(shop, storefront, "/readyz").text
    assert "/srv" in ask(shop, operator, "/readyz").text


def test_items_and_users_are_written_by_operators_only_row_by_row(open_shop) -> None:
    shop = open_shop()
    rows = [VIEW, UPSERT, USER, {"kind": "dance"}]
    for role, accepted in (("storefront", 1), ("merchandiser", 1), ("operator", 3)):
        key = shop.keys.make(role, role)
        answer = shop.client.post("/v1/events", json=rows, headers={"X-API-Key": key})
        assert answer.status_code == 200
        found = answer.json()
        assert (found["accepted"], found["refused"]) == (accepted, 4 - accepted)
        codes = {verdict["event_id"]: verdict["code"] for verdict in found["verdicts"]}
        forbidden = {} if role == "operator" else {"e2": "forbidden", "e3": "forbidden"}
        assert codes == {**forbidden, None: "invalid_event"}


@pytest.mark.parametrize(
    "name", ["api_key", "apikey", "api-key", "X-API-Key", "access_token", "Access-Token"]
)
def test_a_key_in_the_address_is_refused_by_its_name(open_shop, name: str) -> None:
    shop = open_shop(api_key=KEY)
    answer = ask(shop, KEY, f"/v1/history?user_id=ann&{name}=secret")
    assert answer.status_code == 401
    assert "a key in an address" in error_of(answer)["message"]
    assert "secret" not in answer.text


def test_a_key_in_the_address_is_refused_by_its_form(open_shop) -> None:
    shop = open_shop(api_key=KEY)
    key = shop.keys.make()
    for address in (f"?user_id={key}", f"?x={key.replace('_', '%5f')}"):
        answer = ask(shop, KEY, f"/v1/history{address}")
        assert answer.status_code == 401
        assert "a key in an address" in answer.text
        assert key not in answer.text


def test_a_key_that_asks_too_often_waits_as_long_as_it_is_told(open_shop) -> None:
    # Half a request a second, two seconds of which may be saved up: one.
    shop = open_shop(access=AccessSettings(burst_seconds=2))
    key, free = shop.keys.make(rate=0.5), shop.keys.make(name="free")
    assert ask(shop, key).status_code == 200
    answer = ask(shop, key)
    assert (answer.status_code, error_of(answer)["code"]) == (429, "rate_limited")
    assert answer.headers["Retry-After"] == "2"
    assert [ask(shop, free).status_code for _ in range(20)] == [200] * 20
    assert ask(shop, key, "/livez").status_code == 200, "health has no bound"
    shop.clock.seconds += 2
    assert [ask(shop, key).status_code for _ in range(2)] == [200, 429]


def test_a_key_without_a_rate_has_the_default(open_shop) -> None:
    shop = open_shop(access=AccessSettings(default_rate=1, burst_seconds=3))
    key = shop.keys.make()
    assert [ask(shop, key).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_refusals_are_counted_by_reason_and_requests_by_key(open_shop) -> None:
    shop = open_shop(api_key=KEY)
    key = shop.keys.make()
    before = refused(shop)
    ask(shop, None)
    ask(shop, key, "/metrics")
    ask(shop, key, "/v1/items/apple?api_key=x")
    ask(shop, key)
    after = refused(shop)
    grown = {reason: count - before.get(reason, 0) for reason, count in after.items()}
    assert {reason: count for reason, count in grown.items() if count} == {
        "unauthorized": 2,
        "forbidden": 1,
    }
    text = ask(shop, KEY, "/metrics").text
    key_id = key.split("_")[1]
    assert f'recsys_key_requests_total{{key="{key_id}",role="storefront"}} 1.0' in text
    assert key not in text


def test_the_number_of_series_by_key_is_bounded(shop) -> None:
    metrics: AccessMetrics = shop.deployment.metrics.access
    for number in range(MOST_KEYS + 20):
        metrics.admitted(Caller(f"{number:012x}", "storefront"))
    text = shop.deployment.metrics.text().decode()
    lines = [line for line in text.splitlines() if line.startswith("recsys_key_requests_total{")]
    assert len([line for line in lines if 'role="storefront"' in line]) <= MOST_KEYS + 1
    assert any('key="others"' in line for line in lines)


@pytest.fixture
def loggers_as_they_were() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", "recsys", "recsys.access")]
    before = [(each.handlers, each.level, each.propagate) for each in loggers]
    yield
    for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
        each.handlers, each.propagate = handlers, propagate
        each.setLevel(level)


@pytest.mark.usefixtures("loggers_as_they_were")
def test_the_log_names_the_key_that_did_it_and_never_its_text(
    open_shop, capsys: pytest.CaptureFixture[str]
) -> None:
    log_service(LogSettings(format="json"), access=True)
    shop = open_shop(api_key=KEY)
    key = shop.keys.make(rate=0.001)
    key_id = key.split("_")[1]
    for given, path in (
        (key, "/v1/items/apple"),
        (key, "/v1/items/apple"),
        (key, "/metrics"),
        (KEY, "/metrics"),
        (None, "/metrics"),
        (key[:-1] + "!", "/metrics"),
    ):
        ask(shop, given, path)
    written = capsys.readouterr().err
    lines = [line for line in map(json.loads, written.splitlines()) if line["logger"] == "recsys.access"]
    assert [(line["key"], line["status"]) for line in lines] == [
        (key_id, 200),
        (key_id, 429),
        (key_id, 403),
        ("settings", 200),
        (None, 401),
        (None, 401),
    ]
    for secret in (key, key.split("_")[2], KEY):
        assert secret not in written


def test_a_record_shows_neither_key_nor_digest(open_shop) -> None:
    shop = open_shop()
    key = shop.keys.make()
    (record,) = shop.keys.all_keys()
    assert record.digest not in repr(record)
    assert record.digest not in str(record.to_json(NOW))
    assert key.split("_")[2] not in str(vars(record))
    assert replace(record, revoked_at=NOW).state(NOW) == "revoked"
