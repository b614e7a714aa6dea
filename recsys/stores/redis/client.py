"""Connections to Redis, and the one place where its errors become ours."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from recsys.addresses import masked_url
from recsys.errors import ConfigError, StoreUnavailableError
from recsys.stores.logins import check_login

READ_SIZE = 1 << 18  # bytes asked of the socket at once: a reply of 500 vectors is 0.8 MB
REMEDY = "Is the server up? `recsys status` tells, `recsys up` starts it."
_PASSWORD = "Write user and password into REDIS_URL: redis://user:password@host:6379/0, user may be empty."
_REMEDIES = (  # the error, a word of its message, and what helps
    (redis.AuthenticationError, "", _PASSWORD),
    (redis.ResponseError, "NOAUTH", _PASSWORD),
    (redis.ResponseError, "Authentication", _PASSWORD),
    (NoPermissionError, "", "Give that user of Redis the right to all commands and keys (`ACL SETUSER`)."),
    (redis.BusyLoadingError, "", "It is reading its data; try again."),
    (redis.OutOfMemoryError, "", "It is at its `maxmemory`: raise that, or make room."),
    (redis.ReadOnlyError, "", "It is a replica: name the primary in REDIS_URL."),
    (redis.ResponseError, "MISCONF", "It cannot write to its disk: free some space there."),
)


def open_url(
    url: str, timeout: float | None = None, on_connect: Callable[[Any], None] | None = None
) -> redis.Redis:
    """A thread-safe client with a pool of its own; nothing is connected before the first command.

    A pooled connection that the server has closed meanwhile is opened again once, at once. There is
    no longer retry: the caller knows better what waiting is worth.

    Args:
        timeout: seconds to wait for a connection and for each reply; None waits for ever.
        on_connect: called with each new connection instead of its own `on_connect`, which it calls first.
    """
    check_redis_url(url)
    client: redis.Redis = redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        socket_read_size=READ_SIZE,
        redis_connect_func=on_connect,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
    return client


def check_redis_url(url: str) -> None:
    """Makes sure that redis-py can take the address apart; its message would show a piece of the password.

    Raises:
        ConfigError: it is not an address, or its password has to be escaped.
    """
    check_login(url, "REDIS_URL")
    try:
        redis.ConnectionPool.from_url(url)  # connects to nothing
    except ValueError:
        raise ConfigError(
            f"REDIS_URL ({masked_url(url)}) is not a valid address. Write redis://:password@host:6379/0."
        ) from None


@contextmanager
def redis_errors(operation: str, timeout: float | None = None) -> Iterator[None]:
    """Turns an error of Redis into StoreUnavailableError; wrap each operation in it.

    Args:
        operation: what is being done, for the message.
        timeout: seconds after which the client gives up.
    """
    try:
        yield
    except redis.RedisError as error:
        remedy = f"{type(error).__name__}: {error}. {redis_remedy(error)}"
        raise StoreUnavailableError("redis", operation, timeout or 0.0, remedy) from error


def redis_remedy(error: Exception) -> str:
    """What to do about an error of Redis."""
    for kind, word, remedy in _REMEDIES:
        if isinstance(error, kind) and word in str(error):
            return remedy
    return REMEDY


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
