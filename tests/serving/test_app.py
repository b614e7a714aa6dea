"""The HTTP interface: answers, refusals, and the one shape of an error."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from recsys import errors
from recsys.addresses import is_loopback
from recsys.funnel.recommender import Recommender
from recsys.jobs.preconditions import require_key_beyond_loopback
from serving.errors import RESPONSES
from serving.schemas.answers import SlateAnswer


def error_of(response: Any) -> dict[str, str]:
    body = response.json()
    assert set(body) == {"error"}
    assert body["error"]["request_id"] == response.headers["X-Request-ID"]
    return body["error"]


def subclasses(kind: type) -> set[type]:
    return {kind} | {found for child in kind.__subclasses__() for found in subclasses(child)}


def test_a_known_user_gets_a_slate_that_says_what_it_is_made_from(shop) -> None:
    response = shop.recommend(user_id="ann", k=2)
    assert response.status_code == 200
    slate = SlateAnswer.model_validate(response.json())
    assert [item.item_id for item in slate.items] == ["apple", "milk"]
    assert slate.items[0].reason.text == "bought before, last on 2024-05-30"
    assert (slate.bundle_id, slate.cold_start, slate.degraded) == ("bundle-1", False, [])
    assert slate.request_id == response.headers["X-Request-ID"]
    assert slate.features.service == "ranking_v1"
    assert slate.features.freshness_seconds is None, "nobody has looked yet"


def test_an_unknown_user_is_not_an_error(shop) -> None:
    slate = shop.recommend(user_id="nobody", k=1).json()
    assert slate["cold_start"] is True
    assert slate["items"][0]["item_id"] == "apple"
    assert shop.recommend().json()["cold_start"] is True


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"user_id": 7}, "user_id: Input should be a valid string (got 7)"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "u" * 300}, "user_id"),
        ({"k": 0}, "k: Input should be greater than or equal to 1 (got 0)"),
        ({"k": 101}, "k"),
        ({"users_id": "ann"}, "'users_id' is not a field of the body (got 'ann')"),
        ({"filters": {"price_min_micros": -1}}, "filters.price_min_micros"),
        ({"diversity": 2}, "diversity"),
        ({"language": "fr"}, "language"),
        ({"context_category": "fish"}, "context_category 'fish'"),
        ({"filters": {"attributes": {"colour": "red"}}}, "'colour'"),
        ({"user_id": "\ud800"}, "user_id"),
    ],
)
def test_a_field_that_does_not_fit_is_named_with_its_value(shop, body: dict[str, Any], said: str) -> None:
    response = shop.client.post(
        "/v1/recommend", content=__import__("json").dumps(body), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    assert said in error_of(response)["message"]


def test_a_body_that_is_not_json_is_400(shop) -> None:
    response = shop.client.post("/v1/recommend", content="{", headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert error_of(response)["code"] == "bad_request"


def test_unknown_things_are_404(shop) -> None:
    for response in (
        shop.recommend(context_item_id="caviar"),
        shop.client.post("/v1/similar", json={"item_id": "caviar"}),
        shop.client.get("/v1/items/caviar"),
    ):
        assert response.status_code == 404
        assert error_of(response)["code"] == "unknown_item"
        assert "caviar" in error_of(response)["message"]
    assert error_of(shop.client.get("/nothing"))["code"] == "not_found"
    wrong = shop.client.get("/v1/recommend")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert error_of(wrong)["code"] == "method_not_allowed"


def test_similar_items_item_facts_and_history(shop) -> None:
    slate = shop.client.post("/v1/similar", json={"item_id": "apple", "k": 2}).json()
    assert {item["item_id"] for item in slate["items"]} == {"banana", "cherry"}
    item = shop.client.get("/v1/items/apple").json()
    assert (item["title"], item["available"], item["attributes"]["organic"]) == ("Apple", True, "yes")
    history = shop.client.get("/v1/history", params={"user_id": "ann", "count": 1}).json()
    assert history["user_id"] == "ann"
    assert [entry["title"] for entry in history["entries"]] == ["Apple"]


def test_reasons_speak_the_language_of_the_body_or_of_the_header(shop) -> None:
    def first(language: str | None = None, **headers: str) -> str:
        body = {"user_id": "ann", "k": 1} | ({"language": language} if language else {})
        answer = shop.client.post("/v1/recommend", json=body, headers=headers)
        return answer.json()["items"][0]["reason"]["text"]

    chinese = "您曾购买过，最近一次是 2024-05-30"
    assert first("zh") == chinese
    assert first(**{"Accept-Language": "fr, zh-CN;q=0.9, en"}) == chinese
    assert first("en", **{"Accept-Language": "zh"}).startswith("bought before")
    assert first(**{"Accept-Language": "fr"}).startswith("bought before")


@pytest.mark.parametrize(
    "wrong", [{"k": True}, {"k": "5"}, {"filters": {"price_min_micros": True}}, {"allow_repeats": "yes"}]
)
def test_values_of_another_type_are_refused(shop, wrong: dict[str, Any]) -> None:
    assert shop.client.post("/v1/recommend", json={"user_id": "ann", **wrong}).status_code == 422


def test_every_known_error_has_an_answer_of_its_own() -> None:
    tree = {kind for kind in subclasses(errors.RecsysError) if kind.__module__ == errors.__name__}
    assert set(RESPONSES) == tree


@pytest.mark.parametrize("kind", sorted(subclasses(errors.RecsysError), key=lambda kind: kind.__name__))
def test_each_error_in_the_funnel_becomes_its_status(shop, monkeypatch, kind: type) -> None:
    error = kind("redis", "read", 0.2) if kind is errors.StoreUnavailableError else kind("it broke")

    def broken(self: Recommender, *_: Any) -> None:
        raise error

    monkeypatch.setattr(Recommender, "serve", broken)
    response, answer = shop.recommend(), RESPONSES[kind]
    assert response.status_code == answer.status
    assert error_of(response)["code"] == answer.code
    assert ("Retry-After" in response.headers) == answer.retry


def test_a_fault_is_500_without_details(shop, monkeypatch) -> None:
    monkeypatch.setattr(Recommender, "serve", lambda *_: 1 / 0)
    response = shop.recommend()
    assert response.status_code == 500
    assert "division" not in response.text
    assert error_of(response)["code"] == "internal"


def test_an_answer_that_takes_too_long_is_503(open_shop, monkeypatch) -> None:
    shop = open_shop(timeout_seconds=0.05)
    monkeypatch.setattr(Recommender, "serve", lambda *_: time.sleep(0.3))
    response = shop.recommend()
    assert (response.status_code, error_of(response)["code"]) == (503, "timeout")
    assert response.headers["Retry-After"] == "1"


def test_without_a_bundle_the_service_lives_and_says_what_to_do(open_shop) -> None:
    shop = open_shop(bundle_id=None)
    assert shop.client.get("/livez").status_code == 200
    for response in (shop.client.get("/readyz"), shop.recommend(user_id="ann")):
        assert response.status_code == 503
        assert "recsys train" in error_of(response)["message"]
        assert response.headers["Retry-After"] == "1"


def test_without_the_key_an_error_tells_its_code_and_nothing_of_the_machine(open_shop) -> None:
    shop = open_shop(api_key=KEY, bundle_id=None)
    shop.deployment.bundles.problem = "/srv/shop/bundles/b1/arrays has SHA-256 abc, not def"
    open_answer = shop.client.get("/readyz")
    assert (open_answer.status_code, error_of(open_answer)["code"]) == (503, "no_bundle")
    assert "/srv" not in open_answer.text
    assert "SHA" not in open_answer.text
    assert "API key" in error_of(open_answer)["remedy"]
    with_key = shop.client.get("/readyz", headers={"X-API-Key": KEY})
    assert "/srv/shop/bundles/b1" in error_of(with_key)["message"]
    assert "Redis" not in shop.client.get("/v1/history?user_id=ann").text


def test_health_says_why_a_bundle_has_no_ranker(shop) -> None:
    healthy = {"status": "ok", "bundle_id": "bundle-1", "problems": [], "details": []}
    assert shop.client.get("/readyz").json() == healthy
    bundle = shop.deployment.bundles.recommender().bundle
    small = bundle.manifest.model_copy(update={"no_ranker": "only 3 requests"})
    object.__setattr__(bundle, "manifest", small)
    assert shop.client.get("/readyz").json()["no_ranker"] == "only 3 requests"


def test_a_store_that_is_away_is_flagged_and_comes_back(shop) -> None:
    shop.features.away = True
    slate = shop.recommend(user_id="ann", k=1)
    assert slate.status_code == 200
    assert slate.json()["degraded"] == ["online_features_unavailable"]
    assert shop.client.get("/v1/history", params={"user_id": "ann"}).status_code == 503
    shop.features.away = False
    assert shop.recommend(user_id="ann").json()["degraded"] == []


KEY = "open-sesame"
COLD_STARTS = "recsys_cold_start_slates_total "


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-API-Key": "sesame"}, 401),
        ({"X-API-Key": "ключ".encode().decode("latin-1")}, 401),
        ({"Authorization": "Basic open-sesame"}, 401),
        ({"X-API-Key": KEY}, 200),
        ({"Authorization": f"Bearer {KEY}"}, 200),
    ],
)
def test_the_key_opens_everything_but_health_and_the_page(
    open_shop, headers: dict[str, str], status: int
) -> None:
    shop = open_shop(api_key=KEY)
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    for path in ("/v1/items/apple", "/metrics", "/openapi.json"):
        response = shop.client.get(path, headers=encoded)
        assert response.status_code == status
        if status == 401:
            assert error_of(response)["code"] == "unauthorized"
            assert response.headers["WWW-Authenticate"] == "Bearer"
    for path in ("/", "/livez", "/readyz"):
        assert shop.client.get(path, headers=encoded).status_code == 200


def test_without_a_key_only_this_machine_is_answered(shop) -> None:
    def status(host: str) -> int:
        async def ask() -> int:
            transport = httpx.ASGITransport(shop.client.app)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}:3000") as client:
                return (await client.get("/v1/items/apple")).status_code

        return asyncio.run(ask())

    assert (status("127.0.0.1"), status("192.168.1.5")) == (200, 401)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "shop.example", "::ffff:10.0.0.1"])
def test_no_address_beyond_loopback_without_a_key(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(errors.ConfigError, match="RECSYS_API_KEY"):
        require_key_beyond_loopback(host, None)
    require_key_beyond_loopback(host, KEY)
    require_key_beyond_loopback("127.0.0.1", None)


def test_large_bodies_are_refused_announced_or_not(open_shop) -> None:
    shop = open_shop(max_body_bytes=100)
    body = orjson.dumps({"user_id": "ann", "exclude": ["x" * 200]})

    def chunks() -> Any:
        yield body[:50]
        yield body[50:]

    for content in (body, chunks()):
        response = shop.client.post("/v1/recommend", content=content)
        assert response.status_code == 413
        assert error_of(response)["code"] == "body_too_large"
    assert shop.recommend(user_id="ann").status_code == 200


def test_too_many_at_a_time_are_told_to_come_back(open_shop, monkeypatch) -> None:
    shop = open_shop(max_concurrency=1)
    real, others = Recommender.serve, threading.Event()

    def slow(self: Recommender, *arguments: Any) -> Any:
        others.wait(30)
        return real(self, *arguments)

    monkeypatch.setattr(Recommender, "serve", slow)

    async def both() -> list[httpx.Response]:
        transport = httpx.ASGITransport(shop.client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000") as client:
            asked = [asyncio.create_task(client.post("/v1/recommend", json={})) for _ in range(2)]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            others.set()
            return list(await asyncio.gather(*asked))

    answers = asyncio.run(both())
    assert sorted(answer.status_code for answer in answers) == [200, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["Retry-After"] == "1"
    assert error_of(refused)["code"] == "too_many_requests"


@pytest.mark.parametrize("given", ["abc-123", "A.b_c", "x" * 64])
def test_a_good_request_id_is_kept(shop, given: str) -> None:
    response = shop.client.post("/v1/recommend", json={}, headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "a\\nb"])
def test_a_bad_request_id_is_replaced(shop, given: str) -> None:
    response = shop.client.post("/v1/recommend", json={}, headers={"X-Request-ID": given})
    assert response.status_code == 200
    assert response.headers["X-Request-ID"] != given


def test_other_origins_are_not_served_unless_named(open_shop) -> None:
    asking = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    closed = open_shop().client.options("/v1/recommend", headers=asking)
    assert "Access-Control-Allow-Origin" not in closed.headers
    shop = open_shop(api_key=KEY, cors_origins=("https://shop.example",))
    preflight = shop.client.options("/v1/recommend", headers=asking)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://shop.example"


def cold_starts(shop) -> float:
    # Counters of one name share a memory-mapped file within a process where Feast is imported.
    line = next(
        line for line in shop.client.get("/metrics").text.splitlines() if line.startswith(COLD_STARTS)
    )
    return float(line.rpartition(" ")[2])


def test_metrics_are_labelled_by_route_not_by_path(shop) -> None:
    before = cold_starts(shop)
    shop.recommend(user_id="nobody")
    shop.client.get("/v1/items/apple")
    shop.client.get("/v1/items/caviar")
    shop.client.get("/wp-login.php")
    text = shop.client.get("/metrics").text
    assert 'route="/v1/items/{item_id:path}",status="404"' in text
    assert "apple" not in text
    assert "wp-login" not in text
    assert 'recsys_bundle_info{bundle_id="bundle-1",dataset="corner-shop"} 1.0' in text
    assert cold_starts(shop) == before + 1


def test_what_is_answered_is_logged_with_the_candidates_that_were_not_shown(shop) -> None:
    response = shop.recommend(user_id="ann", k=3).json()
    shop.recommend(k=0)
    body = {"item_id": "apple", "k": 1, "filters": {"categories": ["fruit"]}}
    similar = shop.client.post("/v1/similar", json=body).json()
    first, second = shop.deployment.answer_log.answers
    assert (first.kind, first.request_id, first.user_id) == ("recommend", response["request_id"], "ann")
    assert (second.kind, second.request_id, second.user_id) == ("similar", similar["request_id"], None)
    assert [item.item_id for item in first.items] == [item["item_id"] for item in response["items"]]
    assert len(first.items) + len(first.further) == response["candidates"]
    assert (first.filters, second.filters) == (None, {"categories": ["fruit"]})


def test_the_page_loads_nothing_from_elsewhere(shop) -> None:
    response = shop.client.get("/")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    page = (Path(__file__).parents[2] / "serving" / "web" / "index.html").read_text("utf-8")
    assert "http://" not in page
    assert "https://" not in page
    assert "innerHTML" not in page
