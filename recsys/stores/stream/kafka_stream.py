"""Events in Kafka: a topic of P + 1 partitions and a compacted topic of dead letters.

An entry's offset is Kafka's plus 1, so that 0 means the beginning; what Kafka calls the committed offset,
the next one to read, is then the offset of the last entry that was committed.

Missing topics are made with one replica, and keep everything that is not committed. Make them yourself
beforehand where there are several brokers: `recsys-events` with `retention.ms=-1`, as many replicas as
you like and `min.insync.replicas` of at least 2.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from recsys.errors import ConfigError
from recsys.stores.stream.kafka_connection import KafkaAddress, LoopThread, client_library
from recsys.stores.stream.kafka_dead_letters import read_dead_letters
from recsys.stores.stream.kafka_stream_reader import KafkaStreamReader, open_reader, read_recent
from recsys.streaming.dead_letters import encode_dead_letter, letter_id
from recsys.streaming.stream import FEATURES, DeadLetter, Entry, PartitionStatus

T = TypeVar("T")
Message = tuple[str, bytes | None, bytes | None, int, list[tuple[str, bytes]]]  # topic, value, key, partition

TOPIC = "recsys-events"
DEAD_LETTERS = "recsys-events-dead"
EXISTS = 36
BATCH_BYTES = 1_000_000  # just below what a broker takes unless told otherwise


class KafkaEventStream:
    """`EventStream` on Kafka; safe to share between threads. Nothing is connected before the first call.

    Args:
        servers: `host:port[,host:port]`.
        partitions: of users; the catalog's is one more.
        group: whose committed offsets are ours.
        keep_seconds: committed entries stay that long, to look at.
        timeout: seconds after which a broker counts as away.
        idempotent: the producer's retries leave no duplicates. Events carry ids, so a broker that
            cannot do it does no harm.
        trims: whether this group's commits delete older entries, those that every group has committed.

    Raises:
        ConfigError: aiokafka is not installed, or the topic has another number of partitions.
    """

    def __init__(
        self,
        servers: str,
        partitions: int,
        group: str = FEATURES,
        keep_seconds: float = 86_400.0,
        timeout: float = 10.0,
        idempotent: bool = True,
        trims: bool = True,
    ) -> None:
        self._kafka = client_library()
        self.partitions = partitions
        self._address = KafkaAddress(servers, group, timeout)
        self._keep_seconds, self._trims = keep_seconds, trims
        self._idempotent = idempotent
        self._loop = LoopThread(servers)
        self._starting = asyncio.Lock()
        self._clients: list[Any] = []
        self._producer: Any = None
        self._watcher: Any = None
        self._topic_partitions = [self._kafka.TopicPartition(TOPIC, each) for each in range(partitions + 1)]

    def confirm_partitions(self) -> None:
        """Looks at the topic, once.

        Raises:
            ConfigError: it has another number of partitions.
        """
        self._call("look at the partitions", self._start())

    def append(
        self, rows: Sequence[tuple[int, bytes]], accepted_at: int, request_id: str = "", origin: str = ""
    ) -> list[int]:
        """Adds rows; all replicas in sync have them when this returns. Cut short, some may be there."""
        if not rows:
            return []
        given = (("t", b"%d" % accepted_at), ("r", request_id.encode()), ("o", origin.encode()))
        headers = [(name, value) for name, value in given if value]
        messages: list[Message] = [(TOPIC, body, None, partition, headers) for partition, body in rows]
        return self._call(f"append {len(rows)} events", self._send(messages))

    def reader(self, after: Mapping[int, int]) -> KafkaStreamReader:
        """A reader that begins behind `after`; the group's offsets are set there too."""
        return self._call("begin to read", self._open_reader(after))

    def recent(self, until: Mapping[int, int], count: int) -> list[Entry]:
        """The last `count` entries of each partition up to these offsets, in their order."""
        return self._call("read recent events", self._read_recent(until, count))

    def status(self) -> tuple[PartitionStatus, ...]:
        """One status a partition."""
        return self._call("status of the stream", self._status())

    def put_aside(self, entries: Sequence[tuple[Entry, str]], at: int) -> None:
        """Keeps dead letters under their names: a topic that is compacted by name."""
        messages: list[Message] = [
            (DEAD_LETTERS, encode_dead_letter(entry, reason, at), letter_id(entry).encode(), 0, [])
            for entry, reason in entries
        ]
        self._call(f"put {len(entries)} entries aside", self._send(messages))

    def dead_letters(self, count: int = 1000) -> list[DeadLetter]:
        """The `count` oldest dead letters."""
        letters = self._call("read dead letters", self._read_dead_letters())
        return sorted(letters.values(), key=lambda letter: letter.at)[:count]

    def drop(self, letter_ids: Iterable[str]) -> int:
        """Writes tombstones over dead letters; returns how many there were."""
        wanted = set(letter_ids)
        if not wanted:
            return 0
        operation = f"drop {len(wanted)} dead letters"
        there = wanted & self._call(operation, self._read_dead_letters()).keys()
        self._call(operation, self._send([(DEAD_LETTERS, None, name.encode(), 0, []) for name in there]))
        return len(there)

    def close(self) -> None:
        """Ends the connections, those of the readers too, and their thread."""
        self._call("close", self._stop())
        self._loop.close()

    def _call(self, operation: str, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.call(operation, 2 * self._address.seconds, work)

    async def _start(self) -> None:
        async with self._starting:
            if self._producer is not None:
                return
            await self._create_topics()
            self._watcher = await self._started(
                self._kafka.AIOKafkaConsumer(
                    group_id=self._address.group, enable_auto_commit=False, **self._address.options
                )
            )
            self._producer = await self._started(
                self._kafka.AIOKafkaProducer(
                    acks="all",
                    enable_idempotence=self._idempotent,
                    max_batch_size=BATCH_BYTES,
                    **self._address.options,
                )
            )

    async def _started(self, client: Any) -> Any:
        try:
            await client.start()
        except BaseException:
            await client.stop()
            raise
        self._clients.append(client)
        return client

    async def _stop(self) -> None:
        clients, self._clients = self._clients, []
        # Best effort: a broker that is away cannot be told, and nothing is left to lose.
        await asyncio.gather(*(client.stop() for client in clients), return_exceptions=True)

    async def _create_topics(self) -> None:
        admin = self._kafka.admin
        events = admin.NewTopic(TOPIC, self.partitions + 1, 1, topic_configs={"retention.ms": "-1"})
        letters = admin.NewTopic(DEAD_LETTERS, 1, 1, topic_configs={"cleanup.policy": "compact"})
        client = admin.AIOKafkaAdminClient(**self._address.options)
        try:
            await client.start()
            response = await client.create_topics([events, letters])
            for topic, code, *_ in response.topic_errors:
                if code not in (0, EXISTS):
                    raise self._kafka.errors.for_code(code)(f"topic {topic}")
            found = await client.describe_topics([TOPIC])
        finally:
            await client.close()
        count = len(found[0]["partitions"])
        if count != self.partitions + 1:
            raise ConfigError(
                f"topic {TOPIC} has {count} partitions; stream.partitions = {self.partitions} needs "
                f"{self.partitions + 1}, one for the catalog. Set stream.partitions = {count - 1}, or use "
                "another broker. To have more: stop the services, let `recsys stream run --once` process "
                "what waits with the old setting, then let Kafka add partitions to the topic."
            )

    async def _send(self, messages: Sequence[Message]) -> list[int]:
        await self._start()
        futures = [
            await self._producer.send(topic, value, key=key, partition=partition, headers=headers)
            for topic, value, key, partition, headers in messages
        ]
        results: list[Any] = await asyncio.gather(*futures, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result.offset + 1 for result in results]

    async def _open_reader(self, after: Mapping[int, int]) -> KafkaStreamReader:
        await self._start()
        places = {self._topic_partitions[partition]: offset for partition, offset in after.items()}
        reader = await open_reader(
            self._loop, self._address, places, self._keep_seconds if self._trims else None
        )
        self._clients.append(reader.consumer)
        return reader

    async def _read_recent(self, until: Mapping[int, int], count: int) -> list[Entry]:
        await self._start()
        places = {self._topic_partitions[partition]: offset for partition, offset in until.items()}
        return await read_recent(self._address, places, count)

    async def _status(self) -> tuple[PartitionStatus, ...]:
        await self._start()
        ends = await self._watcher.end_offsets(self._topic_partitions)
        committed = await asyncio.gather(*map(self._watcher.committed, self._topic_partitions))
        done = dict(zip(self._topic_partitions, committed, strict=True))
        if new := [place for place, offset in done.items() if offset is None]:
            done |= await self._watcher.beginning_offsets(new)  # what is deleted waits for nobody
        return tuple(
            PartitionStatus(place.partition, ends[place], offset, max(0, ends[place] - offset))
            for place, offset in done.items()
        )

    async def _read_dead_letters(self) -> dict[str, DeadLetter]:
        await self._start()
        return await read_dead_letters(self._address, self._kafka.TopicPartition(DEAD_LETTERS, 0))
