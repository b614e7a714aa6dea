"""Whether a Redis server still has after a crash what it has taken."""

from dataclasses import dataclass
from typing import Any

import redis

from recsys.config import Settings
from recsys.stores.redis.client import open_url, redis_errors
from recsys.stores.redis.server import redis_url

TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True)
class Durability:
    """How a server keeps what it is given.

    Attributes:
        sync: `always`, `everysec`, `no`, or empty where the server does not tell (hosted ones often do not).
        major: version of Redis, or the one that Valkey says it is compatible with.
    """

    append_only: bool
    sync: str
    major: int


def read_durability(settings: Settings) -> Durability:
    """What the server of `settings` says of its append-only file.

    Raises:
        StoreUnavailableError: there is none, or it does not answer.
    """
    url = redis_url(settings)
    with redis_errors("info", TIMEOUT_SECONDS), open_url(url, TIMEOUT_SECONDS) as client:
        info: dict[str, Any] = client.info()
        try:
            sync = str(client.config_get("appendfsync").get("appendfsync", ""))
        except redis.ResponseError:
            sync = ""
    major = int(str(info["redis_version"]).partition(".")[0])
    return Durability(bool(info["aof_enabled"]), sync, major)
