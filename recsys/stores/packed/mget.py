"""MGET with nothing around it: one connection a thread, no pool and no liveness probe before each call.

redis-py's own `client.mget` takes a connection from a pool, asks the socket whether something is left
on it, records metrics and gives it back: more CPU than a read of 500 rows itself.
"""

from collections.abc import Sequence
from typing import Any

import redis

from recsys.stores.redis.thread_connection import ThreadConnection


class MultiGet:
    """Calls MGET on a connection of the calling thread; opens it again once if the server has closed it."""

    def __init__(self, client: redis.Redis) -> None:
        self._connection = ThreadConnection(client)

    def __call__(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of `keys`, None where there is none.

        Raises:
            redis.RedisError: as `client.mget` would.
        """
        connection = self._connection.get()
        try:
            return _ask(connection, keys)
        except redis.ConnectionError:
            connection.disconnect()
            return _ask(connection, keys)


def _ask(connection: Any, keys: Sequence[bytes]) -> list[bytes | None]:
    connection.send_packed_command(connection.pack_command(b"MGET", *keys))
    values: list[bytes | None] = connection.read_response()
    return values
