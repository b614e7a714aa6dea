"""An event stream and the workers' progress in memory: what the contract asks for and nothing else."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from recsys.errors import StoreUnavailableError
from recsys.streaming.stream import DeadLetter, Entry, PartitionStatus


class FakeEventStream:
    """`EventStream` in memory; set `away` and every method raises as if the transport did not answer.

    Args:
        partitions: of users; the catalog's is one more.
    """

    def __init__(self, partitions: int = 2) -> None:
        self.away = False
        self.logs: list[list[Entry]] = [[] for _ in range(partitions + 1)]
        self.committed = [0] * (partitions + 1)
        self.letters: dict[str, DeadLetter] = {}
        self.changed = threading.Condition()

    @property
    def partitions(self) -> int:
        return len(self.logs) - 1

    def confirm_partitions(self) -> None:
        self.answer("confirm partitions")

    def append(
        self, rows: Sequence[tuple[int, bytes]], accepted_at: int, request_id: str = "", origin: str = ""
    ) -> list[int]:
        self.answer("append")
        offsets = []
        with self.changed:
            for partition, body in rows:
                log = self.logs[partition]
                log.append(Entry(partition, len(log) + 1, bytes(body), accepted_at, request_id, origin))
                offsets.append(len(log))
            self.changed.notify_all()
        return offsets

    def reader(self, after: Mapping[int, int]) -> "FakeReader":
        self.answer("read")
        for partition, offset in after.items():
            self.committed[partition] = offset
        return FakeReader(self, after)

    def recent(self, until: Mapping[int, int], count: int) -> list[Entry]:
        self.answer("read recent")
        return [
            entry
            for partition, offset in until.items()
            for entry in self.logs[partition][max(offset - count, 0) : offset]
        ]

    def status(self) -> tuple[PartitionStatus, ...]:
        self.answer("status")
        return tuple(
            PartitionStatus(partition, len(log), committed, max(len(log) - committed, 0))
            for partition, (log, committed) in enumerate(zip(self.logs, self.committed, strict=True))
        )

    def put_aside(self, entries: Sequence[tuple[Entry, str]], at: int) -> None:
        self.answer("put aside")
        for entry, reason in entries:
            name = f"{entry.partition}-{entry.offset}"
            self.letters.setdefault(name, DeadLetter(name, entry, reason, at))

    def dead_letters(self, count: int = 1000) -> list[DeadLetter]:
        self.answer("dead letters")
        return sorted(self.letters.values(), key=lambda letter: letter.at)[:count]

    def drop(self, letter_ids: Iterable[str]) -> int:
        self.answer("drop")
        return sum(self.letters.pop(letter_id, None) is not None for letter_id in letter_ids)

    def close(self) -> None: ...

    def answer(self, operation: str) -> None:
        if self.away:
            raise StoreUnavailableError("fake stream", operation, 0.0)


class FakeReader:
    """`StreamReader` of a fake stream."""

    def __init__(self, stream: FakeEventStream, after: Mapping[int, int]) -> None:
        self.stream = stream
        self.given = dict(after)

    def read(self, count: int, wait_seconds: float) -> list[Entry]:
        end = time.monotonic() + wait_seconds
        with self.stream.changed:
            while True:
                self.stream.answer("read")
                entries = self._next(count)
                left = end - time.monotonic()
                if entries or left <= 0:
                    return entries
                self.stream.changed.wait(left)

    def commit(self, offsets: Mapping[int, int]) -> None:
        self.stream.answer("commit")
        for partition, offset in offsets.items():
            self.stream.committed[partition] = max(offset, self.stream.committed[partition])

    def close(self) -> None: ...

    def _next(self, count: int) -> list[Entry]:
        entries: list[Entry] = []
        for partition, given in self.given.items():
            found = self.stream.logs[partition][given : given + count - len(entries)]
            self.given[partition] = given + len(found)
            entries += found
        return entries


class FakeProgress:
    """`StreamProgress` in memory; `waited` keeps every freshness it was told."""

    def __init__(self) -> None:
        self.visible: dict[int, int] = {}
        self.waited: list[int] = []
        self.counts = (0, 0)
        self.away = False

    def reached(self, partitions: Iterable[int]) -> dict[int, int]:
        self._answer("reached")
        return {partition: self.visible.get(partition, 0) for partition in partitions}

    def advance(self, offsets: Mapping[int, int], waited_micros: Sequence[int]) -> None:
        self._answer("advance")
        for partition, offset in offsets.items():
            self.visible[partition] = max(offset, self.visible.get(partition, 0))
        self.waited += waited_micros

    def count(self, received: int, unknown: int) -> None:
        self._answer("count")
        self.counts = (self.counts[0] + received, self.counts[1] + unknown)

    def counted(self) -> tuple[int, int]:
        self._answer("counted")
        return self.counts

    def _answer(self, operation: str) -> None:
        if self.away:
            raise StoreUnavailableError("fake progress", operation, 0.0)
