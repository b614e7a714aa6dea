"""stream-worker: one worker over a backlog, all features updated and online, the event lake written.

The worker of `recsys stream run` in this process. Reading, state, rows online, progress and the lake count;
what it takes to begin does not. 5,000 users with 100 events each in the past, 5,000 items.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

from online.bounded_row import bounded_row

from recsys.config import Settings, load_settings
from recsys.instants import now_micros
from recsys.jobs.stream.run import drain_stream, open_runner
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.stream.open import open_stream
from stream.shop import append, bodies, open_stream_shop

ITEMS = 5000
USERS = 5000
PAST = 100
EVENTS = 16_000
ROUNDS = 3
AT_LEAST, AIM = 3000.0, 8000.0


def rows() -> list[dict[str, object]]:
    """Two rows: events a second, and microseconds of the worker's CPU an event; medians of three rounds."""
    root = load_settings().root
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        settings = Settings(home=Path(folder), root=root)
        with open_stream_shop(settings, ITEMS, USERS, PAST):
            drain_stream(settings)  # begins the state
            _round(settings, 0)  # in passing it writes the row of everybody online
            measured = [_round(settings, number) for number in range(1, ROUNDS + 1)]
    rate, cost = (median(values) for values in zip(*measured, strict=True))
    return [
        bounded_row("stream-worker", "events/s", rate, AT_LEAST, AIM),
        # What the rates mean for a processor that does nothing else.
        bounded_row("stream-worker-cpu", "us CPU an event", cost, 1e6 / AT_LEAST, 1e6 / AIM),
    ]


def _round(settings: Settings, seed: int) -> tuple[float, float]:
    stream = open_stream(settings)
    append(stream, bodies(EVENTS, ITEMS, USERS, seed), now_micros())
    stream.close()
    lake = EventLake(settings.paths.live)
    before = len(lake.read([]))
    with open_runner(settings) as runner:
        began, cpu = time.perf_counter(), time.process_time()
        done = runner.drain()
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
    if done != EVENTS or len(lake.read([])) - before < 0.9 * EVENTS:  # near duplicates are rejected
        raise RuntimeError(f"{done} of {EVENTS} events processed, {len(lake.read([])) - before} in the lake")
    return EVENTS / took, 1e6 * cpu / EVENTS


if __name__ == "__main__":
    print(rows())
