"""Rebuilds the online features of users and items from the lake beside those that are read, then switches."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

from recsys import columns
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.instants import to_micros
from recsys.jobs.stream.bootstrap import ItemCategories, begin_state, shop_mapping
from recsys.jobs.stream.lake_state import LakeState
from recsys.progress import Progress, silent
from recsys.stores.features.feast_registry import open_repository
from recsys.stores.features.online_writer import OnlineRows
from recsys.stores.lake.event_lake import EventLake, open_lake
from recsys.stores.locks import try_lock
from recsys.stores.packed.connection import open_client
from recsys.stores.packed.generations import (
    abandon_generation,
    begin_generation,
    retire_generations,
    switch_generation,
)
from recsys.stores.packed.rows import packed_view
from recsys.stores.stream.lake_flush import flush_waiting
from recsys.stores.stream.open import open_stream
from recsys.stores.stream.state import SqliteStreamState
from recsys.streaming.aggregate import user_rows
from recsys.streaming.item_counters import decode_counters, item_rows

VIEWS = (columns.USER_ACTIVITY, columns.USER_HISTORY, columns.USER_SEARCHES, columns.ITEM_ENGAGEMENT)
ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class ReplayResult:
    """What a replay did.

    Attributes:
        events: that were read from the lake.
        retired: rows of earlier generations, which Redis drops after a day.
    """

    events: int
    users: int
    items: int
    retired: int

    def to_json(self) -> JsonObject:
        """What `recsys stream replay` prints."""
        return asdict(self)


def replay_events(
    settings: Settings,
    now: int,
    start: datetime | None = None,
    end: datetime | None = None,
    progress: Progress = silent,
) -> ReplayResult:
    """Computes the rows of the events with start <= at < end as of `end`, then all readers switch at once.

    Workers may run meanwhile: what they write goes to both generations. Without `start` and `end` their state
    is begun anew from the lake as well, so that they go on from the rows that are written here.

    Args:
        now: microseconds of the clock; rows are valid then if there is no `end`.

    Raises:
        DataError: nothing was imported, no event is in that time, or another replay is running.
        StoreUnavailableError: Redis or the disk. Readers still have the rows from before.
    """
    store = open_repository(settings)
    client = open_client(store.config, settings)
    views = [packed_view(store.project, store.get_feature_view(name)) for name in VIEWS]
    with _replay_lock(settings):
        begin_generation(client, store.project, [view.layout.view for view in views])
        try:
            created = _begin(settings, now, anew=start is None and end is None)
            at = now if end is None else to_micros(end) - 1
            with ExitStack() as stack:
                lake, mapping = open_lake(settings.paths), shop_mapping(settings.paths)
                with progress("read events", None):
                    begun = stack.enter_context(LakeState(lake, mapping, settings.paths.stream, start, end))
                if not begun.events:
                    since, until = start or "the beginning", end or "now"
                    raise DataError(f"no event from {since} to {until}. Choose another time.")
                users, items = _write(settings, begun, at, created, progress)
            switch_generation(client, store.project)
        except BaseException:
            abandon_generation(client, store.project)
            raise
        retired = retire_generations(client, store.project, views)
    client.close()
    return ReplayResult(begun.events, users, items, retired)


def _begin(settings: Settings, now: int, anew: bool) -> int:
    """Writes to the lake what waits for it; the created timestamp of the rows that are made from the lake."""
    state = SqliteStreamState(settings.paths.stream)
    try:
        # Before the lake is complete: what workers process from now on is newer than the rows made here.
        created = state.stamp(now)
        if anew:
            stream = open_stream(settings)
            stream.confirm_partitions()
            begin_state(settings, state, stream, now, anew=True)
            stream.close()
        else:
            flush_waiting(state, EventLake(settings.paths.live))
    finally:
        state.close()
    return created


def _write(
    settings: Settings, begun: LakeState, at: int, created: int, progress: Progress
) -> tuple[int, int]:
    """Writes all rows valid at `at`; returns of how many users and items."""
    online, categories = OnlineRows(settings, shadow=True), ItemCategories(settings.paths)
    users = items = 0
    with progress("rows online", None) as advance:
        for part in begun.users():
            for logs in _parts(part.logs):
                searches = {user: part.searches[user] for user in logs if user in part.searches}
                rows = user_rows(logs, searches, categories=categories, now=at, created=created)
                online.write(
                    {
                        columns.USER_ACTIVITY: rows.activity,
                        columns.USER_HISTORY: rows.history,
                        columns.USER_SEARCHES: rows.searches,
                    }
                )
                users += len(logs)
                advance(len(logs))
        for of_items in begun.items():
            for counters in _parts(of_items):
                engagement = item_rows(decode_counters(counters), now=at, created=created).engagement
                online.write({columns.ITEM_ENGAGEMENT: engagement})
                items += len(counters)
                advance(len(counters))
    online.close()
    return users, items


def _parts(values: dict[str, bytes]) -> Iterator[dict[str, bytes]]:
    names = list(values)
    for start in range(0, len(names), ROWS_AT_ONCE):
        yield {name: values[name] for name in names[start : start + ROWS_AT_ONCE]}


@contextmanager
def _replay_lock(settings: Settings) -> Iterator[None]:
    settings.paths.stream.mkdir(parents=True, exist_ok=True)
    lock = try_lock(settings.paths.stream / "replay.lock")
    if lock is None:
        raise DataError("another replay of this home is running. Wait for it to end.")
    with lock:
        yield
