"""Events in Redis Streams: one stream a partition, the consumer group's position is the committed offset.

Readers use XREAD from a position of their own, not XREADGROUP. A worker owns whole partitions and knows
its offsets, so a group's list of pending entries would tell it nothing; it costs eight times the server's
CPU and 200 bytes of append-only file an event; and a reader that was thought dead could take entries
that the partition's new owner then never sees. The group still says what ordinary tools ask of it:
`XINFO GROUPS` shows what is committed and the lag.

Needs Redis 7 or Valkey, for ENTRIESREAD. Durable are appended events if the server syncs its append-only
file with each write, as the embedded one does.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis

from recsys.errors import StoreUnavailableError
from recsys.stores.redis.client import redis_errors
from recsys.stores.redis.exchange import Exchange, pack_command, raise_first_error
from recsys.stores.stream.redis_partitions import PARTITIONS_KEY, StreamPartitions
from recsys.stores.stream.redis_stream_reader import (
    RedisStreamReader,
    entry_id,
    offset_of,
    partition_key,
    stored_entry,
)
from recsys.streaming.dead_letters import decode_dead_letter, encode_dead_letter, letter_id
from recsys.streaming.stream import FEATURES, DeadLetter, Entry, PartitionStatus

DEAD_LETTERS = b"recsys:{dead_letters}"
DEAD_LETTER_ORDER = b"recsys:{dead_letters}:order"
MULTI, EXEC = pack_command(b"MULTI"), pack_command(b"EXEC")
SEQUENCE_BITS = (1 << 20) - 1
CROWDED = 1 << 19  # entries of one millisecond: half of what an offset can tell apart


class RedisEventStream:
    """`EventStream` on Redis Streams; safe to share between threads.

    Args:
        partitions: of users; the catalog's is one more.
        group: consumer group whose position is the committed offset.
        keep_seconds: committed entries stay that long, to look at.
        trims: whether this group's commits delete older entries, those that every group has committed; one
            group of a stream should.
    """

    def __init__(
        self,
        client: redis.Redis,
        partitions: int,
        group: str = FEATURES,
        keep_seconds: float = 86_400.0,
        trims: bool = True,
    ) -> None:
        self.partitions = partitions
        self._client: Any = client
        self._timeout: float | None = client.connection_pool.connection_kwargs.get("socket_timeout")
        self._group = group
        self._keep_seconds, self._trims = keep_seconds, trims
        self._exchange = Exchange(client)
        self._heads = [_append_head(partition) for partition in range(partitions + 1)]
        self._crowded_millis = 0
        self._count = StreamPartitions(client)
        self._claim = pack_command(b"SET", PARTITIONS_KEY, b"%d" % partitions, b"NX", b"GET")

    def confirm_partitions(self) -> None:
        """Looks whether the stream has as many partitions as this says; it gets them if it has none yet.

        Raises:
            ConfigError: it has another number of them.
        """
        self._count.confirm(self.partitions)

    def append(
        self, rows: Sequence[tuple[int, bytes]], accepted_at: int, request_id: str = "", origin: str = ""
    ) -> list[int]:
        """Adds rows, in one transaction: the server syncs its file once, however many they are.

        Raises:
            ConfigError: the stream has another number of partitions.
            StoreUnavailableError: Redis does not answer, or the number is being changed.
        """
        if not rows:
            return []
        given = ((b"t", b"%d" % accepted_at), (b"r", request_id.encode()), (b"o", origin.encode()))
        fields = [(name, value) for name, value in given if value]
        words = b"*%d" % (5 + 2 * len(fields))
        tail = b"\r\n" + b"".join(
            b"$1\r\n%b\r\n$%d\r\n%b\r\n" % (name, len(value), value) for name, value in fields
        )
        commands = [
            words + self._heads[partition] + b"%d\r\n" % len(body) + body + tail for partition, body in rows
        ]
        self._count.confirm_once(self.partitions)
        with redis_errors(f"append {len(rows)} events", self._timeout):
            self._reject_while_full()
            packet = MULTI + self._claim + b"".join(commands) + EXEC
            found, *names = self._exchange(packet, len(rows) + 3)[-1]
            raise_first_error([found, *names])
            if found is not None and found != b"%d" % self.partitions:  # changed since this began to append
                self._take_back(_names_by_partition(rows, names))
                self._count.refuse(found, self.partitions)
        offsets = [offset_of(name) for name in names]
        newest = max(offsets, key=SEQUENCE_BITS.__and__)
        if newest & SEQUENCE_BITS >= CROWDED:
            self._crowded_millis = newest >> 20
        return offsets

    def reader(self, after: Mapping[int, int]) -> RedisStreamReader:
        """A reader that begins behind `after`; the group's positions are set there too.

        Raises:
            ConfigError: the stream has another number of partitions.
        """
        self.confirm_partitions()
        reader = RedisStreamReader(self._client, self._group, self._keep_seconds, self._trims)
        reader.begin(after)
        return reader

    def recent(self, until: Mapping[int, int], count: int) -> list[Entry]:
        """The last `count` entries of each partition up to these offsets, in their order."""
        commands = [
            pack_command(
                b"XREVRANGE", partition_key(partition), entry_id(offset), b"-", b"COUNT", b"%d" % count
            )
            for partition, offset in until.items()
        ]
        with redis_errors("read recent events", self._timeout):
            replies = self._exchange(b"".join(commands), len(commands))
        return [
            stored_entry(partition, name, fields)
            for partition, rows in zip(until, replies, strict=True)
            for name, fields in reversed(rows)
        ]

    def status(self) -> tuple[PartitionStatus, ...]:
        """One status a partition, in one round trip."""
        pipe = self._client.pipeline(transaction=False)
        for partition in range(self.partitions + 1):
            pipe.xinfo_stream(partition_key(partition))
            pipe.xinfo_groups(partition_key(partition))
        with redis_errors("status of the stream", self._timeout):
            found = [_present(reply) for reply in pipe.execute(raise_on_error=False)]
        pairs = zip(found[::2], found[1::2], strict=True)
        return tuple(self._status(partition, *pair) for partition, pair in enumerate(pairs))

    def put_aside(self, entries: Sequence[tuple[Entry, str]], at: int) -> None:
        """Keeps dead letters in a hash, with their order beside it."""
        pipe = self._client.pipeline(transaction=True)
        for entry, reason in entries:
            pipe.hsetnx(DEAD_LETTERS, letter_id(entry), encode_dead_letter(entry, reason, at))
            pipe.zadd(DEAD_LETTER_ORDER, {letter_id(entry): at}, nx=True)
        with redis_errors(f"put {len(entries)} entries aside", self._timeout):
            pipe.execute()

    def dead_letters(self, count: int = 1000) -> list[DeadLetter]:
        """The `count` oldest dead letters."""
        with redis_errors("read dead letters", self._timeout):
            names: list[bytes] = self._client.zrange(DEAD_LETTER_ORDER, 0, count - 1)
            values = self._client.hmget(DEAD_LETTERS, names) if names else []
        pairs = zip(names, values, strict=True)
        return [decode_dead_letter(name.decode(), value) for name, value in pairs if value is not None]

    def drop(self, letter_ids: Iterable[str]) -> int:
        """Deletes dead letters; returns how many there were."""
        names = list(letter_ids)
        if not names:
            return 0
        pipe = self._client.pipeline(transaction=True)
        pipe.zrem(DEAD_LETTER_ORDER, *names)
        pipe.hdel(DEAD_LETTERS, *names)
        with redis_errors(f"drop {len(names)} dead letters", self._timeout):
            dropped: int = pipe.execute()[1]
        return dropped

    def close(self) -> None:
        """Closes the connections."""
        self._exchange.close()
        self._client.close()

    def _take_back(self, appended: Mapping[int, Sequence[bytes]]) -> None:
        """Deletes entries that nobody has read, and lets no group's lag count them."""
        for partition, names in appended.items():
            key = partition_key(partition)
            self._client.xdel(key, *names)
            for group in self._client.xinfo_groups(key):
                read = (group["entries-read"] or 0) + len(names)
                self._client.xgroup_setid(key, group["name"], group["last-delivered-id"], entries_read=read)

    def _status(self, partition: int, stream: Any, groups: Any) -> PartitionStatus:
        if stream is None:
            return PartitionStatus(partition, 0, 0, 0)
        group = next((each for each in groups or () if each["name"] == self._group.encode()), None)
        last = offset_of(stream["last-generated-id"])
        if group is None:
            return PartitionStatus(partition, last, 0, stream["length"])
        lag = max(0, stream["entries-added"] - (group["entries-read"] or 0))
        return PartitionStatus(partition, last, offset_of(group["last-delivered-id"]), lag)

    def _reject_while_full(self) -> None:
        # A clock that was set back lets the server number on within its last millisecond. Long before an
        # offset has no room for the number, appending stops until the clock has caught up.
        if not self._crowded_millis:
            return
        seconds, micros = self._client.time()
        behind = self._crowded_millis - (seconds * 1000 + micros // 1000)
        if behind >= 0:
            remedy = f"Its clock was set back by more than {behind / 1000:.0f} s: set it right."
            raise StoreUnavailableError("redis", "append events", 0.0, remedy)
        self._crowded_millis = 0


def _names_by_partition(rows: Sequence[tuple[int, bytes]], names: Sequence[bytes]) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for (partition, _), name in zip(rows, names, strict=True):
        found.setdefault(partition, []).append(name)
    return found


def _append_head(partition: int) -> bytes:
    """An XADD command from behind its number of words up to the length of its body."""
    key = partition_key(partition)
    return b"\r\n$4\r\nXADD\r\n$%d\r\n%b\r\n$1\r\n*\r\n$1\r\nb\r\n$" % (len(key), key)


def _present(reply: Any) -> Any:
    """The reply, or None where there is no such stream yet."""
    if isinstance(reply, redis.ResponseError) and "no such key" in str(reply):
        return None
    if isinstance(reply, Exception):
        raise reply
    return reply
