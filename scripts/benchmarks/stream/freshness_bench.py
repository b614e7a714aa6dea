"""freshness: from accepted to visible online at 1,000 events a second, one real worker process.

Ten events every ten milliseconds, as a service would append them; the wait of each is what the worker itself
counts, from the instant before the append. It includes the server's own write to the disk.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from online.bounded_row import bounded_row

from recsys.config import Settings, load_settings
from recsys.instants import now_micros
from recsys.stores.redis.shop_claim import connect
from recsys.stores.stream.open import open_progress, open_stream
from recsys.stores.stream.progress import PREFIX
from stream.processes import wait_visible, workers
from stream.shop import append, bodies, open_stream_shop

ITEMS = 5000
USERS = 3000
PAST = 100
RATE = 1000
TICK = 0.01
WARM_UP_SECONDS = 3.0
SECONDS = 15.0


def rows() -> list[dict[str, object]]:
    """Two rows: the median and the 99th percentile of the waits, in milliseconds."""
    root = load_settings().root
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        settings = Settings(home=Path(folder), root=root)
        with open_stream_shop(settings, ITEMS, USERS, PAST), workers(settings, [None]):
            _load(settings, WARM_UP_SECONDS, 0)
            _forget(settings)
            _load(settings, SECONDS, 1)
            found = open_progress(settings).freshness()
    if found.count != int(SECONDS * RATE):
        raise RuntimeError(f"{found.count} waits were counted of {int(SECONDS * RATE)} events")
    return [
        bounded_row("freshness-p50", "ms", found.p50_ms, at_least=100.0, aim=20.0),
        bounded_row("freshness-p99", "ms", found.p99_ms, at_least=1000.0, aim=200.0),
    ]


def _load(settings: Settings, seconds: float, seed: int) -> None:
    """An open loop: what is due is sent, whether or not the worker keeps up; returns when all is visible."""
    stream, progress = open_stream(settings), open_progress(settings)
    events = bodies(int(seconds * RATE), ITEMS, USERS, seed)
    each = int(RATE * TICK)
    last: dict[int, int] = {}
    began = time.perf_counter()
    for number, first in enumerate(range(0, len(events), each)):
        time.sleep(max(0.0, began + number * TICK - time.perf_counter()))
        last |= append(stream, events[first : first + each], now_micros())
    took = time.perf_counter() - began
    if took > 1.1 * seconds:
        raise RuntimeError(f"the client took {took:.1f} s to send what was due in {seconds:.1f} s")
    wait_visible(progress, last)
    stream.close()


def _forget(settings: Settings) -> None:
    """Takes the waits of the warm-up away."""
    with connect(settings) as client:
        redis: Any = client
        for key in redis.scan_iter(f"{PREFIX}:waited:*"):
            redis.delete(key)


if __name__ == "__main__":
    for row in rows():
        print(row)
