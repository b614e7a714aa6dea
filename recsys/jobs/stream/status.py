"""How far the workers are, for people and programs: what `recsys stream status` shows."""

from dataclasses import asdict
from typing import Any

from recsys.config import Settings
from recsys.instants import now_micros
from recsys.stores.stream.open import open_progress, open_stream
from recsys.stores.stream.state import SqliteStreamState
from recsys.streaming.dead_letters import ALL

ZEROS = ("received", "kept", "late", "duplicates", "poison", "retries")


def stream_report(settings: Settings) -> dict[str, Any]:
    """Lag and visible offset by partition, what was counted, freshness, and what the state holds.

    Raises:
        StoreUnavailableError: Redis, Kafka or the disk.
    """
    stream = open_stream(settings)
    try:
        statuses, letters = stream.status(), len(stream.dead_letters(ALL))
    finally:
        stream.close()
    progress = open_progress(settings)
    visible = progress.reached([status.partition for status in statuses])
    state = SqliteStreamState(settings.paths.stream)
    try:
        counted, rate, sizes = state.counters(), state.rate(now_micros()), state.sizes()
        done = state.offsets([status.partition for status in statuses])
    finally:
        state.close()
    partitions = [
        {
            "partition": status.partition,
            "what": "catalogue" if status.partition == stream.partitions else "users",
            "lag": status.lag,
            "last_offset": status.last_offset,
            "processed_offset": done[status.partition] or status.committed_offset,
            "visible_offset": visible[status.partition],
        }
        for status in statuses
    ]
    events = {name: counted.pop(name, 0) for name in ZEROS}
    return {
        "partitions": partitions,
        "events": {**events, **counted, "dead_letters": letters, "per_second": rate},
        "freshness": asdict(progress.freshness()),
        "state": sizes,
    }
