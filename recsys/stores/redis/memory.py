"""How much memory a Redis server holds, and how much it may."""

from dataclasses import dataclass
from typing import Any

from recsys.config import Settings
from recsys.stores.redis.client import open_url, redis_errors
from recsys.stores.redis.server import redis_url

TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True)
class ServerMemory:
    """What a server says of its memory, bytes.

    Attributes:
        bound: from which on it takes no more writes; 0 = there is none, None = it does not tell.
    """

    used: int
    bound: int | None


def memory_of(client: Any) -> ServerMemory:
    """What the server behind `client` says; raises what redis-py does."""
    info: dict[str, Any] = client.info("memory")
    bound = info.get("maxmemory")
    return ServerMemory(int(info.get("used_memory", 0)), None if bound is None else int(bound))


def read_memory(settings: Settings) -> ServerMemory:
    """What the server of `settings` says.

    Raises:
        StoreUnavailableError: there is none, or it does not answer.
    """
    url = redis_url(settings)
    with redis_errors("info", TIMEOUT_SECONDS), open_url(url, TIMEOUT_SECONDS) as client:
        return memory_of(client)
