"""stream-scale: two workers against one on the load of two partitions, and the CPU that an event costs.

Real processes. They are halted while a backlog is put into the stream, then let loose; the time is until all
of it is visible online. The state has one writer at a time, and the machine has the server to run as well.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from recsys.config import Settings, load_settings
from recsys.instants import now_micros
from recsys.service_settings import StreamSettings
from recsys.stores.stream.open import open_progress, open_stream
from stream.processes import cpu_of, halted, wait_visible, workers
from stream.shop import append, bodies, open_stream_shop

ITEMS = 5000
USERS = 3000
PAST = 100
EVENTS = 10_000
ROUNDS = 2
AT_LEAST, AIM = 1.6, 1.9


def rows() -> list[dict[str, object]]:
    """Two rows: events a second of two workers and of one, and microseconds of CPU an event."""
    root = load_settings().root
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        settings = Settings(home=Path(folder), root=root, stream=StreamSettings(partitions=2))
        with open_stream_shop(settings, ITEMS, USERS, PAST):
            one_rate, one_cpu = _measure(settings, ["0-1"])
            two_rate, two_cpu = _measure(settings, ["0", "1"])
    ratio = two_rate / one_rate
    return [
        {
            "name": "stream-scale",
            "unit": "events/s",
            "ours": two_rate,
            "peer": "one worker",
            "peer_value": one_rate,
            "ratio": ratio,
            "at_least": AT_LEAST,
            "aim": AIM,
            "ok": ratio >= AT_LEAST,
        },
        {
            "name": "stream-scale-cpu",
            "unit": "us CPU an event",
            "ours": two_cpu,
            "peer": "one worker",
            "peer_value": one_cpu,
            "ratio": two_cpu / one_cpu,
            "at_least": None,
            "aim": None,
            "ok": True,
        },
    ]


def _measure(settings: Settings, shares: Sequence[str]) -> tuple[float, float]:
    """Events a second and the workers' CPU an event; medians."""
    progress = open_progress(settings)
    measured: list[tuple[float, float]] = []
    with workers(settings, shares) as pids:
        for number in range(ROUNDS + 1):
            stream = open_stream(settings)
            events = bodies(EVENTS, ITEMS, USERS, number)
            with halted(pids):
                last = append(stream, events, now_micros())
                cpu, began = cpu_of(pids), time.perf_counter()
            wait_visible(progress, last)
            took = time.perf_counter() - began
            measured.append((EVENTS / took, 1e6 * (cpu_of(pids) - cpu) / EVENTS))
            stream.close()
    rates, costs = zip(*measured[1:], strict=True)  # in the first they write the row of everybody online
    return median(rates), median(costs)


if __name__ == "__main__":
    for row in rows():
        print(row)
