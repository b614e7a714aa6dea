"""Reads partitions of the Kafka topic, commits what is done, and deletes what is not needed any more."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from recsys.stores.stream.kafka_connection import KafkaAddress, LoopThread, client_library
from recsys.streaming.stream import ADS, Entry

log = logging.getLogger(__name__)

WAIT_MILLIS = 25
PROBE_SECONDS = 1.0
TRIM_SECONDS = 60.0


async def open_reader(
    loop: LoopThread, address: KafkaAddress, places: Mapping[Any, int], keep_seconds: float | None
) -> "KafkaStreamReader":
    """A reader behind the offsets by topic partition, which become the group's committed ones too.

    Args:
        keep_seconds: how long committed entries stay; None = this reader deletes none.
    """
    consumer = client_library().AIOKafkaConsumer(
        group_id=address.group,
        enable_auto_commit=False,
        # Never a jump over entries that were deleted unread, nor into a topic that was made anew.
        auto_offset_reset="none",
        # Brokers that look for new entries only when the wait is over shall not cost freshness.
        fetch_max_wait_ms=WAIT_MILLIS,
        **address.options,
    )
    try:
        await consumer.start()
        consumer.assign(list(places))
        for place, offset in places.items():
            consumer.seek(place, offset)
        await consumer.commit(dict(places))
    except BaseException:
        await consumer.stop()
        raise
    return KafkaStreamReader(loop, address, consumer, places, keep_seconds)


async def read_recent(address: KafkaAddress, until: Mapping[Any, int], count: int) -> list[Entry]:
    """The last `count` entries of each topic partition up to these offsets, as a reader of no group."""
    consumer = client_library().AIOKafkaConsumer(
        enable_auto_commit=False, fetch_max_wait_ms=WAIT_MILLIS, **address.options
    )
    found: dict[Any, list[Entry]] = {place: [] for place in until}
    try:
        await consumer.start()
        consumer.assign(list(until))
        for place, first in (await consumer.beginning_offsets(list(until))).items():
            consumer.seek(place, max(first, until[place] - count))
        while waiting := [place for place in until if await consumer.position(place) < until[place]]:
            read = await consumer.getmany(*waiting, timeout_ms=int(address.seconds * 1000))
            for place, messages in read.items():
                found[place] += [_entry(each) for each in messages if each.offset < until[place]]
    finally:
        await consumer.stop()
    return [entry for entries in found.values() for entry in entries]


class KafkaStreamReader:
    """`StreamReader` of the Kafka topic, for one thread. Partitions are assigned, never rebalanced."""

    def __init__(
        self,
        loop: LoopThread,
        address: KafkaAddress,
        consumer: Any,
        committed: Mapping[Any, int],
        keep_seconds: float | None,
    ) -> None:
        self._loop = loop
        self._address = address
        self.consumer = consumer
        self._places = {place.partition: place for place in committed}
        self._committed = dict(committed)
        self._keep_millis = int((keep_seconds or 0) * 1000)
        self._heard_at = self._trimmed_at = time.monotonic()
        self._trims = keep_seconds is not None

    def read(self, count: int, wait_seconds: float) -> list[Entry]:
        """Up to `count` entries."""
        seconds = wait_seconds + 2 * self._address.seconds
        return self._loop.call("read events", seconds, self._read(count, wait_seconds))

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Commits the group's offsets and deletes old entries now and then; never goes back."""
        self._loop.call("commit offsets", 2 * self._address.seconds, self._commit(offsets))

    def close(self) -> None:
        """Closes the reader's connections."""
        self._loop.call("close", 2 * self._address.seconds, self.consumer.stop())

    async def _read(self, count: int, wait_seconds: float) -> list[Entry]:
        found = await self.consumer.getmany(timeout_ms=int(wait_seconds * 1000), max_records=count)
        if found:
            self._heard_at = time.monotonic()
        elif time.monotonic() - self._heard_at > PROBE_SECONDS:
            # The client looks for a lost broker for ever and says nothing: only a request has to be answered.
            await self.consumer.end_offsets(list(self._committed))
            self._heard_at = time.monotonic()
        return [_entry(message) for messages in found.values() for message in messages]

    async def _commit(self, offsets: Mapping[int, int]) -> None:
        places = {self._places[partition]: offset for partition, offset in offsets.items()}
        forward = {place: offset for place, offset in places.items() if offset > self._committed[place]}
        if forward:
            await self.consumer.commit(forward)
            self._committed |= forward
        if self._trims and time.monotonic() - self._trimmed_at > TRIM_SECONDS:
            self._trimmed_at = time.monotonic()
            await self._trim(int(time.time() * 1000) - self._keep_millis)

    async def _trim(self, horizon_millis: int) -> None:
        """Deletes what was appended before `horizon_millis` and every group committed; the rest stays."""
        kafka = client_library()
        admin = kafka.admin.AIOKafkaAdminClient(**self._address.options)
        try:
            young = await self.consumer.offsets_for_times(dict.fromkeys(self._committed, horizon_millis))
            await admin.start()
            ads = await admin.list_consumer_group_offsets(ADS)
            before = {
                place: kafka.admin.RecordsToDelete(
                    before_offset=_least(committed, young.get(place), ads.get(place))
                )
                for place, committed in self._committed.items()
            }
            await admin.delete_records(before)
        except (TimeoutError, kafka.errors.KafkaError, OSError) as error:
            self._trims = False
            reason = f"{type(error).__name__}: {error}"
            log.warning("Kafka does not delete committed events (%s); its topic's retention must.", reason)
        finally:
            await admin.close()


def _least(committed: int, *others: Any) -> int:
    """The least offset; None, and below 0, say nothing."""
    known = [int(each.offset) for each in others if each is not None]
    return min([committed, *(offset for offset in known if offset >= 0)])


def _entry(message: Any) -> Entry:
    headers = dict(message.headers)
    request_id, origin = (headers.get(name, b"").decode() for name in ("r", "o"))
    instant = int(headers.get("t", b"0"))
    return Entry(message.partition, message.offset + 1, message.value or b"", instant, request_id, origin)
