"""A connection to Redis for each thread: no pool, and no liveness probe before each command."""

import os
import threading
from typing import Any

import redis


class ThreadConnection:
    """The calling thread's connection, made like those of a client's pool when it is first asked for.

    Timeouts and the parsing of replies are redis-py's: a reply that comes late or half closes it as usual.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._pool = client.connection_pool
        self._local = threading.local()

    def get(self) -> Any:
        """A connection of redis-py; it connects with its first command."""
        # A socket does not survive a fork: the child opens its own.
        if getattr(self._local, "process", None) != os.getpid():
            self._local.connection = self._pool.make_connection()
            self._local.process = os.getpid()
        return self._local.connection

    def close(self) -> None:
        """Closes the calling thread's connection, if it has one."""
        if getattr(self._local, "process", None) == os.getpid():
            self._local.connection.disconnect()
