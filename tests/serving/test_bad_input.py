"""Whatever a client sends, the answer is a result or a clear 4xx, and never a fault."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.jobs.ads.accounts import AccountEditing
from recsys.jobs.ads.campaign_options import CampaignOptions
from recsys.jobs.ads.campaigns import CampaignEditing
from tests.serving.bad_text import (
    BAD_NUMBERS,
    BAD_TEXTS,
    ask_whatever,
    bad_texts,
    bad_values,
    many_filters,
    raw_json,
    with_a_bad_field,
)
from tests.serving.conftest import OpenShop, Shop

JSON = {"Content-Type": "application/json"}
MANY = settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
)
FILTERS = {"categories": ["fruit"], "brands": [], "attributes": {"organic": "yes"}, "price_min_micros": 0}
RECOMMEND = {"user_id": "ann", "k": 3, "context_item_id": "apple", "filters": FILTERS, "exclude": ["milk"]}
CAMPAIGN = {
    "account": "acme",
    "name": "summer",
    "bidding": {"strategy": "fixed_bid", "bid_micros": 400_000},
    "targets": {"categories": ["Pasta"], "keywords": ["milk"], "segment": None, "surfaces": ["search"]},
    "placement_percents": {"search": 150},
    "frequency_cap": {"count": 3, "window_seconds": 3600},
    "starts_on": "2026-05-01",
    "lines": [{"name": "main", "items": ["1"], "bid_micros": 7}],
}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/advertising/accounts": {"name": "acme", "time_zone": "UTC", "budget_day_micros": 1, "prepaid": True},
    "/v1/recommend": RECOMMEND,
    "/v1/similar": {"item_id": "apple", "k": 3, "filters": FILTERS},
    "/v1/recommend:batch": {"requests": [RECOMMEND]},
    "/recommend_batch": {"requests": [RECOMMEND]},
    "/v1/ads": {"user_id": "ann", "slots": 2, "context": {"query": "milk"}},
    "/v1/page": {"user_id": "ann", "k": 3, "query": "milk", "filters": FILTERS},
    "/v1/events": {"kind": "search", "event_id": "e1", "user_id": "ann", "query": "milk", "results": 3},
}
MORE = ("token", "language", "diversity", "context_category", "allow_repeats", "filters", "attributes", "at")
MORE += ("surface", "session_id", "category", "item_id", "page_token", "explain")
ITEM = {"kind": "item_upsert", "event_id": "e1", "item_id": "apple", "title": "Apple", "attributes": {"a": 1}}
CUTS = st.integers(0, 40)


@pytest.mark.parametrize("path", BODIES)
def test_bad_fields_are_named_and_no_fault(shop: Shop, path: str) -> None:
    @MANY
    @given(with_a_bad_field(BODIES[path], MORE))
    def send(body: bytes) -> None:
        ask_whatever(shop.client, "POST", path, content=body, headers=JSON)

    send()


@pytest.mark.parametrize(
    ("method", "more", "body"),
    [
        ("POST", "", CAMPAIGN),
        ("PATCH", "/spring", {"version": 1, "remark": "x", **CAMPAIGN, "name": "spring"}),
        ("POST", "/spring/status", {"version": 1, "action": "pause", "line": "main", "remark": "x"}),
        ("POST", "/spring/review", {"version": 1, "reject": "x"}),
    ],
)
def test_bad_fields_of_campaigns_are_named_and_no_fault(
    shop: Shop, method: str, more: str, body: dict[str, Any]
) -> None:
    AccountEditing(shop.ads_home, "ann").create("acme", "UTC")
    spring = CampaignOptions(name="spring", bid="0.40", items=["1"])
    CampaignEditing(shop.ads_home, "ann").create("acme", spring)
    sent = {name: value for name, value in body.items() if method == "POST" or name != "account"}

    @MANY
    @given(with_a_bad_field(sent, ["bidding", "version", "remark", "segment", "items", "never_beside"]))
    def send(content: bytes) -> None:
        path = f"/v1/advertising/campaigns{more}"
        ask_whatever(shop.client, method, path, content=content, headers=JSON)

    send()


@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/similar", "/v1/page"])
def test_bad_filters_are_named_and_no_fault(shop: Shop, path: str) -> None:
    @MANY
    @given(with_a_bad_field({"filters": FILTERS}, ["k"]), bad_values())
    def send(body: bytes, filters: Any) -> None:
        for content in (body, raw_json({**BODIES[path], "filters": filters})):
            ask_whatever(shop.client, "POST", path, content=content, headers=JSON)

    send()


@pytest.mark.parametrize("place", range(len(many_filters())))
@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/similar"])
def test_a_thousand_filters_are_refused(shop: Shop, path: str, place: int) -> None:
    body = {**BODIES[path], "filters": many_filters()[place]}
    answer = ask_whatever(shop.client, "POST", path, json=body)
    assert answer.status_code == 422


@pytest.mark.parametrize("text", BAD_TEXTS, ids=lambda text: ascii(text)[:30])
def test_any_text_may_be_asked_for(shop: Shop, text: str) -> None:
    user = raw_json({"user_id": text})
    assert ask_whatever(shop.client, "POST", "/v1/recommend", content=user, headers=JSON).status_code in (
        200,
        422,
    )
    item = raw_json({"item_id": text})
    assert ask_whatever(shop.client, "POST", "/v1/similar", content=item, headers=JSON).status_code in (
        404,
        422,
    )
    found = shop.client.get(f"/v1/history?user_id={quoted(text)}"[:8000])
    assert found.status_code in (200, 422)


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=lambda number: str(number)[:20])
@pytest.mark.parametrize("field", ["k", "diversity", "price"])
def test_any_number_is_taken_or_named(shop: Shop, field: str, number: Any) -> None:
    body = {"filters": {"price_max_micros": number}} if field == "price" else {field: number}
    ask_whatever(shop.client, "POST", "/v1/recommend", content=raw_json(body), headers=JSON)


def test_events_with_bad_fields_cost_their_rows_only(shop: Shop) -> None:
    good = {"kind": "view", "event_id": "good", "user_id": "ann", "item_id": "apple"}

    @MANY
    @given(with_a_bad_field(ITEM), with_a_bad_field(good))
    def send(item: bytes, event: bytes) -> None:
        lines = b"\n".join([raw_json(good), item.replace(b"\n", b""), event.replace(b"\n", b"")])
        headers = {"Content-Type": "application/x-ndjson"}
        answer = ask_whatever(shop.client, "POST", "/v1/events", content=lines, headers=headers)
        assert answer.json()["accepted"] >= 1

    send()


def test_bodies_that_are_no_json_are_400(shop: Shop) -> None:
    @MANY
    @given(st.binary(max_size=200), with_a_bad_field(RECOMMEND), CUTS)
    def send(noise: bytes, body: bytes, cut: int) -> None:
        for content in (noise, body[:cut] + noise, body[: len(body) - 1 - cut]):
            ask_whatever(shop.client, "POST", "/v1/recommend", content=content, headers=JSON)

    send()


def test_paths_and_queries_of_any_text_are_no_fault(shop: Shop) -> None:
    @MANY
    @given(bad_texts(), bad_texts())
    def ask(one: str, other: str) -> None:
        for path in (
            f"/v1/items/{quoted(one)}",
            f"/v1/advertising/campaigns/{quoted(one)}",
            f"/v1/advertising/campaigns?account={quoted(other)}",
            f"/v1/history?user_id={quoted(one)}&count={quoted(other)}",
            f"/v1/history?{quoted(one)}={quoted(other)}",
            f"/{quoted(one)}/{quoted(other)}",
        ):
            answer = shop.client.get(path[:8000])
            assert answer.status_code < 500, (path[:200], answer.text)

    ask()


@pytest.mark.parametrize("key", [None, "open-sesame"])
def test_headers_of_any_text_are_no_fault(open_shop: OpenShop, key: str | None) -> None:
    shop = open_shop(api_key=key)
    printable = st.binary(max_size=60).map(lambda raw: bytes(each for each in raw if each >= 32))

    @MANY
    @given(printable, printable)
    def ask(one: bytes, other: bytes) -> None:
        headers = [(b"X-API-Key", one), (b"Authorization", b"Bearer " + other), (b"Accept-Language", one)]
        headers += [(b"X-Request-ID", other), (b"Content-Type", b"application/json")]
        answer = shop.client.post("/v1/recommend", content=b"{}", headers=headers)
        assert answer.status_code == (200 if key is None else 401)

    ask()


def test_bodies_are_written_as_they_were_meant() -> None:
    assert json.loads(raw_json({"a": "\ud800", "b": "x\0y"})) == {"a": "\ud800", "b": "x\0y"}
    assert raw_json({"k": BAD_NUMBERS[12], "s": "x"}) == b'{"k": 1e400, "s": "x"}'
    assert raw_json(["\\", BAD_NUMBERS[-1]]) == rb'["\\", 01]'


def quoted(text: str) -> str:
    """For an address: lone surrogates as bytes that are no UTF-8."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")
