"""Bodies and their announcements are bounded before anything parses them; none of them is a fault of ours."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from recsys.json_bounds import MAX_NESTING, json_problem, nesting_depth
from tests.serving.conftest import OpenShop, Shop

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def post(shop: Shop, path: str, body: bytes, headers: dict[str, str] = JSON) -> httpx.Response:
    return shop.client.post(path, content=body, headers=headers)


@pytest.mark.parametrize("levels", [65, 500, 990, 1005, 1022, 100_000])
@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/similar", "/v1/events"])
def test_deep_nesting_is_the_caller_s_fault(shop: Shop, path: str, levels: int) -> None:
    for body in (nested(levels), b'{"user_id": ' + nested(levels) + b"}", b"[" * levels):
        answer = post(shop, path, body)
        assert answer.status_code == 400
        assert "64 levels" in answer.json()["error"]["message"]


@pytest.mark.parametrize("levels", [990, 1022])
def test_a_row_that_is_too_deep_fails_alone(shop: Shop, levels: int) -> None:
    view = b'{"kind": "view", "event_id": "e1", "user_id": "ann", "item_id": "apple"}'
    answer = post(shop, "/v1/events", view + b"\n" + nested(levels) + b"\n", LINES)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["refused"]) == (200, 1, 1)
    assert "64 levels" in answer.json()["verdicts"][0]["message"]


def test_brackets_in_texts_do_not_nest(shop: Shop) -> None:
    body = orjson.dumps({"user_id": "[" * 200 + '"' + "{" * 50})
    assert nesting_depth(body) == 1
    assert post(shop, "/v1/recommend", body).status_code == 200
    assert nesting_depth(orjson.dumps(['[\\"[', {'\\"{': ["}"]}])) == 3


def test_as_many_levels_as_may_be_are_parsed() -> None:
    assert json_problem(nested(MAX_NESTING)) is None
    assert json_problem(nested(MAX_NESTING) * 3) is None
    assert json_problem(nested(MAX_NESTING + 1)) is not None


def test_json_is_utf_8(shop: Shop) -> None:
    hidden = '{"user_id": "\u2200' + "[" * 900 + '"}'
    assert post(shop, "/v1/recommend", hidden.encode("utf-16")).status_code == 400


@pytest.mark.parametrize(
    "length",
    ["9" * 4400, "9" * 19, "-1", "+5", "1e3", "0x10", "", " ", "5, 5", "٣", "1_000"],
)
def test_a_length_that_is_none_is_400(shop: Shop, length: str) -> None:
    answer = raw(shop, [(b"content-length", length.encode("utf-8"))])
    assert answer == 400


def test_a_length_is_announced_once(shop: Shop) -> None:
    assert raw(shop, [(b"content-length", b"2")]) == 200
    assert raw(shop, [(b"content-length", b"2"), (b"content-length", b"2")]) == 400
    assert raw(shop, [(b"content-length", b"2"), (b"content-length", b"3")]) == 400


def test_a_body_that_does_not_arrive_in_time_is_408(open_shop: OpenShop) -> None:
    shop = open_shop(body_seconds=0.05)
    assert raw(shop, [(b"content-length", b"10")], receive=lambda: asyncio.sleep(30, {})) == 408


def test_requests_that_wait_for_their_body_do_not_keep_others_out(open_shop: OpenShop) -> None:
    shop = open_shop(max_concurrency=2, body_seconds=30.0)

    async def ask() -> int:
        transport = httpx.ASGITransport(shop.client.app)

        async def half() -> Any:
            yield b"{"
            await asyncio.sleep(60)

        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000") as client:
            waiting = [asyncio.create_task(client.post("/v1/recommend", content=half())) for _ in range(80)]
            await asyncio.sleep(0.2)
            answer = await client.post("/v1/recommend", json={"user_id": "ann"})
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            return answer.status_code

    assert asyncio.run(ask()) == 200


def raw(shop: Shop, headers: list[tuple[bytes, bytes]], receive: Callable[[], Any] | None = None) -> int:
    """The status of a POST whose headers no parser has looked at."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/recommend",
        "raw_path": b"/v1/recommend",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json"), *headers],
        "server": ("127.0.0.1", 3000),
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
    }
    sent: list[Any] = []

    async def whole() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(shop.client.app(scope, receive or whole, send))
    return int(sent[0]["status"])
