"""What does not fit is named: the type of a body, an unknown field or parameter, and what was meant."""

import json
from typing import Any

import orjson
import pytest

from tests.serving.conftest import Shop

JSON = "application/json"
ROUTES = ("/v1/recommend", "/v1/similar", "/v1/recommend:batch", "/recommend_batch", "/v1/events")
VIEW = {"kind": "view", "event_id": "e1", "user_id": "ann", "item_id": "apple"}


def error_of(answer: Any, status: int) -> dict[str, str]:
    assert answer.status_code == status, answer.text
    return answer.json()["error"]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "given",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", "\t"],
)
def test_a_body_of_another_type_is_refused_by_its_name(shop: Shop, path: str, given: str) -> None:
    error = error_of(shop.client.post(path, content=b"{}", headers={"Content-Type": given}), 415)
    assert error["code"] == "unsupported_media_type"
    assert given.strip() in error["message"]
    assert f"`Content-Type: {JSON}`" in error["remedy"]
    assert ("x-ndjson" in error["remedy"]) == (path == "/v1/events")


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_without_a_type_is_told_which_to_send(shop: Shop, path: str) -> None:
    error = error_of(shop.client.post(path, content=b"{}"), 415)
    assert error["message"] == "the body has no Content-Type"
    assert error["remedy"].startswith("Send JSON with the header `Content-Type: application/json`")


@pytest.mark.parametrize(
    "given", ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"]
)
def test_json_is_taken_however_its_type_is_written(shop: Shop, given: str) -> None:
    answer = shop.client.post("/v1/recommend", content=b"{}", headers={"Content-Type": given})
    assert answer.status_code == 200
    sent = shop.client.post("/v1/events", content=orjson.dumps(VIEW), headers={"Content-Type": given})
    assert sent.json()["accepted"] == 1


@pytest.mark.parametrize(
    ("path", "body", "message", "remedy"),
    [
        ("/v1/recommend", {"user": "900"}, "'user' is not a field of the body (got '900')", "'user_id'"),
        ("/v1/recommend", {"k": 0, "userId": "900"}, "'userId' is not a field", "'user_id'"),
        ("/v1/recommend", {"limit": 3}, "'limit' is not a field", "Fields: user_id, k, context_item_id"),
        (
            "/v1/recommend",
            {"filters": {"brand": ["x"]}},
            "'filters.brand' is not a field",
            "'filters.brands'",
        ),
        ("/v1/similar", {"item": "apple"}, "'item' is not a field", "'item_id'"),
        (
            "/v1/similar",
            {"item_id": "apple", "filters": {"price_min": 1}},
            "'filters.price_min'",
            "price_min_micros",
        ),
        ("/v1/recommend:batch", {"request": []}, "'request' is not a field", "'requests'"),
    ],
)
def test_an_unknown_field_is_named_with_the_one_that_was_meant(
    shop: Shop, path: str, body: Any, message: str, remedy: str
) -> None:
    error = error_of(shop.client.post(path, json=body), 422)
    assert error["message"].startswith(message)
    assert remedy in error["remedy"]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({**VIEW, "user": "ann"}, "view has no field 'user'. Did you mean 'user_id'?"),
        ({**VIEW, "kind": "purchse"}, "kind 'purchse' is unknown. Use one of: search, impression, view"),
        (
            {**VIEW, "kind": "purchase", "quantities": 2},
            "purchase has no field 'quantities'. Did you mean 'quantity'?",
        ),
        ({**VIEW, "timestamp": 1}, "view has no field 'timestamp'. It takes: at, event_id"),
    ],
)
def test_an_unknown_field_of_an_event_is_named_with_the_one_that_was_meant(
    shop: Shop, event: Any, said: str
) -> None:
    (verdict,) = shop.client.post("/v1/events", json=event).json()["verdicts"]
    assert verdict["message"].startswith(said)


@pytest.mark.parametrize("name", ["body", "query", "path", "", "0", "\ud800", "a.b"])
def test_any_unknown_name_is_a_422_alone_and_in_a_batch(shop: Shop, name: str) -> None:
    body = json.dumps({name: 1, "requests": 1})
    headers = {"Content-Type": JSON}
    for path in ROUTES[:3]:
        error = error_of(shop.client.post(path, content=body, headers=headers), 422)
        assert "(got " in error["message"]
    batch = json.dumps({"requests": [{name: 1}, {"filters": {name: 1}}]})
    rows = shop.client.post(ROUTES[2], content=batch, headers=headers).json()["responses"]
    assert [row["error"]["code"] for row in rows] == ["invalid_request"] * 2


def test_an_unknown_attribute_of_a_filter_is_named_with_the_one_that_was_meant(shop: Shop) -> None:
    error = error_of(shop.recommend(filters={"attributes": {"orgnic": "yes"}}), 422)
    assert "no item has an attribute 'orgnic'. Did you mean 'organic'?" in error["message"]


@pytest.mark.parametrize(
    ("method", "address", "message", "remedy"),
    [
        ("GET", "/v1/history?user=ann", "'user' is not a query parameter of /v1/history", "'user_id'"),
        ("GET", "/v1/history?user_id=ann&limit=3", "'limit' is not", "Parameters: user_id, count."),
        ("GET", "/v1/items/apple?k=3", "'k' is not a query parameter of /v1/items", "It takes none."),
        ("POST", "/v1/recommend?user_id=ann", "'user_id' is not", "It takes none."),
        ("POST", "/v1/events?dry_run=1", "'dry_run' is not", "It takes none."),
    ],
)
def test_an_unknown_query_parameter_is_named(
    shop: Shop, method: str, address: str, message: str, remedy: str
) -> None:
    error = error_of(shop.client.request(method, address, json={} if method == "POST" else None), 422)
    assert error["message"].startswith(message)
    assert remedy in error["remedy"]


def test_long_names_are_cut_and_compared_in_no_time(shop: Shop) -> None:
    name = "user_id" * 50_000
    assert len(error_of(shop.client.post("/v1/recommend", json={name: 1}), 422)["message"]) < 300
    (verdict,) = shop.client.post("/v1/events", json={**VIEW, name: 1}).json()["verdicts"]
    assert len(verdict["message"]) < 300


def test_probes_and_scrapes_may_carry_parameters(shop: Shop) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert shop.client.get(f"{path}?probe=1").status_code == 200
