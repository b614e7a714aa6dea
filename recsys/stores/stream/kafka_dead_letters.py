"""Reads the topic of dead letters from its beginning: the last word under each name counts."""

from typing import Any

from recsys.stores.stream.kafka_connection import KafkaAddress, client_library
from recsys.streaming.dead_letters import decode_dead_letter
from recsys.streaming.stream import DeadLetter

WAIT_MILLIS = 20  # everything is there already


async def read_letters(address: KafkaAddress, place: Any) -> dict[str, DeadLetter]:
    """Letters by name that no tombstone covers, of the topic's one partition `place`."""
    consumer = client_library().AIOKafkaConsumer(
        enable_auto_commit=False, fetch_max_wait_ms=WAIT_MILLIS, **address.options
    )
    letters: dict[str, DeadLetter] = {}
    try:
        await consumer.start()
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        await consumer.seek_to_beginning(place)
        while await consumer.position(place) < end:
            found = await consumer.getmany(timeout_ms=int(address.seconds * 1000))
            for message in found.get(place, ()):
                _take(letters, message.key.decode(), message.value)
    finally:
        await consumer.stop()
    return letters


def _take(letters: dict[str, DeadLetter], name: str, value: bytes | None) -> None:
    if value is None:
        letters.pop(name, None)
    else:
        letters.setdefault(name, decode_dead_letter(name, value))
