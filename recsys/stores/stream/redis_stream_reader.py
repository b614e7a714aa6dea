"""Reads partitions of a Redis event stream, commits what is done, and trims what is not needed any more."""

import logging
import time
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis

from recsys.stores.redis.client import redis_errors
from recsys.stores.redis.exchange import Exchange, pack_command
from recsys.streaming.stream import Entry

log = logging.getLogger(__name__)

_TRIMMED = (
    "%s: a reader begins behind offset %d, but %d was committed and entries in between may be trimmed. "
    "They are in the event lake; features that missed them need a replay."
)
TRIM_EVERY = 1000  # committed entries between two trims of a partition
COUNT_AT_A_TIME = 1000
BLOCK_SECONDS = 5.0  # at most, where the client waits for ever: a reader can be interrupted in between


def partition_key(partition: int) -> bytes:
    """The key of a partition's stream; in a cluster each partition may live elsewhere."""
    return b"recsys:events:{%d}" % partition


def offset_of(name: bytes) -> int:
    """The offset of an entry's id `<milliseconds>-<number>`.

    >>> offset_of(b"1-2") == (1 << 20) + 2
    True
    """
    millis, _, number = name.partition(b"-")
    return (int(millis) << 20) + int(number)


def entry_id(offset: int) -> bytes:
    """The id of the entry at `offset`.

    >>> entry_id(offset_of(b"1700000000000-7"))
    b'1700000000000-7'
    """
    return b"%d-%d" % (offset >> 20, offset & 0xFFFFF)


@dataclass
class _Cursor:
    """Where a reader is in one partition.

    Attributes:
        position: id of the last entry that was given.
        committed: offset.
        entries: how many entries the partition ever had up to `committed`.
        waiting: offsets that were given and not committed.
        untrimmed: entries committed since the last trim.
    """

    partition: int
    position: bytes
    committed: int
    entries: int
    waiting: list[int] = field(default_factory=list)
    untrimmed: int = TRIM_EVERY  # the first commit trims


class RedisStreamReader:
    """`StreamReader` of a Redis event stream, for one thread. Call `begin` once before anything else."""

    def __init__(self, client: redis.Redis, group: str, keep_seconds: float, trims: bool = True) -> None:
        self._client: Any = client
        self._timeout: float | None = client.connection_pool.connection_kwargs.get("socket_timeout")
        self._group = group
        self._keep = int(keep_seconds * 1000) << 20
        self._trims = trims
        self._exchange = Exchange(client)
        self._cursors: dict[bytes, _Cursor] = {}

    def begin(self, after: Mapping[int, int]) -> None:
        """Sets this reader, and the group, behind the offsets given by partition."""
        with redis_errors("set the group's position", self._timeout):
            for partition, offset in after.items():
                key = partition_key(partition)
                self._create_group(key)
                entries = self._entries_up_to(key, offset)
                self._client.xgroup_setid(key, self._group, entry_id(offset), entries_read=entries)
                self._cursors[key] = _Cursor(partition, entry_id(offset), offset, entries)

    def read(self, count: int, wait_seconds: float) -> list[Entry]:
        """Up to `count` entries; a busy partition leaves room for the others."""
        end = time.monotonic() + wait_seconds
        with redis_errors("read events", self._timeout):
            entries = self._read_now(count)
            while not entries and (left := end - time.monotonic()) > 0:
                # A reply within the client's timeout: the server's silence must mean that it is away.
                most = self._timeout / 2 if self._timeout else BLOCK_SECONDS
                entries, _ = self._read_once(list(self._cursors), count, min(left, most))
        return entries

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Moves the group's positions up to `offsets` and trims now and then; never goes back."""
        pipe = self._client.pipeline(transaction=False)
        done: list[tuple[_Cursor, int, int]] = []
        full: list[tuple[bytes, int]] = []
        for partition, offset in offsets.items():
            key = partition_key(partition)
            cursor = self._cursors[key]
            if offset <= cursor.committed:
                continue
            passed = bisect_right(cursor.waiting, offset)
            pipe.xgroup_setid(key, self._group, entry_id(offset), entries_read=cursor.entries + passed)
            if self._trims and cursor.untrimmed + passed >= TRIM_EVERY:
                full.append((key, offset))
            done.append((cursor, offset, passed))
        with redis_errors("commit offsets", self._timeout):
            pipe.execute()
            self._trim(full)
        for cursor, offset, passed in done:
            cursor.committed = offset
            cursor.entries += passed
            cursor.untrimmed = (cursor.untrimmed + passed) % TRIM_EVERY
            del cursor.waiting[:passed]

    def _trim(self, committed: list[tuple[bytes, int]]) -> None:
        """Deletes entries that are old and committed by every group: none loses what it did not read.

        Old is by the committed entries' own clock, so that neither a wrong clock nor idleness trims.
        """
        for key, offset in committed:
            groups = self._client.xinfo_groups(key)
            read = min(offset_of(group["last-delivered-id"]) for group in groups)
            least = min(max(0, offset + 1 - self._keep), read + 1)
            self._client.xtrim(key, minid=entry_id(least), approximate=True)

    def close(self) -> None:
        """Closes the reader's connection."""
        self._exchange.close()

    def _read_now(self, count: int) -> list[Entry]:
        """What is there; partitions that had more than their share are read again."""
        entries: list[Entry] = []
        keys = list(self._cursors)
        while keys and len(entries) < count:
            found, keys = self._read_once(keys, count - len(entries), None)
            entries += found
        return entries

    def _read_once(
        self, keys: list[bytes], count: int, block_seconds: float | None
    ) -> tuple[list[Entry], list[bytes]]:
        """Up to `count` entries in one round trip, and the partitions that may have more."""
        keys = keys[:count]
        share = count // len(keys)
        block = () if block_seconds is None else (b"BLOCK", b"%d" % max(1, int(block_seconds * 1000)))
        positions = (self._cursors[key].position for key in keys)
        command = pack_command(b"XREAD", b"COUNT", b"%d" % share, *block, b"STREAMS", *keys, *positions)
        (reply,) = self._exchange(command, 1)
        entries: list[Entry] = []
        full: list[bytes] = []
        pairs = reply.items() if isinstance(reply, dict) else reply or ()  # RESP3 has maps
        for key, rows in pairs:
            cursor = self._cursors[key]
            found = [stored_entry(cursor.partition, name, fields) for name, fields in rows]
            cursor.position = rows[-1][0]
            cursor.waiting += [entry.offset for entry in found]
            entries += found
            if len(rows) == share:
                full.append(key)
        return entries, full

    def _create_group(self, key: bytes) -> None:
        try:
            self._client.xgroup_create(key, self._group, b"0-0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _entries_up_to(self, key: bytes, offset: int) -> int:
        """How many entries the partition ever had up to `offset`, trimmed ones included.

        The entries between `offset` and the nearest place whose number is known are counted: the beginning,
        the end or, as usual, the group's position.
        """
        stream: dict[str, Any] = self._client.xinfo_stream(key)
        added: int = stream["entries-added"]
        if offset >= offset_of(stream["last-generated-id"]):
            return added
        first = added - int(stream["length"])
        name = self._group.encode()
        group = next(each for each in self._client.xinfo_groups(key) if each["name"] == name)
        position = offset_of(group["last-delivered-id"])
        if not stream["first-entry"] or offset < offset_of(stream["first-entry"][0]):
            if first and offset < position:
                log.warning(_TRIMMED, key.decode(), offset, position)
            return first
        known: int | None = group["entries-read"]
        if known is None or known < first:
            return first + self._count(key, b"-", entry_id(offset))
        if position <= offset:
            return known + self._count(key, b"(" + entry_id(position), entry_id(offset))
        return known - self._count(key, b"(" + entry_id(offset), entry_id(position))

    def _count(self, key: bytes, least: bytes, most: bytes) -> int:
        counted = 0
        while rows := self._client.xrange(key, least, most, count=COUNT_AT_A_TIME):
            counted += len(rows)
            least = b"(" + rows[-1][0]
        return counted


def stored_entry(partition: int, name: bytes, fields: list[bytes]) -> Entry:
    """The entry that is stored under an id with these fields: names and values in turn."""
    if fields[0] == b"b" and fields[2:3] == [b"t"]:
        more = dict(zip(fields[4::2], fields[5::2], strict=False))
        request_id, origin = more.get(b"r", b"").decode(), more.get(b"o", b"").decode()
        return Entry(partition, offset_of(name), fields[1], int(fields[3]), request_id, origin)
    # Not written by us: its fields as they are, which cannot be parsed and become a dead letter.
    return Entry(partition, offset_of(name), b" ".join(fields), 0)
