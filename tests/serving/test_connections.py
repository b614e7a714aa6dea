"""Real connections against uvicorn with our protocol: the slow, the half-open and the large."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from recsys.service_settings import ServingSettings
from serving.connections import bounded_protocol

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
BIG = b"x" * 4_000_000


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and says `ok`; /wait takes a second, /big sends four million bytes."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
    if scope["path"] == "/wait":
        await asyncio.sleep(1.0)
    body = BIG if scope["path"] == "/big" else b"ok"
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True)
class Service:
    """A server that listens, and the connections to it that are open until the test ends."""

    port: int
    server: uvicorn.Server
    opened: ExitStack

    def connect(self, sent: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
        """A connection from an address of this machine, on which something was sent."""
        address = ("127.0.0.1", self.port)
        connection = self.opened.enter_context(socket.create_connection(address, 20, (source, 0)))
        connection.sendall(sent)
        return connection

    def ask(self, sent: bytes = REQUEST, source: str = "127.0.0.1") -> bytes:
        """The beginning of the answer on a connection of its own."""
        with self.connect(sent, source) as connection:
            return connection.recv(65_536)

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)


@contextmanager
def listening(**settings: Any) -> Iterator[Service]:
    """A server with these settings."""
    serving = ServingSettings(**settings)
    http: Any = bounded_protocol(serving)  # uvicorn says that it takes a class, and calls it
    server = uvicorn.Server(uvicorn.Config(answer, http=http, lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener, ExitStack() as opened:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield Service(listener.getsockname()[1], server, opened)
        finally:
            server.should_exit = True
            thread.join(30)


def read(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    parts = []
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def status(received: bytes) -> int:
    return int(received.split(b" ", 2)[1]) if received else 0


def within(seconds: float, true: Any) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_headers_that_do_not_come_in_time_are_408_and_silence_is_closed() -> None:
    with listening(header_seconds=0.3) as service:
        half, silent = service.connect(b"GET / HTTP/1.1\r\nHost: loc"), service.connect()
        told = read(half)
        assert status(told) == 408
        assert orjson.loads(told.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"
        assert read(silent) == b""
        assert within(10, lambda: service.connections == 0)


def test_a_trickle_of_headers_is_too_late_as_well() -> None:
    with listening(header_seconds=0.5) as service, service.connect(b"GET / HTTP/1.1\r\n") as client:
        assert within(5, lambda: service.connections == 1)
        began = time.monotonic()
        with suppress(OSError):
            while service.connections and time.monotonic() < began + 20:
                client.sendall(b"x: 1\r\n")
                time.sleep(0.1)
        assert service.connections == 0


def test_a_half_sent_body_is_closed_even_if_nobody_reads_it() -> None:
    sent = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf"
    with listening(body_seconds=0.2) as service:
        assert read(service.connect(sent)) == b""
        assert within(10, lambda: service.connections == 0)


def test_a_client_that_does_not_read_its_answer_is_closed() -> None:
    with listening(body_seconds=0.3) as service:
        slow = service.opened.enter_context(socket.socket())
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", service.port))
        slow.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5)
        assert within(5, lambda: service.connections == 1)
        assert within(20, lambda: service.connections == 0)


def test_an_idle_connection_makes_room_for_a_new_one() -> None:
    with listening(connections=3, connections_per_address=3) as service:
        idle = []
        for _ in range(3):
            idle.append(service.connect(REQUEST))
            assert status(idle[-1].recv(65_536)) == 200
            time.sleep(0.05)
        assert status(service.ask()) == 200
        assert read(idle[0]) == b"", "the oldest was closed"
        idle[2].sendall(REQUEST)
        assert status(idle[2].recv(65_536)) == 200
        assert service.connections <= 3


def test_one_address_has_so_many_and_others_are_left_alone() -> None:
    half = b"GET / HTTP/1.1\r\nHos"
    with listening(connections=100, connections_per_address=4) as service:
        other = service.connect(REQUEST, "127.0.0.2")
        assert status(other.recv(65_536)) == 200
        slow = [service.connect(half) for _ in range(50)]
        assert within(10, lambda: service.connections == 5)
        assert status(service.ask()) == 200, "the same address gets in beside its own slow ones"
        other.sendall(REQUEST)
        assert status(other.recv(65_536)) == 200
        assert len(slow) == 50


def test_the_busiest_client_loses_first() -> None:
    with listening(connections=6, connections_per_address=5) as service:
        first = service.connect(REQUEST, "127.0.0.2")
        assert status(first.recv(65_536)) == 200
        many = [service.connect(b"GET", "127.0.0.3") for _ in range(5)]
        assert status(service.ask(source="127.0.0.4")) == 200
        first.sendall(REQUEST)
        assert status(first.recv(65_536)) == 200
        assert len(many) == 5


def test_a_trusted_proxy_may_have_them_all() -> None:
    options = {"connections": 8, "connections_per_address": 2, "trusted_proxies": ["127.0.0.1"]}
    with listening(**options) as service:
        kept = [service.connect(REQUEST) for _ in range(8)]
        assert [status(connection.recv(65_536)) for connection in kept] == [200] * 8


def test_what_is_being_answered_is_never_closed_for_another() -> None:
    with listening(connections=2, connections_per_address=2) as service:
        busy = [service.connect(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(2)]
        time.sleep(0.2)
        refused = service.ask(b"")
        assert (status(refused), b"retry-after: 1" in refused.lower()) == (503, True)
        assert [status(connection.recv(65_536)) for connection in busy] == [200, 200]


def headers_of(count: int, bytes_each: int) -> bytes:
    return b"".join(b"x-%03d: %s\r\n" % (number, b"v" * bytes_each) for number in range(count))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + headers_of(99, 10) + b"\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + headers_of(100, 10) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + headers_of(1, 16_000) + b"\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + headers_of(2, 8_200) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"v" * 500_000, 431),
        (b"GET /" + b"a" * 8_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /" + b"a" * 8_200 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET /" + b"a" * 500_000, 414),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 4_400 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab", 400),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
            + headers_of(120, 5)
            + b"\r\n",
            431,
        ),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"CONNECT localhost:3000 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ],
    ids=range(18),
)
def test_what_is_too_large_or_no_http_gets_an_error_of_the_one_shape(sent: bytes, expected: int) -> None:
    with listening() as service:
        received = service.ask(sent)
        assert status(received) == expected
        if expected != 200:
            error = orjson.loads(received.partition(b"\r\n\r\n")[2])["error"]
            assert set(error) == {"code", "message", "request_id"}
        assert status(service.ask()) == 200


def test_a_web_socket_is_no_way_around_the_bounds() -> None:
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with listening() as service:
        assert status(service.ask(upgrade)) == 200


def test_requests_on_one_connection_are_bounded_each_by_itself() -> None:
    one = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + headers_of(90, 50) + b"\r\n"
    with listening() as service, service.connect(one * 20 + one[:100]) as client:
        received = b""
        while received.count(b"HTTP/1.1 200") < 20:
            part = client.recv(65_536)
            assert part, received[-500:]
            received += part
        client.sendall(one[100:])
        assert status(client.recv(65_536)) == 200


@pytest.mark.slow
def test_a_healthy_client_is_answered_beside_a_thousand_slow_ones() -> None:
    heads = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Len"
    bodies = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"
    with listening() as service:
        slow = []
        for number in range(1000):
            source = f"127.0.1.{1 + number % 50}"
            slow.append(service.connect(heads if number % 2 else bodies, source))
        assert within(10, lambda: service.connections <= 256)
        for source in ("127.0.0.1", "127.0.1.1"):
            for _ in range(50):
                started = time.monotonic()
                assert status(service.ask(source=source)) == 200
                assert time.monotonic() - started < 1.0
