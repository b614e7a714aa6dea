"""The service's side of the event stream: takes events in, and knows when they are visible."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import uuid4

from recsys.background_task import BackgroundTask
from recsys.errors import BacklogError, RecsysError, StoreUnavailableError
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import to_micros
from recsys.service_settings import StreamSettings
from recsys.stores.reconnecting import Reconnecting
from recsys.streaming.intake import EventResult, Intake, accept_rows, read_rows
from recsys.streaming.stream import EventStream, StreamProgress
from recsys.streaming.tokens import encode_token, offsets_of, parse_token
from serving.events.backlog import Backlog
from serving.events.metrics import Freshness, StreamMetrics
from serving.events.origins import Sender
from serving.events.visibility import Visibility
from serving.overload.arrival import arrival
from serving.overload.metrics import TurnMetrics
from serving.overload.turns import Turns

TOKEN = b'"token"'  # in a body that may be about ads
THREADS = 8  # they wait for the transport, mostly
SCRAPE_SECONDS = 1.0


class MeasuredProgress(StreamProgress, Protocol):
    """The workers' progress, how fresh it keeps the features, and what wrong clocks did to it."""

    def clock_faults(self) -> Mapping[str, int]:
        """What wrong clocks did, and how often."""

    def freshness(self) -> Freshness:
        """How long the last events took until they were visible."""


@dataclass(frozen=True)
class Collected:
    """The answer to a body of events."""

    accepted: int = field(metadata={"description": "rows that are durable now"})
    refused: int = field(metadata={"description": "rows that were not taken; each has a verdict"})
    token: str | None = field(metadata={"description": "for /v1/recommend; null where nothing was accepted"})
    verdicts: tuple[EventResult, ...] = field(
        metadata={"description": "of rows that were refused, or got an id"}
    )


class EventCollector:
    """Takes events to the stream, in threads of its own: a request for a slate waits for none of them.

    Args:
        open_stream, open_progress: called when first needed, and again after a failure.
        rules: the shop's, for clocks that cannot be true.
        timeout_seconds: for one body. clock: monotonic seconds. turns: takes how long bodies waited.
        origin_of: what is stored of a sender of events about ads; None = nothing.

    Attributes:
        turns: of bodies: half of the time is for waiting, the other for writing.
    """

    def __init__(
        self,
        settings: StreamSettings,
        rules: CleaningRules,
        open_stream: Callable[[], EventStream],
        open_progress: Callable[[], MeasuredProgress],
        metrics: StreamMetrics,
        now: Callable[[], datetime],
        timeout_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        origin_of: Callable[[Sender], str] | None = None,
        turns: TurnMetrics | None = None,
    ) -> None:
        self.turns = Turns(THREADS, timeout_seconds / 2, metrics=turns)
        self._settings = settings
        self._origin_of = origin_of
        self._rules = rules
        self._metrics = metrics
        self._now = now
        self._timeout = timeout_seconds
        self._pool = ThreadPoolExecutor(THREADS, "stream")
        self._stream = Reconnecting(open_stream, lambda stream: stream.close())
        self._progress = Reconnecting(open_progress, lambda progress: None)
        self._backlog = Backlog(
            lambda: self._stream.call(lambda stream: stream.status()),
            self._pool.submit,
            settings.max_lag,
            clock,
        )
        self._observing = BackgroundTask("stream metrics", self._observe)
        self._visibility = Visibility(self._reached, self._pool.submit)

    async def collect(
        self,
        body: bytes,
        lines: bool,
        request_id: str = "",
        forbidden_kinds: Collection[str] = (),
        sender: Sender | None = None,
    ) -> Collected:
        """Accepts or refuses each event of `body`; those accepted are durable when this returns.

        Args:
            lines: the body is one JSON value a line.
            request_id: goes along with each event, for the logs of workers.
            forbidden_kinds: of events that the caller may not send; such rows are refused.
            sender: of the request; None = it is not known.

        Raises:
            MalformedBodyError, RequestError: the body as a whole is not understood.
            BacklogError: too many events wait already. OverloadedError: too many bodies.
            StoreUnavailableError: the transport is away.
            TimeoutError: it took too long. After either, some events may be there: with ids of their own
                they may be sent again.
        """
        loop = asyncio.get_running_loop()
        async with self.turns.take(arrival()):
            origin = self._origin(body, sender)
            future = loop.run_in_executor(
                self._pool, self._collect, body, lines, request_id, origin, forbidden_kinds
            )
            return await asyncio.wait_for(future, self._timeout)

    async def visible(self, token: Mapping[int, int]) -> bool:
        """Whether the events of `token` are visible online, or became so within the settings' time."""
        started, outcome = time.perf_counter(), "visible"
        try:
            if not await self._visibility.wait(token, self._settings.wait_for_token_seconds):
                outcome = "not_yet"
        except StoreUnavailableError:
            outcome = "unknown"
        self._metrics.token_seconds.labels(outcome).observe(time.perf_counter() - started)
        return outcome == "visible"

    def offsets(self, token: str) -> dict[int, int]:
        """What `token` stands for.

        Raises:
            RequestError: it is not a token of this service.
        """
        return parse_token(token, self._settings.partitions)

    async def observe(self) -> None:
        """Looks at lag and freshness for /metrics; what cannot be known in a moment stays as it was."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._observing.attempt)
        with suppress(TimeoutError):
            await asyncio.wait_for(future, SCRAPE_SECONDS)

    @property
    def tasks(self) -> tuple[BackgroundTask, ...]:
        """What this does in the background."""
        return (self._backlog.task, self._observing)

    def refresh_backlog(self) -> None:
        """Looks at the backlog now; otherwise that happens beside the requests."""
        self._backlog.refresh()

    def close(self) -> None:
        """Lets running appends end and closes what is open."""
        self._pool.shutdown(wait=True)
        self._stream.close()
        self._progress.close()

    def _origin(self, body: bytes, sender: Sender | None) -> str:
        if self._origin_of is None or sender is None or TOKEN not in body:
            return ""
        return self._origin_of(sender)

    def _collect(
        self, body: bytes, lines: bool, request_id: str, origin: str, forbidden_kinds: Collection[str]
    ) -> Collected:
        settings, now = self._settings, self._now()
        intake = accept_rows(
            read_rows(body, lines),
            settings.partitions,
            self._rules,
            now,
            lambda: uuid4().hex,
            forbidden_kinds,
        )
        token = self._append(intake, now, request_id, origin) if intake.rows else None
        self._metrics.collected(len(intake.rows), intake.refused)
        return Collected(len(intake.rows), intake.refused, token, intake.verdicts)

    def _append(self, intake: Intake, now: datetime, request_id: str, origin: str) -> str:
        partitions = [partition for partition, _ in intake.rows]
        try:
            self._backlog.check(partitions)
        except BacklogError:
            self._metrics.turned_away.inc()
            raise
        accepted_at = to_micros(now)
        with self._metrics.append_seconds.time():
            offsets = self._stream.call(
                lambda stream: stream.append(intake.rows, accepted_at, request_id, origin)
            )
        return encode_token(offsets_of(zip(partitions, offsets, strict=True)))

    def _reached(self) -> Mapping[int, int]:
        return self._progress.call(lambda progress: progress.reached(range(self._settings.partitions + 1)))

    def _observe(self) -> None:
        self._backlog.refresh()
        self._metrics.lags(self._backlog.status)
        with suppress(RecsysError):
            self._metrics.fresh(self._progress.call(lambda progress: progress.freshness()))
            self._metrics.clock(self._progress.call(lambda progress: progress.clock_faults()))
