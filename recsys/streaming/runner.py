"""Keeps a worker at work: who owns which partition, and when to stop."""

from collections.abc import Callable, Collection
from threading import Event, Thread
from typing import Protocol

from recsys.streaming.worker import Worker

IDLE_SECONDS = 0.25  # a worker with nothing to do looks up that often
BALANCE_SECONDS = 0.5  # how often it looks who else works


class Ownership(Protocol):
    """Partitions that this worker owns, each by a lock."""

    @property
    def owned(self) -> frozenset[int]:
        """The partitions that this worker owns now."""

    def wanted(self) -> frozenset[int]:
        """The partitions that this worker should own among those that live now."""
        ...

    def acquire(self, partitions: Collection[int]) -> None:
        """Takes those of `partitions` that no other worker owns."""
        ...

    def release(self, partitions: Collection[int]) -> None:
        """Gives partitions back."""
        ...


class CatalogTask(Protocol):
    """What works on the catalog's partition while this worker owns it."""

    def run_once(self) -> int:
        """Processes what has come; returns how many entries that were."""
        ...

    def run(self, stop: Event) -> None:
        """Does so until `stop`."""
        ...


class Runner:
    """One worker process: its share of the partitions, until it is told to stop."""

    def __init__(
        self,
        worker: Worker,
        ownership: Ownership,
        partitions: int,
        is_current: Callable[[], bool],
        clock: Callable[[], float],
        catalog: Callable[[], CatalogTask] | None = None,
        report: Callable[[frozenset[int], int], None] = lambda partitions, entries: None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """Args:
        partitions: of users; the one after them is the catalog's.
        is_current: whether the shop is still the one that the worker began with; asked at times.
        clock: seconds, of any origin.
        catalog: makes what works on the catalog's partition.
        report: told after each round which partitions it owns and how many entries it processed.
        beat: says that this worker is alive; called at each look at who else works.
        """
        self._worker, self._ownership, self._partitions = worker, ownership, partitions
        self._is_current, self._clock = is_current, clock
        self._catalog = _CatalogThread(catalog)
        self._report = report
        self._beat = beat
        self._balance_at = 0.0

    def run(self, stop: Event) -> bool:
        """Works until `stop`, and finishes what it has begun; false if the shop became another one."""
        try:
            while not stop.is_set():
                if not self._balance():
                    return False
                done = 0
                if self._worker.partitions:
                    done = self._worker.run_once(IDLE_SECONDS)
                else:
                    stop.wait(IDLE_SECONDS)
                self._report(self._ownership.owned, done)
            self._worker.close()
            return True
        finally:
            self._catalog.stop()

    def drain(self) -> int:
        """Processes what is there now in the partitions that are free; returns how many entries of users."""
        done = 0
        self._share()
        if self._partitions in self._ownership.owned:
            self._catalog.drain()
        while read := self._worker.run_once():
            done += read
        self._worker.close()
        return done

    def _balance(self) -> bool:
        now = self._clock()
        if now < self._balance_at and not self._worker.outdated:
            return True
        self._balance_at = now + BALANCE_SECONDS
        if self._worker.outdated or not self._is_current():
            return False
        self._share()
        if self._partitions in self._ownership.owned:
            self._catalog.start()
        self._beat()
        return not self._worker.outdated

    def _share(self) -> None:
        wanted, own = self._ownership.wanted(), self._ownership
        if leaving := own.owned - wanted:  # between two batches: nothing of them is under way
            if self._partitions in leaving:
                self._catalog.stop()
            self._worker.flush()
            self._ownership.release(leaving)
        own.acquire(wanted)
        users = own.owned - {self._partitions}
        if users != self._worker.partitions:
            self._worker.take(users)


class _CatalogThread:
    """The catalog's task in a thread of its own; an error of it surfaces at the next call."""

    def __init__(self, make: Callable[[], CatalogTask] | None) -> None:
        self._make = make
        self._stop = Event()
        self._thread: Thread | None = None
        self._error: Exception | None = None

    def start(self) -> None:
        if self._error is not None:
            raise self._error
        if self._make is not None and (self._thread is None or not self._thread.is_alive()):
            self._stop.clear()
            self._thread = Thread(target=self._run, name="catalog", daemon=True)
            self._thread.start()

    def drain(self) -> None:
        """Instead of running: what is there now."""
        if self._make is not None:
            task = self._make()
            while task.run_once():
                pass

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        assert self._make is not None
        try:
            self._make().run(self._stop)
        except BaseException as error:
            # One that would end the thread alone, as SystemExit, is an error of the worker too.
            if not isinstance(error, Exception):
                error = RuntimeError(f"the catalog's task ended by {error!r}")
            self._error = error
