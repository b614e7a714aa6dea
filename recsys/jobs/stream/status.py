"""How far the workers are, for people and programs: what `recsys stream status` shows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from recsys.catalog import stable_key
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.instants import now_micros
from recsys.jobs.stream.bootstrap import ItemCategories
from recsys.stores.stream.open import open_progress, open_stream, stored_partitions
from recsys.stores.stream.progress import FreshnessSummary
from recsys.stores.stream.redis_partitions import another_number
from recsys.stores.stream.state import SqliteStreamState
from recsys.streaming.dead_letters import ALL

ZEROS = ("received", "kept", "late", "duplicates", "poison", "retries", "unknown_items")


@dataclass(frozen=True)
class PartitionProgress:
    """How far one partition is: its last entry, what was processed, and what is visible online.

    Attributes:
        what: `users`, or `catalogue` for the last partition.
    """

    partition: int
    what: str
    lag: int
    last_offset: int
    processed_offset: int
    visible_offset: int


@dataclass(frozen=True)
class StreamReport:
    """Lag and visible offset by partition, what was counted, freshness, and what the state holds.

    Attributes:
        unknown_items: the last ones that events were about and that the catalog still does not know.
        clock: what wrong clocks did, and how often.
        problem: why services and workers refuse to work, empty where they do not.
    """

    partitions: tuple[PartitionProgress, ...]
    events: Mapping[str, float]
    unknown_items: tuple[str, ...]
    clock: Mapping[str, int]
    freshness: FreshnessSummary
    state: Mapping[str, int]
    problem: str = ""

    def to_json(self) -> JsonObject:
        """What `recsys stream status --json` prints."""
        return {
            "partitions": [asdict(partition) for partition in self.partitions],
            "events": self.events,
            "unknown_items": list(self.unknown_items),
            "clock": self.clock,
            "freshness": asdict(self.freshness),
            "state": self.state,
            "problem": self.problem,
        }


def stream_report(settings: Settings) -> StreamReport:
    """Asks the stream, the online store and the workers' state how far they are.

    Raises:
        StoreUnavailableError: Redis, Kafka or the disk.
    """
    there, own = stored_partitions(settings), settings.stream.partitions
    stream = open_stream(
        settings.model_copy(update={"stream": settings.stream.model_copy(update={"partitions": there})})
    )
    try:
        statuses, dead_letters = stream.status(), len(stream.dead_letters(ALL))
    finally:
        stream.close()
    progress = open_progress(settings)
    visible = progress.reached([status.partition for status in statuses])
    state = SqliteStreamState(settings.paths.stream)
    try:
        counted, rate, sizes = state.counters(), state.rate(now_micros()), state.sizes()
        processed = state.offsets([status.partition for status in statuses])
        unknown = state.unknown_items()
    finally:
        state.close()
    partitions = tuple(
        PartitionProgress(
            partition=status.partition,
            what="catalogue" if status.partition == there else "users",
            lag=status.lag,
            last_offset=status.last_offset,
            processed_offset=processed[status.partition] or status.committed_offset,
            visible_offset=visible[status.partition],
        )
        for status in statuses
    )
    clock = {**progress.clock_faults(), "states_ahead": counted.pop("clock_ahead", 0)}
    zeros = {name: counted.pop(name, 0) for name in ZEROS}
    events = {**zeros, **counted, "dead_letters": dead_letters, "per_second": rate}
    return StreamReport(
        partitions=partitions,
        events=events,
        unknown_items=_still_unknown(settings, unknown),
        clock=clock,
        freshness=progress.freshness(),
        state=sizes,
        problem="" if there == own else str(another_number(there, own)),
    )


def _still_unknown(settings: Settings, items: tuple[str, ...]) -> tuple[str, ...]:
    if not items:
        return ()
    keys = np.fromiter(map(stable_key, items), np.int64, len(items))
    known = ItemCategories(settings.paths).is_known(keys)
    return tuple(item for item, is_known in zip(items, known, strict=True) if not is_known)
