"""Pages of other sites reach nothing: not from elsewhere, and not by a name that was made to point here."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.serving.conftest import OpenShop, Shop

KEY = "open-sesame"
VIEW = '{"kind": "view", "user_id": "ann", "item_id": "apple"}'
ORIGIN = "https://shop.example"


def status(shop: Shop, path: str, **headers: str) -> int:
    return shop.client.get(path, headers=headers).status_code


def raw_status(shop: Shop, headers: list[tuple[bytes, bytes]], http_version: str = "1.1") -> int:
    """The status of a request with exactly these headers."""
    scope = {
        "type": "http",
        "http_version": http_version,
        "method": "GET",
        "path": "/v1/items/apple",
        "raw_path": b"/v1/items/apple",
        "query_string": b"",
        "headers": headers,
        "server": ("127.0.0.1", 3000),
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(shop.client.app(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize("path", ["/v1/history?user_id=ann", "/v1/items/apple", "/metrics", "/", "/readyz"])
def test_a_name_that_was_made_to_point_here_is_not_answered(shop: Shop, path: str) -> None:
    response = shop.client.get(path, headers={"Host": "attacker.example:3000"})
    assert response.status_code == 421
    error = response.json()["error"]
    assert error["code"] == "host_not_allowed"
    assert "attacker.example" in error["message"]
    assert "serving.allowed_hosts" in error["remedy"]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.:80", "127.0.0.1", "127.9.9.9:1", "[::1]:3000", "[::ffff:127.0.0.1]"]
)
def test_this_machine_s_own_names_are_answered_with_any_port(shop: Shop, host: str) -> None:
    assert status(shop, "/v1/items/apple", Host=host) == 200


@pytest.mark.parametrize(
    "host", ["localhost:3000.attacker.example", "ann@localhost", "local host", "::1", ""]
)
def test_what_is_no_host_is_400(shop: Shop, host: str) -> None:
    assert status(shop, "/v1/items/apple", Host=host) == 400


def test_a_host_is_named_once_and_only_http_1_0_may_leave_it_out(shop: Shop) -> None:
    local = (b"host", b"localhost")
    assert raw_status(shop, [local]) == 200
    assert raw_status(shop, [local, local]) == 400
    assert raw_status(shop, []) == 400
    assert raw_status(shop, [], "1.0") == 200


def test_names_of_the_settings_are_answered(open_shop: OpenShop) -> None:
    shop = open_shop(allowed_hosts=("Recsys.internal",))
    assert status(shop, "/v1/items/apple", Host="recsys.internal:8080") == 200
    assert status(shop, "/v1/items/apple", Host="attacker.example") == 421
    assert status(open_shop(host="shop.local"), "/v1/items/apple", Host="shop.local") == 200


def test_with_a_key_the_key_decides_unless_hosts_are_named(open_shop: OpenShop) -> None:
    shop = open_shop(api_key=KEY)
    assert status(shop, "/v1/items/apple", Host="recsys.internal", **{"X-API-Key": KEY}) == 200
    assert status(shop, "/v1/items/apple", Host="recsys.internal") == 401
    strict = open_shop(api_key=KEY, allowed_hosts=("recsys.internal",))
    assert status(strict, "/v1/items/apple", Host="attacker.example", **{"X-API-Key": KEY}) == 421


@pytest.mark.parametrize(
    "origin", ["https://attacker.example", "null", "http://127.0.0.1:8080", "file://", ""]
)
def test_a_page_of_another_origin_neither_reads_nor_posts(shop: Shop, origin: str) -> None:
    # text/plain: what a browser sends to another origin without asking first.
    headers = {"Origin": origin, "Content-Type": "text/plain"}
    posted = shop.client.post("/v1/events", content=VIEW, headers=headers)
    assert posted.status_code == 403
    assert posted.json()["error"]["code"] == "origin_not_allowed"
    assert "serving.cors_origins" in posted.json()["error"]["remedy"]
    assert sum(map(len, shop.stream.logs)) == 0
    for path in ("/v1/history?user_id=ann", "/v1/items/apple", "/metrics"):
        assert status(shop, path, Origin=origin) == 403


def test_the_service_s_own_page_works(shop: Shop) -> None:
    assert status(shop, "/") == 200
    own = {"Origin": "http://127.0.0.1:3000"}
    assert shop.client.post("/v1/recommend", json={"user_id": "ann"}, headers=own).status_code == 200
    assert shop.client.post("/v1/events", json={"kind": "view"}, headers=own).status_code == 200
    by_address = {"Host": "[::1]:3000", "Origin": "http://[::1]:3000"}
    assert shop.client.post("/v1/recommend", json={}, headers=by_address).status_code == 200


def test_an_origin_of_the_settings_asks_first_and_is_answered(open_shop: OpenShop) -> None:
    shop = open_shop(cors_origins=(ORIGIN,))
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    assert shop.client.options("/v1/recommend", headers=asked).status_code == 200
    answer = shop.client.post("/v1/recommend", json={}, headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert shop.client.post("/v1/recommend", json={}, headers={"Origin": ORIGIN + ".x"}).status_code == 403
    everybody = open_shop(cors_origins=("*",))
    assert everybody.client.post("/v1/recommend", json={}, headers={"Origin": ORIGIN}).status_code == 200


def test_without_a_key_an_address_of_elsewhere_is_told_to_set_one(shop: Shop) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(shop.client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://192.168.1.5:3000") as client:
            return await client.get("/v1/items/apple")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["error"]["remedy"]) == (
        401,
        "Set RECSYS_API_KEY, or run `recsys keys create`.",
    )
