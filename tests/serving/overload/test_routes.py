"""Overload as a client sees it: simpler answers that say so, then 429, and what is answered all the same."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from recsys.funnel.requests import EFFORT_DEGRADATIONS, Effort
from serving.middleware import ANSWER_PATHS
from serving.overload.arrival import ARRIVED, arrival, note_arrival
from serving.overload.ladder import Ladder
from tests.serving.conftest import OpenShop, Shop

VIEW = {"kind": "view", "event_id": "e1", "user_id": "ann", "item_id": "apple"}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/recommend": {"user_id": "ann"},
    "/v1/similar": {"item_id": "apple"},
    "/v1/search": {"query": "", "user_id": "ann"},
    "/v1/page": {"user_id": "ann", "k": 4},
}


def test_every_path_that_waits_for_a_turn_is_a_route(shop: Shop) -> None:
    routes = {route.path for route in shop.client.app.routes if isinstance(route, APIRoute)}
    assert routes > ANSWER_PATHS


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("effort", Effort)
def test_degraded_names_the_rung(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, path: str, effort: Effort
) -> None:
    monkeypatch.setattr(Ladder, "rung", lambda self, now: effort)
    answer = shop.client.post(path, json=BODIES[path])
    assert answer.status_code == 200
    degraded = answer.json()["degraded"]
    assert [code for code in degraded if code in EFFORT_DEGRADATIONS] == list(effort.codes)
    assert answer.json()["items"]
    text = shop.client.get("/metrics").text
    assert f"recsys_effort_rung {float(effort)}" in text


def full(shop: Shop, scene: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Plays `scene` while all turns are taken and as many requests wait, of which none goes on."""

    async def play() -> None:
        turns, end = shop.deployment.turns, asyncio.Event()

        async def hold() -> None:
            async with turns.take(turns.now()):
                await end.wait()

        held = [asyncio.create_task(hold()) for _ in range(shop.settings.workers)]
        transport = httpx.ASGITransport(shop.client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000") as client:
            await asyncio.sleep(0)
            await scene(client)
        end.set()
        await asyncio.gather(*held)

    asyncio.run(play())


def test_whose_turn_does_not_come_in_time_is_told_to_come_back(open_shop: OpenShop) -> None:
    async def scene(client: httpx.AsyncClient) -> None:
        for path in sorted(ANSWER_PATHS - {"/v1/suggest", "/v1/ads"}):
            refused = await client.post(path, json=BODIES[path])
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1"), path
            error = refused.json()["error"]
            assert error["code"] == "too_many_requests"
            assert "within 0.01 s" in error["message"]
        assert (await client.get("/v1/suggest", params={"q": "a"})).status_code == 429
        assert (await client.post("/v1/ads", json={"user_id": "ann"})).status_code == 429

    shop = open_shop(wait_seconds=0.01)
    full(shop, scene)
    assert shop.recommend(user_id="ann").status_code == 200
    assert 'recsys_turned_away_total{turns="answers"} 6.0' in shop.client.get("/metrics").text


def test_health_metrics_and_events_are_answered_meanwhile(open_shop: OpenShop) -> None:
    async def scene(client: httpx.AsyncClient) -> None:
        for path in ("/livez", "/readyz", "/metrics", "/v1/items/apple", "/v1/rules"):
            assert (await client.get(path)).status_code == 200, path
        sent = await client.post("/v1/events", json=VIEW)
        assert (sent.status_code, sent.json()["accepted"]) == (200, 1)

    full(open_shop(wait_seconds=0.01), scene)


def test_rows_of_a_batch_that_are_turned_away_say_so_one_by_one(open_shop: OpenShop) -> None:
    async def scene(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/recommend:batch", json={"requests": [{"user_id": "ann"}] * 3})
        assert answer.status_code == 200
        rows = answer.json()["responses"]
        assert [row["error"]["code"] for row in rows] == ["too_many_requests"] * 3

    full(open_shop(wait_seconds=0.01), scene)


def test_events_beyond_what_can_be_written_are_429_and_none_of_them_is_stored(open_shop: OpenShop) -> None:
    async def play() -> list[int]:
        turns, end = shop.deployment.collector.turns, asyncio.Event()
        assert turns.limit_seconds == shop.settings.timeout_seconds / 2

        async def hold() -> None:
            async with turns.take(turns.now()):
                await end.wait()

        held = [asyncio.create_task(hold()) for _ in range(8)]
        transport = httpx.ASGITransport(shop.client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000") as client:
            await asyncio.sleep(0)
            refused = await client.post("/v1/events", json=VIEW)
            end.set()
            await asyncio.gather(*held)
            taken = await client.post("/v1/events", json={**VIEW, "event_id": "e2"})
        return [refused.status_code, taken.status_code]

    shop = open_shop(timeout_seconds=0.5)
    assert asyncio.run(play()) == [429, 200]
    assert sum(status.lag for status in shop.stream.status()) == 1


def test_the_socket_knows_best_when_a_request_arrived() -> None:
    assert note_arrival({"type": "http", "state": {ARRIVED: 12.5}}) == arrival() == 12.5
    before = note_arrival({"type": "http", "state": {}})
    assert before == arrival() > 12.5
