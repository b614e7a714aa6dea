"""How many partitions the event stream in Redis has, kept with it: `8`, or `8>16` while that is changed.

A user's events lie in the partition that the number says. A service and a worker of different numbers would
write where nobody reads, so whoever finds another number than its own refuses to work.
"""

from typing import Any, NoReturn

import redis

from recsys.errors import ConfigError, StoreUnavailableError
from recsys.stores.redis.client import redis_errors
from recsys.stores.stream.redis_stream_reader import partition_key

PARTITIONS_KEY = b"recsys:events:partitions"
MOST = 1024  # what `stream.partitions` may be
CHANGE = "`recsys stream repartition`"
NO_STREAM = ("no such key", "WRONGTYPE")  # what Redis answers where a key holds no stream


class StreamPartitions:
    """The number that is kept with the stream.

    Raises:
        StoreUnavailableError: from every method, if Redis does not answer.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client: Any = client
        self._is_confirmed = False

    def read(self, own: int) -> int:
        """The number of partitions of users; `own` where the stream was never used."""
        return _present(self._kept() or self._found(own) or b"%d" % own)

    def confirm(self, own: int) -> None:
        """Passes where the stream has `own` partitions, or none yet: then it has these.

        Raises:
            ConfigError: it has another number of them.
        """
        value = self._kept()
        if value is None:
            with redis_errors("write the number of partitions"):
                self._client.set(PARTITIONS_KEY, self._found(own) or own, nx=True)
                value = self._client.get(PARTITIONS_KEY)
        if _present(value) != own:
            self.refuse(value, own)
        self._is_confirmed = True

    def confirm_once(self, own: int) -> None:
        """`confirm` unless it has passed before, and nothing was refused since."""
        if not self._is_confirmed:
            self.confirm(own)

    def refuse(self, value: bytes, own: int) -> NoReturn:
        """Says why whoever has `own` partitions must not use a stream with `value`."""
        self._is_confirmed = False
        if b">" in value and _present(value) == own:
            raise StoreUnavailableError(
                "event stream",
                "append events",
                0.0,
                f"stream.partitions is being changed from {own}. If {CHANGE} was cut short, run it again.",
            )
        raise another_number(_present(value), own)

    def begin_change(self, before: int, after: int) -> None:
        """From now on nobody can append, and workers of `before` partitions go on."""
        self._set(b"%d>%d" % (before, after))

    def end_change(self, number: int) -> None:
        """The stream has `number` partitions; services and workers that have another must begin anew."""
        self._set(b"%d" % number)

    def _set(self, value: bytes) -> None:
        with redis_errors("write the number of partitions"):
            self._client.set(PARTITIONS_KEY, value)

    def _kept(self) -> bytes | None:
        with redis_errors("read the number of partitions"):
            value: bytes | None = self._client.get(PARTITIONS_KEY)
            return value

    def _found(self, own: int) -> bytes | None:
        """The number of a stream of an earlier version, which did not keep it: the catalog's comes last."""
        pipe = self._client.pipeline(transaction=False)
        for partition in range(MOST + 1):
            pipe.xinfo_groups(partition_key(partition))
        with redis_errors("read the number of partitions"):
            replies = pipe.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, Exception) and not any(text in str(reply) for text in NO_STREAM):
                    raise reply
        there = [partition for partition, found in enumerate(replies) if not isinstance(found, Exception)]
        if not there:
            return None
        # Workers make all partitions and their groups. Where none has run yet, events made some.
        return b"%d" % (there[-1] if replies[there[-1]] else max(there[-1], own))


def another_number(there: int, own: int) -> ConfigError:
    """The error for a stream of `there` partitions where the settings say `own`."""
    return ConfigError(
        f"stream.partitions = {own}, but the event stream has {there} partitions, in which events may "
        f"wait. Set stream.partitions = {there} again; or, to change it, stop the services and run "
        f"{CHANGE} with the new setting: it processes what waits, then changes the number."
    )


def _present(value: bytes) -> int:
    return int(value.partition(b">")[0])
