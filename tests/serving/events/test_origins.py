"""What of a client's address and agent is stored with its events: hashes, where they are asked for."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from starlette.requests import Request

from recsys.ads.charging.origin import hashed_origin
from recsys.config import Settings
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.service_settings import StreamSettings
from recsys.stores.redis import server as redis_server
from recsys.stores.stream.open import open_stream
from serving.deployment import open_collector
from serving.events.collector import EventCollector
from serving.events.origins import EventOrigins, Sender, client_address, sender_of
from serving.metrics import ServiceMetrics
from tests.fake_stream import FakeEventStream
from tests.serving.conftest import WatchedProgress

NOW = datetime(2026, 5, 1, 23, 59, tzinfo=UTC)
SECRET, PROXY, CLIENT = b"s" * 32, "10.0.0.1", "192.0.2.7"
ORIGINS = EventOrigins(SECRET, (PROXY, "127.0.0.1"), lambda: NOW)


@pytest.mark.parametrize(
    ("sender", "address"),
    [
        (Sender(CLIENT), CLIENT),
        (Sender(CLIENT, ("192.0.2.99",)), CLIENT),  # nobody's word is taken but a trusted proxy's
        (Sender(PROXY, (CLIENT,)), CLIENT),
        (Sender(PROXY, ("192.0.2.99", CLIENT)), CLIENT),  # what the client itself says comes before it
        (Sender(PROXY, (CLIENT, PROXY)), CLIENT),
        (Sender("127.0.0.1", (CLIENT,)), CLIENT),
        (Sender(PROXY), ""),
        (Sender("::1"), ""),
        (Sender("", (CLIENT,)), ""),
        (Sender("2001:db8::17"), "2001:db8::/64"),
    ],
)
def test_the_address_is_the_one_behind_trusted_proxies(sender: Sender, address: str) -> None:
    assert client_address(sender, {PROXY, "127.0.0.1"}) == address


def test_the_origin_is_hashed_with_the_day() -> None:
    assert ORIGINS(Sender(CLIENT, (), "Firefox")) == hashed_origin(
        SECRET, date(2026, 5, 1), CLIENT, "Firefox"
    )
    assert ORIGINS(Sender("::1", (), "Firefox")) == ""


def test_a_request_names_its_sender() -> None:
    headers = [
        (b"user-agent", b"Firefox"),
        (b"x-forwarded-for", b"1.2.3.4, 5.6.7.8"),
        (b"x-forwarded-for", b"9"),
    ]
    request = Request({"type": "http", "client": (PROXY, 7), "headers": headers})
    assert sender_of(request) == Sender(PROXY, ("1.2.3.4", "5.6.7.8", "9"), "Firefox")
    assert sender_of(Request({"type": "http", "client": None, "headers": []})) == Sender()


@pytest.mark.parametrize(
    ("is_asked", "token", "is_stored"), [(True, "t", True), (True, None, False), (False, "t", False)]
)
def test_an_origin_is_stored_with_events_of_ads_where_it_is_asked_for(
    is_asked: bool, token: str | None, is_stored: bool
) -> None:
    stream, progress = FakeEventStream(1), WatchedProgress()
    collector = EventCollector(
        StreamSettings(partitions=1),
        CleaningRules(),
        open_stream=lambda: stream,
        open_progress=lambda: progress,
        metrics=ServiceMetrics().stream,
        now=lambda: NOW,
        timeout_seconds=60.0,
        origin_of=ORIGINS if is_asked else None,
    )
    row = {
        "kind": "click",
        "event_id": "e",
        "user_id": "u",
        "item_id": "i",
        **({"token": token} if token else {}),
    }
    sender = Sender(CLIENT, (), "Firefox")
    with closing(collector):
        asyncio.run(collector.collect(json.dumps(row).encode(), lines=False, sender=sender))
    (entry,) = stream.logs[0]
    assert entry.origin == (ORIGINS(sender) if is_stored else "")
    assert CLIENT.encode() not in entry.body


@pytest.fixture
def redis_home(tmp_path: Path) -> Iterator[Path]:
    redis_server.start_server(Settings(home=tmp_path))
    yield tmp_path
    redis_server.stop_server(Settings(home=tmp_path))


def test_a_service_stores_origins_once_a_limit_of_addresses_is_set(redis_home: Path) -> None:
    row = json.dumps(
        {"kind": "click", "event_id": "e", "user_id": "u", "item_id": "i", "token": "t"}
    ).encode()
    lengths = []
    for ads in ({}, {"velocity_agent_clicks": 9}, {"velocity_address_clicks": 9}):
        settings = Settings.model_validate(
            {
                "home": redis_home,
                "ads": ads,
                "stream": {"partitions": 1},
                "serving": {"timeout_seconds": 60.0},
            }
        )
        with (
            closing(open_collector(settings, ServiceMetrics())) as collector,
            closing(open_stream(settings)) as stream,
        ):
            asyncio.run(collector.collect(row, lines=False, sender=Sender(CLIENT, (), "Firefox")))
            (entry,) = stream.recent({0: stream.status()[0].last_offset}, 1)
            lengths.append(len(entry.origin))
    assert lengths == [0, 33, 33]
