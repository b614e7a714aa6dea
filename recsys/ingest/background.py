"""Work that overlaps: reading ahead, mapping batches in threads, writing in the background.

Arrow and numpy let go of the interpreter while they work, so threads use the other cores.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

import pyarrow as pa

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 2


class RowSink(Protocol):
    """Where rows go: the event lake, the quarantine."""

    def append(self, table: pa.Table) -> None:
        """Takes the rows of `table`."""


def prefetch(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """`items` in order, up to `depth` of them produced by a thread while the caller works."""
    nothing = object()
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[T | object]] = deque()
        try:
            while True:
                while len(waiting) < depth:
                    waiting.append(pool.submit(next, items, nothing))
                item = waiting.popleft().result()
                if item is nothing:
                    return
                yield item  # type: ignore[misc]
        finally:
            for future in waiting:
                future.cancel()


def map_in_order(work: Callable[[T], R], items: Iterator[T], workers: int = WORKERS) -> Iterator[R]:
    """`work(item)` of each item, in order, a few at a time; the items are taken by the caller's thread."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class Background:
    """A sink whose rows are written while the caller goes on; an error surfaces at the next call."""

    def __init__(self, sink: RowSink) -> None:
        self._sink = sink
        self._pool = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def __enter__(self) -> "Background":
        return self

    def append(self, table: pa.Table) -> None:
        """Hands `table` over once the one before it is written: at most one waits in memory."""
        self.wait()
        self._last = self._pool.submit(self._sink.append, table)

    def wait(self) -> None:
        """Returns when all that was handed over is written."""
        if self._last is not None:
            self._last.result()

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
