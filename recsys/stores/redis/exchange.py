"""Many commands in one packet and their replies as they come: a third of the CPU of redis-py's pipeline."""

from collections.abc import Sequence
from typing import Any

import redis

from recsys.stores.redis.client import ThreadConnection


class Exchange:
    """Sends packed commands on a connection of the calling thread, opened again once if the server closed it.

    What was sent before a connection broke may have been done, and is then done twice.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._connection = ThreadConnection(client)

    def __call__(self, commands: bytes, replies: int) -> list[Any]:
        """The replies to `commands`, which must be as many.

        Raises:
            redis.RedisError: the server rejected one of them, or does not answer.
        """
        connection = self._connection.get()
        try:
            return _exchange(connection, commands, replies)
        except redis.ConnectionError:
            return _exchange(connection, commands, replies)

    def close(self) -> None:
        """Closes the calling thread's connection."""
        self._connection.close()


def pack_command(*words: bytes) -> bytes:
    r"""One command in Redis' protocol.

    >>> pack_command(b"GET", b"key")
    b'*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n'
    """
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def raise_first_error(replies: Sequence[Any]) -> None:
    """Raises the first error among `replies`, if there is one."""
    for reply in replies:
        if isinstance(reply, redis.ResponseError):
            raise reply


def _exchange(connection: Any, commands: bytes, replies: int) -> list[Any]:
    found: list[Any] = []
    try:
        connection.send_packed_command([commands])
        for _ in range(replies):
            try:
                found.append(connection.read_response())
            except redis.ResponseError as error:
                found.append(error)  # raised below: the replies behind it must be read first
    except BaseException:
        connection.disconnect()  # what is left unread would be taken for the reply to the next command
        raise
    raise_first_error(found)
    return found
