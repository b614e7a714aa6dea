"""Collection behind HTTP: verdicts, durability, back-pressure, tokens."""

import threading
import time
from typing import Any

import orjson
import pytest

from recsys.events import parse_event
from recsys.instants import to_micros
from recsys.service_settings import StreamSettings
from tests.fake_world import NOW
from tests.serving.conftest import PATIENT

VIEW = {"kind": "view", "event_id": "e1", "user_id": "ann", "item_id": "apple", "at": "2024-06-01T11:59:00Z"}
UPSERT = {"kind": "item_upsert", "event_id": "u1", "item_id": "apple", "price_micros": 5}


def views(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [{**VIEW, "event_id": f"e{number}", **changes} for number in range(count)]


def stored(shop: Any) -> list[Any]:
    """Every event of the stream, partition by partition."""
    return [parse_event(orjson.loads(entry.body)) for log in shop.stream.logs for entry in log]


def send(shop: Any, rows: Any, **headers: str) -> Any:
    return post(shop, orjson.dumps(rows), **headers)


def post(shop: Any, body: bytes, **headers: str) -> Any:
    return shop.client.post(
        "/v1/events", content=body, headers={"Content-Type": "application/json", **headers}
    )


def test_an_accepted_event_is_in_the_stream_and_its_token_names_where(shop) -> None:
    answer = send(shop, VIEW)
    assert answer.status_code == 200
    (partition,) = [number for number, log in enumerate(shop.stream.logs) if log]
    assert answer.json() == {"accepted": 1, "refused": 0, "token": f"{partition}:1", "verdicts": []}
    assert stored(shop) == [parse_event(VIEW)]
    (entry,) = shop.stream.logs[partition]
    assert entry.accepted_at == to_micros(NOW)
    assert entry.request_id == answer.headers["X-Request-ID"]


def test_each_row_has_its_own_verdict(shop) -> None:
    anonymous = {name: value for name, value in VIEW.items() if name != "event_id"}
    answer = send(shop, [VIEW, {**VIEW, "item_id": ""}, anonymous, 7]).json()
    assert (answer["accepted"], answer["refused"]) == (2, 2)
    refused, generated, number = answer["verdicts"]
    assert (refused["index"], refused["verdict"], refused["event_id"]) == (1, "refused", "e1")
    assert refused["message"] == "item_id must be a text that is not empty (got '')."
    assert (generated["index"], generated["verdict"]) == (2, "generated")
    assert generated["event_id"] in {event.event_id for event in stored(shop)}
    assert (number["index"], number["event_id"]) == (3, None)


def test_lines_are_rows_and_a_broken_one_costs_only_itself(shop) -> None:
    body = b"\n".join([orjson.dumps(VIEW), b"{", b"", orjson.dumps({**VIEW, "event_id": "e2"})])
    answer = shop.client.post(
        "/v1/events", content=body, headers={"Content-Type": "application/x-ndjson; charset=utf-8"}
    ).json()
    assert (answer["accepted"], answer["refused"]) == (2, 1)
    assert answer["verdicts"][0]["index"] == 1
    assert "the line is not JSON" in answer["verdicts"][0]["message"]


def test_upserts_go_to_the_catalogs_partition(shop) -> None:
    assert (
        send(shop, [UPSERT, {"kind": "user_upsert", "event_id": "u2", "user_id": "ann"}]).json()["token"]
        == "8:2"
    )


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "the body is not JSON"),
        (b"", 400, "the body is not JSON"),
        (b'"view"', 422, "the body is 'view'"),
        (b"null", 422, "the body is None"),
        (orjson.dumps([VIEW] * 1001), 422, "1001 events; 1000 are taken at a time"),
    ],
)
def test_a_body_that_is_not_understood_is_refused_as_a_whole(
    shop, body: bytes, status: int, said: str
) -> None:
    answer = post(shop, body)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]
    assert stored(shop) == []


def test_nothing_accepted_is_no_token_and_needs_no_transport(shop) -> None:
    shop.stream.away = True
    for rows in ([], [7]):
        answer = send(shop, rows)
        assert (answer.status_code, answer.json()["token"]) == (200, None)


def test_a_transport_that_is_away_is_503_and_comes_back(shop) -> None:
    shop.stream.away = True
    answer = send(shop, VIEW)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
    assert answer.headers["Retry-After"] == "1"
    shop.stream.away = False
    assert send(shop, VIEW).status_code == 200


def test_events_need_the_key(open_shop) -> None:
    shop = open_shop(api_key="sesame")
    assert send(shop, VIEW).status_code == 401
    assert send(shop, VIEW, **{"X-API-Key": "sesame"}).status_code == 200


def known_backlog(shop: Any) -> None:
    """Lets the service look at the stream's status, as it does beside requests."""
    shop.deployment.collector.refresh_backlog()


def test_past_the_bound_of_waiting_events_more_are_429(open_shop) -> None:
    shop = open_shop(stream=StreamSettings(max_lag=3))
    assert send(shop, views(4)).status_code == 200
    known_backlog(shop)
    answer = send(shop, VIEW)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_events")
    assert answer.headers["Retry-After"] == "1"
    assert "4 events wait already" in answer.json()["error"]["message"]
    assert send(shop, UPSERT).status_code == 200, "the catalog counts by itself"
    assert send(shop, [UPSERT, VIEW]).status_code == 429
    for partition, log in enumerate(shop.stream.logs):
        shop.stream.committed[partition] = len(log)
    known_backlog(shop)
    assert send(shop, VIEW).status_code == 200


def test_a_slow_catalog_does_not_stop_clicks(open_shop) -> None:
    shop = open_shop(stream=StreamSettings(max_lag=1))
    send(shop, [{**UPSERT, "event_id": f"u{number}"} for number in range(2)])
    known_backlog(shop)
    assert [send(shop, row).status_code for row in (UPSERT, VIEW)] == [429, 200]


def test_an_old_look_at_the_backlog_turns_nobody_away(open_shop) -> None:
    shop = open_shop(stream=StreamSettings(max_lag=3))
    send(shop, views(4))
    known_backlog(shop)
    shop.clock.seconds += 60
    shop.stream.committed = [len(log) for log in shop.stream.logs]
    assert send(shop, VIEW).status_code == 200


def token_of(shop: Any) -> str:
    return send(shop, VIEW).json()["token"]


def see(shop: Any, token: str) -> None:
    partition, offset = token.split(":")
    shop.progress.advance({int(partition): int(offset)}, [])


def test_a_recommendation_waits_for_its_token(open_shop) -> None:
    shop = open_shop(stream=PATIENT)
    token = token_of(shop)
    worker = threading.Timer(0.05, see, (shop, token))
    started = time.monotonic()
    worker.start()
    answer = shop.recommend(user_id="ann", k=1, token=token)
    assert (answer.status_code, answer.json()["degraded"]) == (200, [])
    assert 0.05 <= time.monotonic() - started < PATIENT.wait_for_token_seconds / 2
    worker.join()


@pytest.mark.parametrize("away", [False, True])
def test_a_token_that_is_not_reached_in_time_is_flagged(shop, away: bool) -> None:
    shop.progress.away = away
    answer = shop.recommend(user_id="ann", k=1, token=token_of(shop))
    assert answer.status_code == 200
    assert answer.json()["degraded"] == ["events_not_visible_yet"]
    assert answer.json()["items"][0]["item_id"] == "apple"


@pytest.mark.parametrize("token", ["", "x", "1", "1:2,", "1:2;3:4", "-1:2", "1:2\n", "9:1", "1:" + "9" * 30])
def test_a_malformed_token_is_422(shop, token: str) -> None:
    answer = shop.recommend(user_id="ann", token=token)
    assert answer.status_code == 422
    assert "token" in answer.json()["error"]["message"]


def test_metrics_tell_of_events_lag_freshness_and_waits(shop) -> None:
    send(shop, [VIEW, 7])
    shop.recommend(user_id="ann", token=token_of(shop))
    lines = shop.client.get("/metrics").text.splitlines()
    for start in (
        'recsys_events_total{verdict="accepted"}',
        'recsys_events_total{verdict="refused"}',
        "recsys_events_append_seconds_count",
        'recsys_token_wait_seconds_count{outcome="not_yet"}',
        'recsys_event_freshness_seconds{quantile="0.99"} 0.25',
        'recsys_stream_lag_events{partition="8"} 0.0',
        'recsys_clock_faults{what="rows_ahead"} 3.0',
    ):
        assert any(line.startswith(start) for line in lines), start
    lags = [float(line.split()[1]) for line in lines if line.startswith("recsys_stream_lag_events{")]
    assert sum(lags) == 2


def test_metrics_are_there_while_the_stream_is_not(shop) -> None:
    shop.stream.away = shop.progress.away = True
    assert shop.client.get("/metrics").status_code == 200
