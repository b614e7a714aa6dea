"""The client against the application, and against services that fail in every way."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from recsys.client import MAX_BYTES, RecsysClient, ad_click, ad_impression, click, impressions, search_event
from recsys.errors import (
    BacklogError,
    ConfigError,
    InvalidEventError,
    RecsysError,
    RequestError,
    StoreUnavailableError,
    UnknownItemError,
)
from recsys.events import Click, Impression, View, encode_event, parse_event
from recsys.funnel.slate import Slate
from recsys.http import retry_after
from recsys.service_settings import StreamSettings
from tests.fake_world import NOW
from tests.serving.conftest import PATIENT

VIEW = {"kind": "view", "user_id": "ann", "item_id": "apple", "at": NOW}


def client_of(shop: Any, **options: Any) -> RecsysClient:
    """A client whose network is the application."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = shop.client.post(request.url.path, content=request.content, headers=dict(request.headers))
        return httpx.Response(found.status_code, headers=dict(found.headers), content=found.content)

    return RecsysClient(transport=httpx.MockTransport(answer), sleep=lambda _: None, **options)


class Script:
    """A service that gives these answers in turn, the last one for ever, and keeps what it was asked."""

    def __init__(self, *answers: Callable[[], httpx.Response]) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.content)
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])()

    def client(self, **options: Any) -> RecsysClient:
        return RecsysClient(transport=httpx.MockTransport(self), sleep=self.pauses.append, **options)


def accepted(token: str = "0:1") -> httpx.Response:
    return httpx.Response(200, json={"accepted": 1, "refused": 0, "token": token, "verdicts": []})


def refused(status: int, code: str = "unavailable", **headers: str) -> Callable[[], httpx.Response]:
    error = {"code": code, "message": "it cannot be", "remedy": "Wait.", "request_id": "r1"}
    return lambda: httpx.Response(status, json={"error": error}, headers=headers)


def broken() -> httpx.Response:
    raise httpx.ConnectError("refused")


def stored(shop: Any) -> list[Any]:
    return [parse_event(orjson.loads(entry.body)) for log in shop.stream.logs for entry in log]


def test_a_slate_is_typed_and_a_click_on_it_names_what_it_answers_to(open_shop) -> None:
    shop = open_shop(stream=PATIENT)
    with client_of(shop) as client:
        slate = client.recommend("ann", k=2)
        assert isinstance(slate, Slate)
        assert [item.item_id for item in slate.items] == ["apple", "milk"]
        assert (slate.at, slate.items[0].reason.code) == (NOW, "bought_before")
        sent = client.send([*impressions(slate, at=NOW), click(slate, 2, at=NOW)])
        assert (sent.accepted, sent.refused) == (3, ())
        events = stored(shop)
        assert [type(event) for event in events] == [Impression, Impression, Click]
        assert {(event.user_id, event.request_id) for event in events} == {("ann", slate.request_id)}
        assert [(event.item_id, event.position) for event in events] == [
            ("apple", 1),
            ("milk", 2),
            ("milk", 2),
        ]
        partition, offset = map(int, sent.token.split(":"))
        shop.progress.advance({partition: offset}, [])
        assert client.recommend("ann", token=sent.token).degraded == ()
        assert {item.item_id for item in client.similar("apple", k=2).items} == {"banana", "cherry"}


def test_impressions_reported_twice_have_the_same_ids_and_clicks_have_not(shop) -> None:
    slate = client_of(shop).recommend("ann", k=2)
    first, again = impressions(slate), impressions(slate)
    assert [event.event_id for event in first] == [event.event_id for event in again]
    assert len({event.event_id for event in first}) == 2
    assert click(slate, 1).event_id != click(slate, 1).event_id


def test_a_visitors_slate_needs_a_name_and_a_click_a_place(shop) -> None:
    slate = client_of(shop).recommend(k=1)
    with pytest.raises(RequestError, match="user_id"):
        click(slate, 1)
    assert click(slate, 1, user_id="visitor-7").user_id == "visitor-7"
    with pytest.raises(RequestError, match=r"position 2 is not on the slate\. It has 1 items"):
        click(slate, 2, user_id="visitor-7")


def test_many_events_are_split_and_verdicts_keep_their_places(shop) -> None:
    rows = [{**VIEW, "event_id": f"e{number}"} for number in range(2500)]
    rows[2100]["item_id"] = ""
    sent = client_of(shop).send(rows)
    assert sent.accepted == 2499
    assert [(verdict.index, verdict.event_id) for verdict in sent.refused] == [(2100, "e2100")]
    assert sent.token.endswith(":2499")
    assert len({event.event_id for event in stored(shop)}) == 2499


def test_long_events_are_split_by_bytes() -> None:
    script = Script(accepted)
    text = "x" * 100_000
    upserts = [{"kind": "item_upsert", "item_id": f"i{number}", "text": text} for number in range(20)]
    assert script.client().send(upserts).accepted == 3
    assert len(script.bodies) == 3
    assert max(map(len, script.bodies)) <= MAX_BYTES
    assert [row["item_id"] for body in script.bodies for row in orjson.loads(body)] == [
        f"i{number}" for number in range(20)
    ]


def test_tokens_of_several_bodies_become_one() -> None:
    script = Script(lambda: accepted("0:7,2:9"), lambda: accepted("2:8,1:3"))
    assert script.client().send([VIEW] * 1001).token == "0:7,1:3,2:9"


def test_nothing_sent_is_no_request() -> None:
    script = Script(accepted)
    assert (script.client().send([]).token, script.bodies) == (None, [])


def test_a_retry_sends_the_same_ids_as_late_as_it_is_asked_to() -> None:
    script = Script(refused(503, **{"Retry-After": "7"}), refused(429), broken, accepted)
    assert script.client().send([VIEW]).accepted == 1
    assert len(script.bodies) == 4
    assert len(set(script.bodies)) == 1
    assert script.pauses == [7.0, 0.4, 0.8]
    assert orjson.loads(script.bodies[0])[0]["event_id"]


@pytest.mark.parametrize(
    ("answer", "error", "tries"),
    [
        (refused(400), RequestError, 1),
        (refused(401), ConfigError, 1),
        (refused(404), UnknownItemError, 1),
        (refused(413), RequestError, 1),
        (refused(422), RequestError, 1),
        (refused(429, "too_many_events"), BacklogError, 3),
        (refused(429, "too_many_requests"), StoreUnavailableError, 3),
        (refused(500), RecsysError, 1),
        (refused(503), StoreUnavailableError, 3),
        (broken, StoreUnavailableError, 3),
    ],
)
def test_each_failure_is_an_error_of_its_own(answer: Any, error: type, tries: int) -> None:
    script = Script(answer)
    with pytest.raises(error) as caught:
        script.client(retries=2).recommend("ann")
    assert type(caught.value) is error
    assert len(script.bodies) == tries
    if answer is not broken:
        assert "it cannot be. Wait (request r1)" in str(caught.value)


def test_a_proxys_answer_is_told_as_it_is() -> None:
    script = Script(lambda: httpx.Response(502, text="<html>bad gateway</html>"))
    with pytest.raises(RecsysError, match="status 502: '<html>bad gateway"):
        script.client().recommend("ann")


def test_the_key_is_sent_and_a_wrong_one_is_named(open_shop) -> None:
    shop = open_shop(api_key="sesame")
    assert client_of(shop, api_key="sesame").recommend("ann").items
    with pytest.raises(ConfigError, match="API key is wrong"):
        client_of(shop, api_key="parsley").recommend("ann")


def test_a_stream_past_its_bound_is_a_backlog(open_shop) -> None:
    shop = open_shop(stream=StreamSettings(max_lag=1))
    client = client_of(shop)
    client.send([VIEW, VIEW])
    shop.deployment.collector.refresh_backlog()
    with pytest.raises(BacklogError, match="2 events wait already"):
        client.send([View(event_id="e", at=NOW, user_id="ann", item_id="apple")])


def test_what_json_does_not_have_is_refused_before_anything_is_sent() -> None:
    script = Script(accepted)
    with pytest.raises(InvalidEventError, match="event 'e' cannot be sent"):
        script.client().send([{**VIEW, "event_id": "e", "position": object()}])
    assert script.bodies == []


def test_the_client_is_light() -> None:
    program = (
        "import sys, recsys.client; print([m for m in ('torch', 'feast', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_service_is_ready_when_it_says_so() -> None:
    script = Script(broken, refused(503), accepted)
    assert [script.client().is_ready() for _ in range(3)] == [False, False, True]
    assert script.pauses == []


def test_an_answer_can_be_had_as_its_json() -> None:
    script = Script(accepted)
    assert script.client().post("/v1/new", {"k": 1})["token"] == "0:1"
    assert script.bodies == [b'{"k":1}']


@pytest.mark.parametrize(
    ("given", "seconds"), [("7", 7.0), ("0.5", 0.5), ("Fri, 31 Dec 1999", None), (None, None)]
)
def test_when_to_come_again_is_a_number_of_seconds(given: str | None, seconds: float | None) -> None:
    headers = {} if given is None else {"Retry-After": given}
    assert retry_after(httpx.Response(503, headers=headers)) == seconds


def test_a_batch_is_a_slate_or_an_error_for_each_request(shop) -> None:
    rows = client_of(shop).recommend_batch(
        [{"user_id": "ann", "k": 2}, {"user": "ann"}, {"context_item_id": "caviar"}]
    )
    assert isinstance(rows[0], Slate)
    assert [item.item_id for item in rows[0].items] == ["apple", "milk"]
    assert [type(row) for row in rows[1:]] == [RequestError, UnknownItemError]
    assert "Did you mean 'user_id'?" in str(rows[1])


def test_rows_that_may_succeed_later_are_told_from_those_that_may_not() -> None:
    codes = ["timeout", "no_bundle", "store_unavailable", "misconfigured"]
    errors = [{"error": {"code": code, "message": "it failed", "request_id": "r-0"}} for code in codes]
    script = Script(lambda: httpx.Response(200, json={"responses": errors}))
    rows = script.client().recommend_batch([{}] * 4)
    assert [type(row) for row in rows] == [StoreUnavailableError] * 3 + [RecsysError]


def test_a_large_batch_is_split_and_keeps_its_order(shop) -> None:
    users = [f"u{number}" for number in range(230)]
    rows = client_of(shop).recommend_batch({"user_id": user, "k": 1} for user in users)
    assert [row.user_id for row in rows] == users


def test_a_request_that_json_does_not_have_is_named() -> None:
    with pytest.raises(RequestError, match="cannot be sent"):
        RecsysClient().recommend_batch([{"user_id": {1, 2}}])


def test_a_search_names_its_first_answer_on_every_page() -> None:
    first = search_event("tea", "ann", "r1", results=0, filters={"brands": ["B"]}, surface="top", at=NOW)
    second = search_event("tea", "ann", "r2", query_id="r1", page=2, at=NOW)
    assert (first.query_id, first.request_id, first.page) == ("r1", "r1", 1)
    assert (second.query_id, second.request_id, second.page) == ("r1", "r2", 2)
    assert first == search_event(
        "tea", "ann", "r1", results=0, filters={"brands": ["B"]}, surface="top", at=NOW
    )
    assert parse_event(encode_event(first)) == first
    with pytest.raises(RequestError, match="query_id"):
        search_event("tea", "ann", "r2", page=2)


def test_what_is_reported_of_a_sponsored_item_carries_its_token(shop) -> None:
    shown = ad_impression("apple", "t.1", "ann", "r1", surface="home", viewable=True, at=NOW)
    again = ad_impression("apple", "t.1", "ann", "r1", surface="home", viewable=True, at=NOW)
    clicked = ad_click("apple", "t.1", "ann", "r1", position=2, at=NOW)
    assert shown.event_id == again.event_id != ad_impression("apple", "t.2", "ann", "r1").event_id
    assert clicked.event_id != ad_click("apple", "t.1", "ann", "r1", position=2).event_id
    with client_of(shop) as client:
        client.send([shown, clicked])
    assert [event.token for event in stored(shop)[-2:]] == ["t.1", "t.1"]
