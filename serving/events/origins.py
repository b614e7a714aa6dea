"""Where events come from: the client's address and agent, hashed before anything keeps them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request

from recsys.addresses import is_loopback
from recsys.ads.charging.origin import hashed_origin
from serving.connections import client_network


@dataclass(frozen=True)
class Sender:
    """Who sends a request.

    Attributes:
        host: the address that the connection is from; empty where it has none.
        forwarded: addresses that proxies name, the nearest one last. agent: the User-Agent.
    """

    host: str = ""
    forwarded: tuple[str, ...] = ()
    agent: str = ""


def sender_of(request: Request) -> Sender:
    """Who sends `request`."""
    headers = request.headers
    forwarded = (each.strip() for line in headers.getlist("X-Forwarded-For") for each in line.split(","))
    host = request.client.host if request.client else ""
    return Sender(host, tuple(forwarded), headers.get("User-Agent", ""))


class EventOrigins:
    """Hashes of senders, as they are stored with events.

    Args:
        secret: of the home. trusted: networks of proxies whose word is taken, see `client_network`.
        now: the clock.
    """

    def __init__(self, secret: bytes, trusted: Collection[str], now: Callable[[], datetime]) -> None:
        self._secret, self._now = secret, now
        self._trusted = frozenset(map(client_network, trusted))

    def __call__(self, sender: Sender) -> str:
        """The hash of address and agent; empty where the address of the client is not known."""
        address = client_address(sender, self._trusted)
        day = self._now().astimezone(UTC).date()
        return hashed_origin(self._secret, day, address, sender.agent) if address else ""


def client_address(sender: Sender, trusted: Collection[str]) -> str:
    """The network of the client itself; empty where only a proxy is known.

    A request from this machine is of a proxy or of the shop's own server: its address says nothing.

    >>> client_address(Sender("192.0.2.7"), ())
    '192.0.2.7'
    >>> client_address(Sender("10.0.0.1", ("8.8.8.8", "192.0.2.7")), {"10.0.0.1"})
    '192.0.2.7'
    >>> client_address(Sender("127.0.0.1"), ())
    ''
    """
    for host in (sender.host, *reversed(sender.forwarded)):
        network = client_network(host)
        if network not in trusted:
            return "" if is_loopback(host) else network
    return ""
