"""Batches: a slate or an error for each row, in order, in bounded time, beside other requests."""

import asyncio
import logging
import threading
import time
from typing import Any

import httpx
import pytest

from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import MAX_BATCH, RecommendRequest
from tests.serving.conftest import Shop

PATHS = ("/v1/recommend:batch", "/recommend_batch")


def batch(shop: Shop, *rows: Any, path: str = PATHS[0], **headers: str) -> Any:
    return shop.client.post(path, json={"requests": list(rows)}, headers=headers)


def rows_of(answer: httpx.Response) -> list[Any]:
    """The rows of an answer of either path."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body if isinstance(body, list) else body["responses"]


@pytest.mark.parametrize("path", PATHS)
def test_each_row_has_what_a_single_request_would_get(shop: Shop, path: str) -> None:
    bodies = [{"user_id": "ann", "k": 2}, {"user_id": "nobody", "k": 1}, {"context_item_id": "bread", "k": 3}]
    single = [shop.recommend(**body).json() for body in bodies]
    rows = rows_of(batch(shop, *bodies, path=path, **{"X-Request-ID": "page"}))
    assert [row["request_id"] for row in rows] == ["page-0", "page-1", "page-2"]
    assert [row["items"] for row in rows] == [slate["items"] for slate in single]
    logged = [slate.request_id for slate in shop.deployment.answer_log.answers]
    assert sorted(logged)[-3:] == ["page-0", "page-1", "page-2"]


@pytest.mark.parametrize("path", PATHS)
def test_a_bad_row_does_not_fail_the_others(shop: Shop, path: str, caplog) -> None:
    wrong = [{"user": "secret-900"}, 7, None, {"k": 0}, {"context_item_id": "caviar"}, {"token": "99:1"}]
    with caplog.at_level(logging.INFO):
        rows = rows_of(batch(shop, {"user_id": "ann", "k": 1}, *wrong, {"k": 1}, path=path))
    assert [row["items"][0]["item_id"] for row in (rows[0], rows[-1])] == ["apple", "apple"]
    errors = [row["error"] for row in rows[1:-1]]
    codes = ["invalid_request"] * 4 + ["unknown_item", "invalid_request"]
    assert [error["code"] for error in errors] == codes
    assert errors[0]["message"] == "'user' is not a field of the body (got 'secret-900')"
    assert errors[0]["remedy"] == "Did you mean 'user_id'?"
    assert [error["request_id"].rpartition("-")[2] for error in errors] == list("123456")
    assert "secret-900" not in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"requests": [{}] * (MAX_BATCH + 1)}, 422, "at most 100 items"),
        ({"requests": {}}, 422, "requests: Input should be a valid list"),
        ({"request": []}, 422, "'request' is not a field"),
        ({}, 422, "requests: Field required"),
        ([], 422, "body: Input should be a valid dictionary"),
    ],
)
def test_a_batch_of_another_shape_is_refused_as_a_whole(
    shop: Shop, path: str, body: Any, status: int, said: str
) -> None:
    answer = shop.client.post(path, json=body)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


def test_a_batch_may_be_empty_or_full(shop: Shop) -> None:
    assert batch(shop).json() == {"responses": []}
    assert len(rows_of(batch(shop, *[{"k": 1}] * MAX_BATCH))) == MAX_BATCH


def test_reasons_speak_the_language_of_the_row_or_of_the_header(shop: Shop) -> None:
    rows = rows_of(
        batch(shop, {"user_id": "ann"}, {"user_id": "ann", "language": "en"}, **{"Accept-Language": "zh-CN"})
    )
    assert [row["items"][0]["reason"]["text"][:3] for row in rows] == ["您曾购", "bou"]


def test_the_path_of_bentomls_client_is_marked_as_deprecated(shop: Shop) -> None:
    answer = batch(shop, {"k": 1}, path="/recommend_batch")
    assert answer.headers["Deprecation"] == "@1795737600"
    assert answer.headers["Link"] == '</v1/recommend:batch>; rel="successor-version"'
    assert "Deprecation" not in batch(shop, {"k": 1}).headers


def test_without_a_bundle_each_row_says_so(open_shop) -> None:
    rows = rows_of(batch(open_shop(bundle_id=None), {}, {"user": 1}))
    assert [row["error"]["code"] for row in rows] == ["no_bundle", "invalid_request"]


def test_a_fault_in_one_row_is_logged_with_its_id_and_hidden(shop: Shop, monkeypatch, caplog) -> None:
    real = Recommender.serve

    def faulty(self: Recommender, request: RecommendRequest, *rest: Any) -> Any:
        return 1 / 0 if request.user_id == "ann" else real(self, request, *rest)

    monkeypatch.setattr(Recommender, "serve", faulty)
    rows = rows_of(batch(shop, {"user_id": "ann"}, {"k": 1}, **{"X-Request-ID": "page"}))
    assert rows[0]["error"]["code"] == "internal"
    assert "division" not in str(rows[0])
    assert rows[1]["items"]
    assert "request page-0 failed" in caplog.text


def test_a_slow_row_has_the_limit_of_a_single_request(open_shop, monkeypatch) -> None:
    shop = open_shop(timeout_seconds=0.5)
    release = threading.Event()
    real = Recommender.serve

    def slow(self: Recommender, request: RecommendRequest, *rest: Any) -> Any:
        if request.user_id == "ann":
            release.wait(30)
        return real(self, request, *rest)

    monkeypatch.setattr(Recommender, "serve", slow)
    rows = rows_of(batch(shop, {"user_id": "ann"}, {"k": 1}))
    release.set()
    assert rows[0]["error"]["code"] == "timeout"
    assert rows[1]["items"]


def test_rows_that_are_not_reached_in_time_are_told_not_the_whole_batch(open_shop, monkeypatch) -> None:
    shop = open_shop(batch_timeout_seconds=0.6, workers=2)  # rows of batches one at a time
    real = Recommender.serve

    def slow(self: Recommender, *arguments: Any) -> Any:
        time.sleep(0.1)
        return real(self, *arguments)

    monkeypatch.setattr(Recommender, "serve", slow)
    started = time.monotonic()
    rows = rows_of(batch(shop, *[{"k": 1}] * 100))
    assert time.monotonic() - started < 8, "a hundred rows would take ten seconds"
    late = [row["error"] for row in rows if "error" in row]
    assert "items" in rows[0]
    assert 90 <= len(late) < 100
    assert {error["code"] for error in late} == {"timeout"}
    assert late[-1]["message"] == "the batch was not done within 0.6 s"
    assert "again" in late[-1]["remedy"]


def test_batches_leave_half_of_the_threads_to_single_requests(open_shop, monkeypatch) -> None:
    shop = open_shop(workers=2)  # as many threads as the shop's pool has
    release, real = threading.Event(), Recommender.serve

    def slow(self: Recommender, request: RecommendRequest, *rest: Any) -> Any:
        if request.user_id == "batched":
            release.wait(60)
        return real(self, request, *rest)

    monkeypatch.setattr(Recommender, "serve", slow)

    async def ask() -> tuple[int, int]:
        transport = httpx.ASGITransport(shop.client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000") as client:
            rows = {"requests": [{"user_id": "batched"}] * 50}
            batches = [asyncio.create_task(client.post(PATHS[0], json=rows)) for _ in range(2)]
            await asyncio.sleep(0.1)
            single = await client.post("/v1/recommend", json={"user_id": "ann"})
            waiting = sum(not task.done() for task in batches)
            release.set()
            await asyncio.gather(*batches)
            return single.status_code, waiting

    assert asyncio.run(ask()) == (200, 2)


def test_rows_are_counted_by_what_became_of_them(shop: Shop) -> None:
    def count(code: str) -> float:
        name = f'recsys_batch_rows_total{{code="{code}"}} '
        lines = shop.client.get("/metrics").text.splitlines()
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    batch(shop, {"k": 1}, {"k": 0})  # counters of one name share a file within a process, and begin anywhere
    before = count("ok"), count("invalid_request")
    batch(shop, {"k": 1}, {"k": 1}, {"k": 0})
    assert (count("ok") - before[0], count("invalid_request") - before[1]) == (2, 1)


@pytest.mark.parametrize("path", PATHS)
def test_a_batch_has_the_bounds_and_the_key_of_any_body(open_shop, path: str) -> None:
    shop = open_shop(max_body_bytes=100, api_key="sesame")
    assert batch(shop, {}, path=path).status_code == 401
    answer = batch(shop, *[{"user_id": "ann"}] * 10, path=path, **{"X-API-Key": "sesame"})
    assert answer.status_code == 413
