"""Entries of the event stream that could not be processed: listed, put back, or dropped."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.instants import from_micros, now_micros
from recsys.stores.stream.open import open_stream
from recsys.streaming import dead_letters
from recsys.streaming.stream import DeadLetter, EventStream


@dataclass(frozen=True)
class DeadLetterRow:
    """One entry that could not be processed, and why."""

    letter_id: str
    partition: int
    at: datetime
    reason: str
    body: str
    request_id: str

    @classmethod
    def from_letter(cls, letter: DeadLetter) -> "DeadLetterRow":
        """What people are shown of `letter`."""
        return cls(
            letter.letter_id,
            letter.entry.partition,
            from_micros(letter.at),
            letter.reason,
            letter.entry.body.decode("utf-8", "replace"),
            letter.entry.request_id,
        )

    def to_json(self) -> JsonObject:
        """One row of what `recsys stream dlq list` prints."""
        return {
            "id": self.letter_id,
            "partition": self.partition,
            "at": self.at,
            "reason": self.reason,
            "body": self.body,
            "request_id": self.request_id,
        }


@dataclass(frozen=True)
class RetriedLetters:
    """How many dead letters were put into the stream again."""

    retried: int

    def to_json(self) -> JsonObject:
        """What `recsys stream dlq retry` prints."""
        return {"retried": self.retried}


@dataclass(frozen=True)
class DroppedLetters:
    """How many dead letters were forgotten."""

    dropped: int

    def to_json(self) -> JsonObject:
        """What `recsys stream dlq drop` prints."""
        return {"dropped": self.dropped}


def list_dead_letters(settings: Settings, count: int) -> list[DeadLetterRow]:
    """The `count` oldest dead letters.

    Raises:
        StoreUnavailableError: Redis or Kafka.
    """
    with _stream(settings) as stream:
        return [DeadLetterRow.from_letter(letter) for letter in stream.dead_letters(count)]


def retry_dead_letters(settings: Settings, ids: Sequence[str]) -> RetriedLetters:
    """Appends dead letters to their partitions again; without `ids` all of them.

    Raises:
        StoreUnavailableError: Redis or Kafka.
    """
    with _stream(settings) as stream:
        return RetriedLetters(dead_letters.retry_dead_letters(stream, ids, now_micros()))


def drop_dead_letters(settings: Settings, ids: Sequence[str]) -> DroppedLetters:
    """Forgets dead letters for good; without `ids` all of them.

    Raises:
        StoreUnavailableError: Redis or Kafka.
    """
    with _stream(settings) as stream:
        return DroppedLetters(
            stream.drop(ids or [letter.letter_id for letter in stream.dead_letters(dead_letters.ALL)])
        )


@contextmanager
def _stream(settings: Settings) -> Iterator[EventStream]:
    stream = open_stream(settings)
    try:
        yield stream
    finally:
        stream.close()
