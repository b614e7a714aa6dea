"""A charge worker, put together; and again whenever a store was away. `recsys ads run` runs one."""

import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Event

from recsys.ads.tokens.impression_token import ImpressionTokens
from recsys.background_task import BackgroundTask
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import LeaseLostError, StoreUnavailableError
from recsys.jobs.ads.accounts import shop_currency
from recsys.jobs.ads.charging.budget_keeping import GATE_SECONDS, BudgetKeeper
from recsys.jobs.ads.charging.charge_log import ChargeLog
from recsys.jobs.ads.charging.event_charging import ChargingStores, EventCharging
from recsys.jobs.preconditions import check_home_writable
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.store import AdsStore
from recsys.stores.ads.traffic import AdsTraffic
from recsys.stores.ads_gate.gate import RedisBudgetGate
from recsys.stores.ads_token_key import token_keys
from recsys.stores.shop_identity import known_shop_id
from recsys.stores.stream.open import open_progress, open_stream
from recsys.stores.stream.partition_locks import PartitionLocks
from recsys.stores.stream.progress import RedisProgress
from recsys.streaming.stream import ADS, EventStream, StreamReader

IDLE_SECONDS = 0.25  # a worker with nothing to do looks up that often
BALANCE_SECONDS = 0.5  # how often it looks who else works
KEEP_SECONDS = 1.0  # between two looks at the gate
BEAT_SECONDS, DEAD_SECONDS = 5.0, 60.0  # between signs of life; without one
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # the last one again and again
STEADY_SECONDS = 30.0  # a worker that has worked that long begins with short waits again
BUDGETS = "budgets"
RECALLED_ENTRIES = 5_000  # of a partition that a worker takes: the clicks among them count as fast or not

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DrainedCharges:
    """What came of the events that waited: see `EventCharging.process`."""

    counts: Counter[str]

    def to_json(self) -> JsonObject:
        """What `recsys ads run --once` prints."""
        names = ("charged", "over_budget", "late", "duplicate", "invalid", "returned", "unknown", "micros")
        return {name: self.counts[name] for name in names}


def run_charges(settings: Settings, stop: Event) -> None:
    """Charges until `stop`; waits whenever a store is away. The shop has an account, see `wait_for_account`.

    Raises:
        ConfigError: the home cannot be written, or the stream has another number of partitions.
    """
    check_home_writable(settings)
    attempt = 0
    while not stop.is_set():
        started = time.monotonic()
        try:
            with open_charge_worker(settings, stop) as worker:
                worker.run()
        except (StoreUnavailableError, LeaseLostError) as error:
            attempt = 0 if time.monotonic() - started > STEADY_SECONDS else attempt
            wait = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
            attempt += 1
            log.info(f"{error} Trying again in {wait:g} s.")
            stop.wait(wait)


def drain_charges(settings: Settings) -> DrainedCharges:
    """Charges what is in the stream now; nothing where the shop has no account.

    Raises:
        StoreUnavailableError: a store is away. LeaseLostError: another worker charges an account.
    """
    with AdsStore.open(settings) as store:
        if not store.accounts():
            return DrainedCharges(Counter())
    with open_charge_worker(settings, Event()) as worker:
        return DrainedCharges(worker.drain())


class ChargeWorker:
    """Charges the events of its share of the partitions; keeps the gate while it has the last one's lock.

    Partitions of users are shared as those of the stream's workers are. The catalog's has no events of ads:
    whoever owns it keeps the budgets of all accounts.
    """

    def __init__(
        self,
        stream: EventStream,
        charging: EventCharging,
        keeper: BudgetKeeper,
        locks: PartitionLocks,
        batch_events: int,
        stop: Event,
        report: Callable[[frozenset[int], Counter[str]], None] = lambda partitions, counts: None,
        beat: Callable[[bool], None] = lambda keeps: None,
    ) -> None:
        """Args:
        batch_events: read at a time, at most.
        report: told after each round which partitions it owns and what came of its events.
        beat: says that this worker is alive, and whether its work on the budgets fails.
        """
        self._stream, self._charging, self._keeper, self._locks = stream, charging, keeper, locks
        self._batch_events, self._stop = batch_events, stop
        self._report, self._beat = report, beat
        self._reader: StreamReader | None = None
        self._partitions: frozenset[int] = frozenset()
        self._keeping: BackgroundTask | None = None
        self._balance_at = float("-inf")

    def run(self) -> None:
        """Works until it is told to stop, and finishes the batch that it has begun."""
        try:
            while not self._stop.is_set():
                if time.monotonic() >= self._balance_at:
                    self._balance_at = time.monotonic() + BALANCE_SECONDS
                    self._stream.confirm_partitions()
                    self._share()
                    self._beat(self._keeping is not None and bool(self._keeping.error))
                counts = self.charge_once(IDLE_SECONDS)
                self._report(self._locks.owned, counts)
        finally:
            self._let_go()
        self._charging.release_leases()

    def drain(self) -> Counter[str]:
        """Charges what is there now in the partitions that are free."""
        total: Counter[str] = Counter()
        try:
            self._share()
            while (counts := self.charge_once(0.0))["read"]:
                total += counts
            self._charging.release_leases()
        finally:
            self._let_go()
        return total

    def charge_once(self, wait_seconds: float) -> Counter[str]:
        """Charges what has come; its events are done with once SQL has the charges."""
        if self._reader is None:
            self._stop.wait(wait_seconds)
            return Counter()
        entries = self._reader.read(self._batch_events, wait_seconds)
        if not entries:
            return Counter()
        counts = self._charging.process(entries)
        self._reader.commit({entry.partition: entry.offset for entry in entries})
        counts["read"] = len(entries)
        return counts

    def _share(self) -> None:
        wanted = self._locks.wanted()
        self._locks.release(self._locks.owned - wanted)  # between two batches: nothing is under way
        self._locks.acquire(wanted)
        last = self._stream.partitions
        users = self._locks.owned - {last}
        self._charging.keeps_leases = len(users) == last
        if users != self._partitions:
            self._take(users)
        if last not in self._locks.owned:
            self._stop_keeping()
        elif self._keeping is None:
            self._keeping = BackgroundTask(BUDGETS, self._keeper.keep)
            self._keeping.start(KEEP_SECONDS)

    def _take(self, partitions: frozenset[int]) -> None:
        self._charging.release_leases()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        done = {each.partition: each.committed_offset for each in self._stream.status()}
        if new := partitions - self._partitions:
            recent = self._stream.recent({each: done[each] for each in new}, RECALLED_ENTRIES)
            self._charging.recall(recent)
        if partitions:
            self._reader = self._stream.reader({each: done[each] for each in partitions})
        self._partitions = partitions

    def _stop_keeping(self) -> None:
        if self._keeping is not None:
            self._keeping.stop()
            self._keeping = None

    def _let_go(self) -> None:
        self._stop_keeping()
        if self._reader is not None:
            self._reader.close()
            self._reader = None


@contextmanager
def open_charge_worker(settings: Settings, stop: Event) -> Iterator[ChargeWorker]:
    """A charge worker on the home of `settings`; it has not begun.

    Raises:
        ConfigError: the stream has another number of partitions than the settings.
        StoreUnavailableError: Redis, Kafka or the database.
    """
    with ExitStack() as stack:
        books = stack.enter_context(AdsLedger.open(settings))
        campaigns = stack.enter_context(AdsStore.open(settings))
        traffic = stack.enter_context(AdsTraffic.open(settings))
        gate = RedisBudgetGate.open(settings, GATE_SECONDS)
        stack.callback(gate.close)
        stream = open_stream(settings, ADS)
        stack.callback(stream.close)
        stream.confirm_partitions()
        owner = f"{socket.gethostname()}-{os.getpid()}"
        tokens = ImpressionTokens(token_keys(settings), known_shop_id(settings) or "")
        stores = ChargingStores(books, traffic, campaigns, gate, tokens)
        charging = EventCharging(stores, settings.ads, f"{owner}-{secrets.token_hex(4)}"[-120:])
        keeper = BudgetKeeper(books, campaigns, gate)
        locks = PartitionLocks(settings.paths.charging, stream.partitions + 1)
        stack.callback(locks.close)
        sign = _SignOfLife(open_progress(settings, ADS), owner)
        yield ChargeWorker(
            stream,
            charging,
            keeper,
            locks,
            settings.stream.batch_events,
            stop,
            ChargeLog(stream.partitions, shop_currency(settings), time.monotonic),
            sign,
        )
        sign.end()  # not after an error: then it is missed


class _SignOfLife:
    """Says every few seconds that this worker is alive, and takes it back when it ends as it should."""

    def __init__(self, progress: RedisProgress, worker: str) -> None:
        self._progress, self._worker = progress, worker
        self._next_at = float("-inf")

    def __call__(self, is_failing: bool) -> None:
        now = time.monotonic()
        if now < self._next_at:
            return
        self._next_at = now + BEAT_SECONDS
        self._progress.beat(self._worker, [BUDGETS] if is_failing else [])

    def end(self) -> None:
        with suppress(StoreUnavailableError):
            self._progress.leave(self._worker, DEAD_SECONDS)
