"""Connections to Redis, and the one place where its errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from recsys.errors import StoreUnavailableError

READ_SIZE = 1 << 18  # bytes asked of the socket at once: a reply of 500 vectors is 0.8 MB
REMEDY = "Is the server up? `recsys status` tells, `recsys up` starts it."


def open_url(url: str, timeout: float | None = None) -> redis.Redis:
    """A thread-safe client with a pool of its own; nothing is connected before the first command.

    A pooled connection that the server has closed meanwhile is opened again once, at once. There is
    no longer retry: the caller knows better what waiting is worth.

    Args:
        timeout: seconds to wait for a connection and for each reply; None waits for ever.
    """
    client: redis.Redis = redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        socket_read_size=READ_SIZE,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
    return client


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
        remedy = f"{type(error).__name__}: {error}. {REMEDY}"
        raise StoreUnavailableError("redis", operation, timeout or 0.0, remedy) from error
