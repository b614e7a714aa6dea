"""What a connection may cost before the application sees a request: how many, how long, how large.

uvicorn's own protocol waits for ever for headers and bodies and bounds neither headers nor connections. This
one is used by both ways of serving; see `bounded_protocol`.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from recsys.service_settings import ServingSettings
from serving.errors import error_response
from serving.overload.arrival import ARRIVED

MAX_URL_BYTES = 8192
SWEEP_SECONDS = 0.5
# The application answers a late body with 408 first; see serving/middleware.py.
GRACE_SECONDS = 1.0


class Reading(Enum):
    """Which part of a request is expected next."""

    START = 1  # of the next request: nothing of it is there
    HEADERS = 2
    BODY = 3


class ConnectionTable:
    """The open connections of one process, and who must go where there are too many of them."""

    def __init__(self, settings: ServingSettings) -> None:
        self.settings = settings
        self._open: set[BoundedProtocol] = set()
        self._counts: Counter[str] = Counter()
        self._trusted = frozenset(map(client_network, settings.trusted_proxies))
        self._sweeping: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: "BoundedProtocol") -> bool:
        """Whether there is room for `connection`; closes another where that makes room.

        Only connections on which nothing is being answered are closed for a new one.
        """
        own, settings = connection.network, self.settings
        if own not in self._trusted and self._counts[own] >= settings.connections_per_address:
            room = self._close_one(each for each in self._open if each.network == own)
        else:
            room = len(self._open) < settings.connections or self._close_one(self._open)
        if room:
            self._open.add(connection)
            self._counts[own] += 1
            self._sweeping = self._sweeping or connection.loop.call_later(SWEEP_SECONDS, self._sweep)
        return room

    def remove(self, connection: "BoundedProtocol") -> None:
        """Forgets a connection; nothing happens where it is not known."""
        if connection in self._open:
            self._open.remove(connection)
            self._counts[connection.network] -= 1
            self._counts += Counter()  # drops what is 0

    def _close_one(self, connections: Iterable["BoundedProtocol"]) -> bool:
        """Closes one of the busiest client: idle ones first, the oldest first; false where none may be."""
        waiting = [each for each in connections if not each.answering]
        if not waiting:
            return False
        victim = max(waiting, key=lambda each: (self._weight(each), each.idle, -each.since))
        self.remove(victim)
        victim.transport.abort()
        return True

    def _weight(self, connection: "BoundedProtocol") -> int:
        return 0 if connection.network in self._trusted else self._counts[connection.network]

    def _sweep(self) -> None:
        self._sweeping = None
        for connection in tuple(self._open):
            connection.close_if_overdue(connection.loop.time())
            self._sweeping = self._sweeping or connection.loop.call_later(SWEEP_SECONDS, self._sweep)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the bounds of `ServingSettings`."""

    def __init__(self, *args: Any, table: ConnectionTable, **options: Any) -> None:
        super().__init__(*args, **options)
        self._table = table
        self._settings = table.settings
        self.network = ""
        self.reading = Reading.START
        self.since = self.loop.time()  # when `reading` became what it is, or the last answer was complete
        self._stalled_since: float | None = None
        self._unread = 0  # bytes after the read in which the headers began
        self._header_bytes = 0
        self._header_count = 0
        self._rejection: tuple[int, str] | None = None

    @property
    def answering(self) -> bool:
        """Whether a whole request is here whose answer is not complete."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete and not cycle.more_body

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return self.reading is Reading.START and not self.answering

    def close_if_overdue(self, now: float) -> None:
        """Ends the connection where the client is slower than the settings allow; `now` as `loop.time`."""
        settings, waited = self._settings, now - self.since
        if self._stalled_since is not None and now - self._stalled_since > settings.body_seconds:
            self.transport.abort()  # the client does not read its answer
        elif self.transport.is_closing():
            if waited > settings.header_seconds:
                self.transport.abort()
        elif self.reading is Reading.BODY:
            if waited > settings.body_seconds + GRACE_SECONDS:
                self.transport.abort()
        elif waited > settings.header_seconds and not self.answering:
            if self.reading is Reading.HEADERS:
                self._answer(408, f"the headers did not arrive within {settings.header_seconds:g} s")
            self.transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Takes the connection, or answers 503 where too many are being answered."""
        super().connection_made(transport)
        self.network = client_network(self.client[0] if self.client else "")
        self.since = self.loop.time()
        if not self._table.admit(self):
            self._answer(503, "too many connections are being answered", retry=True)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Lets the next one in."""
        self._table.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses `data`, and counts it while the headers are not complete."""
        self._unread += len(data)  # 0 again where the next request begins in it
        super().data_received(data)
        if self.reading is Reading.HEADERS and self._unread > self._settings.header_bytes:
            self._rejection = self._too_large()
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Starts the clock of the headers."""
        super().on_message_begin()
        self._unread = self._header_bytes = self._header_count = 0
        self._expect(Reading.HEADERS)

    def on_url(self, url: bytes) -> None:
        """Bounds the request's line."""
        super().on_url(url)
        if len(self.url) > MAX_URL_BYTES:
            self._reject(414, f"the path and query are longer than {MAX_URL_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Bounds the headers; those behind a chunked body are counted and dropped."""
        self._header_count += 1
        self._header_bytes += len(name) + len(value) + 4  # a colon, a blank, and the line's end
        if (
            self._header_count > self._settings.header_count
            or self._header_bytes + len(self.url) > self._settings.header_bytes
        ):
            self._reject(*self._too_large())
        if self.reading is Reading.HEADERS:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Starts the clock of the body."""
        self._expect(Reading.BODY)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stops the clock of the body."""
        super().on_message_complete()
        # The loop's clock stands since it looked at its sockets: what it did meanwhile counts as a wait.
        self.scope["state"][ARRIVED] = self.loop.time()
        self._expect(Reading.START)

    def on_response_complete(self) -> None:
        """Starts the clock of an idle connection."""
        if self.reading is Reading.START:
            self.since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        self._stalled_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._stalled_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answers what cannot be parsed; only closes where the answer has begun already."""
        status, message = self._rejection or (400, "the request is not valid HTTP")
        if not self.transport.is_closing():
            self._answer(status, message)
            self.transport.close()

    def _should_upgrade_to_ws(self) -> bool:
        return False  # no route is a WebSocket, and one would be beyond these bounds

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade that is not made is no fault: the request is answered as it is."""

    def _expect(self, reading: Reading) -> None:
        self.reading = reading
        self.since = self.loop.time()

    def _too_large(self) -> tuple[int, str]:
        most = self._settings
        return 431, f"the headers are more than {most.header_count}, or larger than {most.header_bytes} bytes"

    def _reject(self, status: int, message: str) -> None:
        self._rejection = (status, message)
        raise ValueError(message)  # the parser stops, and `send_400_response` is called

    def _answer(self, status: int, message: str, *, retry: bool = False) -> None:
        """Writes an error outside the application, unless an answer has begun."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            return
        request_id = secrets.token_hex(8)
        headers = {"Connection": "close", "X-Request-ID": request_id}
        response = error_response(status, message, request_id, headers=headers, retry=retry)
        lines = [name + b": " + value + b"\r\n" for name, value in response.raw_headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", bytes(response.body)]))


def bounded_protocol(settings: ServingSettings) -> Callable[..., BoundedProtocol]:
    """What uvicorn takes as `http`: makes the protocol of each connection of one server."""
    return partial(BoundedProtocol, table=ConnectionTable(settings))


def client_network(host: str) -> str:
    """What counts as one client: an address, or the /64 of an IPv6 address.

    >>> client_network("192.0.2.1"), client_network("::ffff:192.0.2.1"), client_network("2001:db8::1")
    ('192.0.2.1', '192.0.2.1', '2001:db8::/64')
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host  # a Unix socket has no address
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped or ip_network((int(address), 64), strict=False))
