"""The event stream as its users see it: partitions, offsets, dead letters, and how far workers have got.

Partitions 0 .. P - 1 hold what users did, each user's events in one of them; partition P, the catalog's,
holds upserts of items and users. Offsets grow within a partition and are never used twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from recsys.catalog import stable_key

FEATURES, ADS = "features", "ads"  # groups: each reads the whole stream and has offsets of its own


@dataclass(frozen=True)
class Entry:
    """One accepted event.

    Attributes:
        offset: above 0, larger than that of every earlier entry of the partition.
        body: the event as UTF-8 JSON, see `recsys.events.encode_event`.
        accepted_at: microseconds of the service's clock at which it was accepted.
        request_id: of the HTTP request that brought it, for logs; empty where there was none.
        origin: hashes of who sent that request, see `recsys.ads.charging.origin`; empty where nobody asks.
    """

    partition: int
    offset: int
    body: bytes
    accepted_at: int
    request_id: str = ""
    origin: str = ""


@dataclass(frozen=True)
class DeadLetter:
    """An entry that cannot be processed, and why; `letter_id` names it for retry and drop."""

    letter_id: str
    entry: Entry
    reason: str
    at: int


@dataclass(frozen=True)
class PartitionStatus:
    """How far one partition is.

    Attributes:
        last_offset: of the newest entry, 0 = there never was one.
        committed_offset: everything up to it is processed and safe elsewhere.
        lag: entries behind `committed_offset` that wait or are being processed.
    """

    partition: int
    last_offset: int
    committed_offset: int
    lag: int


class StreamReader(Protocol):
    """Entries of some partitions, each in the order of offsets."""

    def read(self, count: int, wait_seconds: float) -> list[Entry]:
        """Up to `count` entries that this reader has not given yet; waits that long for the first one."""
        ...

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Says that everything up to these offsets by partition is processed and may be forgotten."""
        ...

    def close(self) -> None:
        """Ends the reading."""


class EventStream(Protocol):
    """A durable, partitioned log of events.

    Raises:
        StoreUnavailableError: from every method, if the transport does not answer.
    """

    @property
    def partitions(self) -> int:
        """P, how many partitions users have; P itself is the number of the catalog's."""
        ...

    def confirm_partitions(self) -> None:
        """Passes where the transport has as many partitions; a transport that was never used gets them.

        Raises:
            ConfigError: it has another number of them.
        """
        ...

    def append(
        self, rows: Sequence[tuple[int, bytes]], accepted_at: int, request_id: str = "", origin: str = ""
    ) -> list[int]:
        """Adds (partition, body) rows; returns their offsets when all of them are durable.

        Raises:
            ConfigError: the transport has another number of partitions.
        """
        ...

    def reader(self, after: Mapping[int, int]) -> StreamReader:
        """A reader of these partitions that begins behind the given offsets (0 = at the beginning)."""
        ...

    def recent(self, until: Mapping[int, int], count: int) -> list[Entry]:
        """The last `count` entries of each of these partitions up to the given offsets, in their order.

        Those that are still there; no group's position changes.
        """
        ...

    def status(self) -> tuple[PartitionStatus, ...]:
        """One status a partition, the catalog's last."""
        ...

    def put_aside(self, entries: Sequence[tuple[Entry, str]], at: int) -> None:
        """Keeps entries with the reasons why they cannot be processed. The same entry twice is one letter."""
        ...

    def dead_letters(self, count: int = 1000) -> list[DeadLetter]:
        """What was put aside and neither retried nor dropped, the oldest first."""
        ...

    def drop(self, letter_ids: Iterable[str]) -> int:
        """Forgets dead letters; returns how many there were."""
        ...

    def close(self) -> None:
        """Closes the connections."""


class StreamProgress(Protocol):
    """How far the online features are, for read-your-writes and for people."""

    def reached(self, partitions: Iterable[int]) -> dict[int, int]:
        """For each partition the offset up to which everything is visible online, 0 = nothing."""
        ...

    def advance(self, offsets: Mapping[int, int], waited_micros: Sequence[int]) -> None:
        """Everything up to `offsets` is visible now; `waited_micros` of each event since it was accepted."""
        ...

    def count(self, received: int, unknown: int) -> None:
        """Counts events of a batch, and those about items that the catalog does not have, for ten minutes."""
        ...


def partition_of(user_id: str, partitions: int) -> int:
    """The partition of a user's events.

    >>> 0 <= partition_of("900", 8) < 8
    True
    """
    return stable_key(user_id) % partitions
