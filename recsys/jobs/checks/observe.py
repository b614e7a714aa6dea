"""The facts that a home's health is judged by: of its online store, its event lake and its stream."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from recsys.config import Settings
from recsys.dataset.info import DatasetInfo
from recsys.errors import RecsysError
from recsys.health.facts import Facts, LakeFacts, StoreFacts, StreamFacts
from recsys.health.recent import WaitMeter
from recsys.home import HomePaths
from recsys.instants import to_micros
from recsys.stores.features.online_facts import OnlineStoreProbe
from recsys.stores.lake.dataset_files import INFO_FILE
from recsys.stores.served.click_drift_file import read_click_drift
from recsys.stores.stream.open import open_progress, open_stream
from recsys.stores.stream.progress import RedisProgress
from recsys.streaming.stream import EventStream

MOST_DEAD_LETTERS = 100  # more are not counted


class HomeObserver:
    """Looks at the stores of a home, again and again; by one thread at a time. Writes nothing.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._probe = OnlineStoreProbe(settings)
        self._meter = WaitMeter()
        self._measured = False
        self._stream: EventStream | None = None
        self._progress: RedisProgress | None = None

    def look(self, now: int) -> Facts:
        """The facts of now; a store that cannot be read is one of them.

        Args:
            now: microseconds.
        """
        lake = lake_facts(self._settings.paths)
        clicks = read_click_drift(self._settings.paths.click_drift)
        try:
            store = self._probe.look()
        except RecsysError as error:
            self.close()
            return Facts(now, StoreFacts(error=str(error)), lake, clicks=clicks)
        # A server without this shop's mark has no stream of it, and opening one would leave the mark.
        return Facts(now, store, lake, self._stream_facts() if store.is_ours else None, clicks=clicks)

    def close(self) -> None:
        """Closes the stream, if it is open."""
        stream, self._stream, self._progress = self._stream, None, None
        if stream is not None:
            with suppress(RecsysError):
                stream.close()

    def _stream_facts(self) -> StreamFacts:
        try:
            if self._stream is None:
                self._stream = open_stream(self._settings)
            if self._progress is None:
                self._progress = open_progress(self._settings)
            return self._measure(self._stream, self._progress)
        except RecsysError as error:
            self.close()
            return StreamFacts(error=str(error))

    def _measure(self, stream: EventStream, progress: RedisProgress) -> StreamFacts:
        statuses, letters = stream.status(), stream.dead_letters(MOST_DEAD_LETTERS)
        visible = progress.reached([status.partition for status in statuses])
        # What is visible and not yet in the lake waits as well, but nobody waits for it.
        waiting = [each for each in statuses if each.lag and each.last_offset > visible[each.partition]]
        offsets = [(each.partition, each.last_offset, visible[each.partition]) for each in waiting]
        waited = self._meter.look(self._clock(), offsets)
        known, self._measured = self._measured or not waiting, True
        signs, (received, unknown) = progress.workers(), progress.counted()
        return StreamFacts(
            waiting=sum(each.lag for each in waiting),
            waiting_seconds=waited if known else None,
            worker_seconds=signs[0].seconds if signs else None,
            failing=tuple(sorted({task for sign in signs for task in sign.failing})),
            received=received,
            unknown=unknown,
            dead_letters=len(letters),
        )


def lake_facts(paths: HomePaths) -> LakeFacts:
    """When the shop was imported, and its newest event, imported or of the last day with streamed ones."""
    try:
        info = DatasetInfo.model_validate_json((paths.data / INFO_FILE).read_bytes())
    except (OSError, ValidationError):  # `recsys doctor` says so by its check of the data
        return LakeFacts()
    if info.clock == "order":
        return LakeFacts(to_micros(info.imported_at))
    ends = [*([info.end] if info.events else []), *_ends_of_days(paths.live)]
    return LakeFacts(to_micros(info.imported_at), to_micros(max(ends)) if ends else None, bool(ends))


def _ends_of_days(lake: Path) -> Iterator[datetime]:
    for folder in lake.glob("day=*"):
        with suppress(ValueError):
            day = date.fromisoformat(folder.name.removeprefix("day="))
            yield datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
