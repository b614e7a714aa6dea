"""A worker with everything it needs, put together; and again whenever Redis was away or the shop is new."""

import atexit
import gc
import logging
import os
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Event

from recsys.background_task import BackgroundTask
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import StoreUnavailableError
from recsys.jobs.preconditions import check_home_writable
from recsys.jobs.stream.bootstrap import ItemCategories, begin_state, belongs_to_import, epoch_of, shop_rules
from recsys.jobs.stream.catalog_worker import open_catalog_worker
from recsys.jobs.stream.work_log import WorkLog
from recsys.stores.catalog.popularity_feed import PopularityFeed
from recsys.stores.features.online_writer import OnlineRows
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.redis.clock import BoundedClock
from recsys.stores.redis.shop_claim import connect
from recsys.stores.stream.open import TIMEOUT_SECONDS, open_progress, open_stream
from recsys.stores.stream.partition_locks import PartitionLocks
from recsys.stores.stream.progress import RedisProgress
from recsys.stores.stream.state import SqliteStreamState
from recsys.streaming.runner import Runner
from recsys.streaming.sinks import Sinks
from recsys.streaming.worker import Worker

COMPACT_SECONDS = 30.0
COMPACT_FILES, SMALL_BYTES = 64, 32 << 20  # of a day: so many of at most this size become one
STOP_SECONDS = 60.0  # for a merge that runs
BEAT_SECONDS, DEAD_SECONDS = 5.0, 60.0  # between signs of life; without one
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # the last one again and again
STEADY_SECONDS = 30.0  # a worker that has worked that long begins with short waits again
OWN_DISK = ("stream state", "event lake", "disk")  # waiting does not mend these

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DrainedStream:
    """How many events of users were in the stream and were processed."""

    events: int

    def to_json(self) -> JsonObject:
        """What `recsys stream run --once` prints."""
        return {"events": self.events}


def run_stream(settings: Settings, pinned: Collection[int], stop: Event) -> None:
    """Works until `stop`. Waits while Redis or Kafka is away, and begins anew when a shop was imported.

    Args:
        pinned: partitions to own; none = a fair share of all.

    Raises:
        ConfigError: the home cannot be written.
        StoreUnavailableError: the disk refuses. Nothing is lost: the next start goes on from here.
    """
    check_home_writable(settings)
    attempt = 0
    while not stop.is_set():
        started = time.monotonic()
        try:
            with open_runner(settings, pinned) as runner:
                _set_modules_aside()
                if not runner.run(stop):
                    log.info("the shop was imported anew: beginning again")
        except StoreUnavailableError as error:
            if error.store in OWN_DISK:
                raise
            attempt = 0 if time.monotonic() - started > STEADY_SECONDS else attempt
            wait = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
            attempt += 1
            log.info(f"{error} Trying again in {wait:g} s.")
            stop.wait(wait)


def _set_modules_aside() -> None:
    """Spares the garbage collector what is there for good: a batch's events set it off again and again."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # or DuckDB tells at the end of everything that was never freed


def drain_stream(settings: Settings, pinned: Collection[int] = ()) -> DrainedStream:
    """Processes what is in the stream now.

    Raises:
        DataError, ConfigError, StoreUnavailableError: as `open_runner`.
    """
    with open_runner(settings, pinned) as runner:
        return DrainedStream(runner.drain())


@contextmanager
def open_runner(settings: Settings, pinned: Collection[int] = ()) -> Iterator[Runner]:
    """A runner on the home of `settings`, its state begun.

    Raises:
        DataError: nothing was imported.
        ConfigError: a pinned partition does not exist, the features were never applied, or the stream has
            another number of partitions than the settings.
        StoreUnavailableError: Redis, Kafka or the disk.
    """
    paths = settings.paths
    with ExitStack() as stack:
        stream = open_stream(settings)
        stack.callback(stream.close)
        stream.confirm_partitions()
        state = SqliteStreamState(paths.stream)
        stack.callback(state.close)
        client = connect(settings, TIMEOUT_SECONDS)
        clock, popularity = BoundedClock(client), PopularityFeed(client)
        online = OnlineRows(settings)  # before the state is begun, which reads the whole lake
        stack.callback(online.close)
        if begin_state(settings, state, stream, clock()):
            popularity.clear()
            log.info("the state was begun from the event lake")
        epoch, categories = state.epoch(), ItemCategories(paths)
        rules = shop_rules(paths, categories)
        live = EventLake(paths.live)
        progress = open_progress(settings)
        sinks = Sinks(online, live, progress, popularity)
        sign = _SignOfLife(progress, [stack.enter_context(_compaction(live))])
        locks = PartitionLocks(paths.stream, stream.partitions + 1, pinned)
        stack.callback(locks.close)

        def is_current() -> bool:
            categories.refresh()
            stream.confirm_partitions()
            return belongs_to_import(epoch, epoch_of(paths, stream.partitions))

        yield Runner(
            Worker(stream, state, sinks, rules, settings.stream, clock, time.sleep),
            locks,
            stream.partitions,
            is_current,
            time.monotonic,
            lambda: open_catalog_worker(settings),
            WorkLog(stream.partitions, time.monotonic),
            sign,
        )
        sign.end()  # not after an error: then it is missed


@contextmanager
def _compaction(lake: EventLake) -> Iterator[BackgroundTask]:
    """Merges the lake's many small files beside the worker, as long as the block runs."""
    task = BackgroundTask("compaction", lambda: lake.compact(COMPACT_FILES, SMALL_BYTES))
    task.start(COMPACT_SECONDS, at_once=False)
    try:
        yield task
    finally:
        task.stop(timeout=STOP_SECONDS)


class _SignOfLife:
    """Says every few seconds that this worker is alive, and takes it back when it ends as it should."""

    def __init__(self, progress: RedisProgress, tasks: Sequence[BackgroundTask]) -> None:
        self._progress = progress
        self._tasks = tasks
        self._worker = f"{socket.gethostname()}-{os.getpid()}"
        self._next_at = float("-inf")

    def __call__(self) -> None:
        now = time.monotonic()
        if now < self._next_at:
            return
        self._next_at = now + BEAT_SECONDS
        self._progress.beat(self._worker, [task.name for task in self._tasks if task.error])

    def end(self) -> None:
        with suppress(StoreUnavailableError):
            self._progress.leave(self._worker, DEAD_SECONDS)
