"""Events that workers have processed and not yet written to the lake: written by whoever reads the lake."""

from recsys.home import HomePaths
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.stream.state import STATE_FILE, SqliteStreamState


def flush_waiting(state: SqliteStreamState, live: EventLake) -> None:
    """Writes to the lake the events that wait for it in the state."""
    with state.flushing(wait=True):
        for name, events in state.waiting():
            live.append(events, name)
            state.flushed(name)


def complete_lake(paths: HomePaths, now: int) -> int:
    """A created timestamp for rows that are built from the lake after this call, in microseconds.

    The lake then holds all that workers have processed up to it, and what they process later has a later
    one. So online these rows win over a worker's that know no more, and lose against those that do.

    Args:
        now: microseconds of the clock; the answer where no worker has ever run.

    Raises:
        StoreUnavailableError: the disk refused.
    """
    if not (paths.stream / STATE_FILE).exists():
        return now
    state = SqliteStreamState(paths.stream)
    try:
        created = state.stamp(now)
        flush_waiting(state, EventLake(paths.live))
        return created
    finally:
        state.close()
