"""Where an event came from, as the service saw it: hashes of address and agent, other ones each day."""

import hashlib
import hmac
from datetime import date

_HEX = 16  # characters of each hash


def hashed_origin(secret: bytes, day: date, address: str, agent: str) -> str:
    """The hashes of a client's address and of its agent at that address, with a dot between.

    Whoever has the secret can find an address by trying all of them; nobody else can, nor tell whether two
    days' hashes are of one address.

    Args:
        day: in UTC. agent: as the User-Agent header says.
    """
    of_day = hmac.new(secret, f"origins of events {day.isoformat()}".encode(), hashlib.sha256).digest()
    hashes = (hmac.new(of_day, text.encode(), hashlib.sha256) for text in (address, f"{address}\n{agent}"))
    return ".".join(each.hexdigest()[:_HEX] for each in hashes)


def address_hash(origin: str) -> str:
    """The hash of the address alone.

    >>> address_hash("0011aabbccddeeff.8899aabbccddeeff")
    '0011aabbccddeeff'
    """
    return origin.partition(".")[0]
