"""The closed loop against a service that is a fake, and the door to a real one."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from recsys.errors import RequestError, StoreUnavailableError
from recsys.events import parse_event
from recsys.instants import DAY, now_micros
from recsys.simulation.habits import Habits
from recsys.simulation.judge import Oracle, served_calibration
from recsys.simulation.live import LiveTraffic, Pace, Tally, set_pace, start_pace
from recsys.simulation.page_events import Names
from recsys.simulation.service import Answer, HttpService, Receipt
from recsys.simulation.shop_front import WHOLE_SHOP, ShopFront
from recsys.simulation.truth import TruthWriter, read_truth
from recsys.simulation.world import World, open_world
from tests.simulation.catalogs import small_catalog


class FakeService:
    """Shows popular items, believes that half of them are clicked, and remembers what it is told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.front = ShopFront(world.space)
        self.asked: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []

    async def recommend(
        self, user_id: str, size: int, category: str | None = None, token: str | None = None
    ) -> Answer:
        self.asked.append({"user_id": user_id, "category": category, "token": token})
        request = f"request-{len(self.asked)}"
        await asyncio.sleep(0)
        number = self.world.space.categories.index(category) if category else WHOLE_SHOP
        shown = self.front.slates(np.array([number]), size, self.world.rng)[0].tolist()
        ids = tuple(self.world.space.ids[item] for item in shown)
        return Answer(request, ids, (0.5,) * len(ids), ())

    async def send(self, rows: Sequence[dict[str, Any]]) -> Receipt:
        await asyncio.sleep(0)
        self.rows += rows
        return Receipt(len(rows), 0, f"token-{len(self.rows)}", None)


def play(folder: Path, seconds: float = 1.0, rate: float = 3000, **habits: Any) -> tuple[FakeService, Tally]:
    world = open_world(Habits(**{"shoppers": 200, "bot_views": 50, **habits}), small_catalog())
    pace = start_pace(seconds, 1.0, now_micros())
    world = set_pace(world, pace, rate)
    service = FakeService(world)
    with TruthWriter(folder / "truth.parquet", world) as writer:
        traffic = LiveTraffic(world, service, pace, Names("1"), writer)
        return service, asyncio.run(traffic.run())


def test_shoppers_report_what_they_did_with_the_slates_of_the_service(tmp_path: Path) -> None:
    service, tally = play(tmp_path)
    events = {row["event_id"]: parse_event(row) for row in service.rows}
    assert tally.accepted == len(service.rows)
    assert 0.5 * 3000 < len(service.rows) < 2 * 3000  # a second at about that rate
    shown = read_truth(tmp_path / "truth.parquet").shown.to_pylist()
    impressions = [event for event in events.values() if event.kind == "impression"]
    assert len(shown) == len(impressions) == tally.shown
    clicks = {(e.request_id, e.position) for e in events.values() if e.kind == "click"}  # type: ignore[attr-defined]
    assert clicks == {(row["request_id"], row["position"]) for row in shown if row["clicked"]}
    assert tally.clicks == len(clicks)
    now = time.time()
    assert all(event.at.timestamp() < now + 300 for event in events.values())  # the service believes all


def test_pages_that_are_read_when_the_run_ends_are_finished(tmp_path: Path) -> None:
    """Otherwise long pages, those with clicks, would be missing in the truth."""
    world = open_world(Habits(shoppers=200, bot_share=0), small_catalog())
    pace = start_pace(1.0, None, now_micros())  # real time: no page ends within a second
    service = FakeService(world)
    traffic = LiveTraffic(set_pace(world, pace, 3000), service, pace, Names("1"))
    began = time.monotonic()
    tally = asyncio.run(traffic.run())
    assert time.monotonic() - began < 5
    assert tally.slates == tally.visits > 30  # nobody came to a second page
    assert abs(tally.clicks - tally.expected_clicks) < 4 * tally.expected_clicks**0.5
    assert sum(row["kind"] == "click" for row in service.rows) >= tally.clicks


def test_every_request_carries_the_token_of_what_was_said_before(tmp_path: Path) -> None:
    service, _ = play(tmp_path, rate=2000, shoppers=20)
    told = {row["user_id"] for row in service.rows}
    last = {one["user_id"]: one["token"] for one in service.asked}
    again = [one["user_id"] for one in service.asked if one["user_id"] in told]
    assert len(again) > len(set(again))  # they came more than once
    assert all(last[user] for user in set(again) if again.count(user) > 2)
    assert any(one["category"] for one in service.asked)


def test_duplicates_are_sent_again_with_the_same_id(tmp_path: Path) -> None:
    service, _ = play(tmp_path, duplicate_share=0.5)
    ids = [row["event_id"] for row in service.rows]
    assert 0.4 < (len(ids) - len(set(ids))) / len(set(ids)) < 0.6


def test_the_service_s_own_probabilities_are_judged_by_the_truth(tmp_path: Path) -> None:
    _, tally = play(tmp_path)
    truth = read_truth(tmp_path / "truth.parquet")
    found = served_calibration(truth)
    assert found.rows == tally.shown
    assert found.mean_predicted == 0.5
    assert found.error == pytest.approx(0.5 - found.mean_true)
    row = truth.shown.slice(0, 1).to_pylist()[0]
    assert row["attraction"] > 0
    assert len(Oracle(truth).best(row["user_id"], row["day"], 5)) == 5


def test_virtual_time_ends_with_the_run_two_minutes_behind_real_time() -> None:
    pace = start_pace(60, 2.0, 10 * DAY)
    assert pace.end == 10 * DAY + 60_000_000 - 120_000_000  # two minutes behind
    assert pace.end - pace.start == 2 * DAY
    assert start_pace(60, None, 10 * DAY).speed == 1
    assert start_pace(60, None, 10 * DAY).start == 10 * DAY - 120_000_000


def test_a_run_is_paced_to_the_rate_whatever_the_number_of_shoppers() -> None:
    pace = Pace(0, 7 * DAY, 7 * 86_400 / 60, 0.0)  # a week in a minute
    for shoppers in (10, 1000):
        world = open_world(Habits(shoppers=shoppers, bot_share=0, duplicate_share=0), small_catalog())
        visits_in_a_minute = set_pace(world, pace, 118).rates.sum() * 7
        assert visits_in_a_minute * 2 * (11.5 + 0.3) == pytest.approx(118 * 60, rel=1e-3)


def answering(*answers: httpx.Response) -> tuple[HttpService, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers[min(len(asked), len(answers)) - 1]

    return HttpService("http://shop", "secret", httpx.MockTransport(answer)), asked


def send(service: HttpService, rows: list[dict[str, Any]]) -> Receipt:
    async def go() -> Receipt:
        async with service:
            return await service.send(rows)

    return asyncio.run(go())


TAKEN = {"accepted": 1, "refused": 0, "token": "0:1", "verdicts": []}


def test_a_busy_service_is_told_the_same_events_again() -> None:
    service, asked = answering(
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(503),
        httpx.Response(200, json=TAKEN),
    )
    assert send(service, [{"event_id": "e"}]) == Receipt(1, 0, "0:1", None)
    assert service.retries == 2
    assert [orjson.loads(request.content) for request in asked] == [[{"event_id": "e"}]] * 3
    assert asked[0].headers["X-API-Key"] == "secret"


def test_a_refused_row_is_shown_with_its_reason() -> None:
    verdicts = [
        {"index": 0, "verdict": "generated", "event_id": "g", "message": "made an id"},
        {"index": 1, "verdict": "refused", "event_id": "e", "message": "position must be ..."},
    ]
    answer = {"accepted": 1, "refused": 1, "token": None, "verdicts": verdicts}
    service, _ = answering(httpx.Response(200, json=answer))
    assert send(service, [{}, {}]) == Receipt(1, 1, None, "position must be ...")


def test_a_service_that_rejects_a_request_is_not_called_again() -> None:
    service, asked = answering(httpx.Response(422, text="no such field"))
    with pytest.raises(RequestError, match="422: no such field"):
        send(service, [])
    assert len(asked) == 1


def test_a_service_that_is_not_there_is_said_to_be_so() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(StoreUnavailableError, match="bentoml serve"):
        send(HttpService("http://shop", None, httpx.MockTransport(refuse)), [])


def test_a_failing_service_ends_the_run_with_its_error(tmp_path: Path) -> None:
    class Broken(FakeService):
        async def send(self, rows: Sequence[dict[str, Any]]) -> Receipt:
            if rows:
                raise StoreUnavailableError("service", "/v1/events", 0.1)
            return Receipt(0, 0, None, None)

    world = open_world(Habits(), small_catalog())
    pace = start_pace(0.5, 1.0, now_micros())
    traffic = LiveTraffic(set_pace(world, pace, 1000), Broken(world), pace, Names("1"))
    with pytest.raises(StoreUnavailableError, match="/v1/events"):
        asyncio.run(traffic.run())
