"""`/v1/recommend` of a real service: 68,000 items, 500 candidates ranked, features online, 50 requests/s.

An open loop: a request leaves at its time whether or not the last one came back, so that a slow answer
does not slow the question down. The client runs on the same machine.
"""

import asyncio
import gc
import tempfile
import time
from pathlib import Path
from statistics import median

import httpx
import numpy as np

from online import random_shop
from online.bounded_row import bounded_row
from online.served_process import cpu_seconds, serving
from recsys.config import Settings, load_settings
from recsys.funnel.requests import EFFORT_DEGRADATIONS

ITEMS = 68_000
USERS = 2_000
RATE = 50.0  # requests a second
WARM_UP_SECONDS = 5.0
SECONDS = 20.0
ROUNDS = 3


def rows() -> list[dict[str, object]]:
    """CPU a request, latency from the moment a request was due, and what was refused or answered with less.

    The first three are medians of three rounds; CPU is of all requests, latency of full answers.
    """
    root = load_settings().root
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        settings = Settings(home=Path(folder), root=root)
        with random_shop.open_shop(settings, ITEMS, USERS), serving(root, Path(folder)) as (address, pid):
            gc.freeze()  # the shop was built in this process: its collector would pause the client for 0.2 s
            asyncio.run(_load(address, WARM_UP_SECONDS, 0))
            rounds = [_round(address, pid, number) for number in range(1, ROUNDS + 1)]
    cpu, half, tail, refused = zip(*rounds, strict=True)
    return [
        bounded_row("recommend-cpu", "ms CPU a request", median(cpu), at_least=12.0, aim=5.0),
        bounded_row("recommend-p50", "ms", median(half), at_least=30.0, aim=10.0),
        bounded_row("recommend-p99", "ms", median(tail), at_least=60.0, aim=20.0),
        bounded_row("recommend-not-full-of-1000", "answers", 1000 * max(refused), at_least=5.0, aim=0.0),
    ]


def _round(address: str, pid: int, seed: int) -> tuple[float, float, float, float]:
    """CPU a request, p50 and p99 of latency, in milliseconds; the share without a full answer."""
    before = cpu_seconds(pid)
    latencies = asyncio.run(_load(address, SECONDS, seed))
    cpu = (cpu_seconds(pid) - before) / len(latencies)
    full = [1e3 * took for took in latencies if took is not None]
    return 1e3 * cpu, float(np.median(full)), float(np.quantile(full, 0.99)), 1 - len(full) / len(latencies)


async def _load(address: str, seconds: float, seed: int) -> list[float | None]:
    """Seconds from when each request was due to its answer; None: refused, or answered with less (overload).

    Raises:
        RuntimeError: an answer was not what it should be.
    """
    users = np.random.default_rng(seed).integers(0, USERS, int(seconds * RATE))
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=10) as client:
        started = time.perf_counter() + 0.1

        async def ask(place: int, user: int) -> float | None:
            due = started + place / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            body = {"user_id": random_shop.user_id(user), "k": 10}
            response = await client.post("/v1/recommend", json=body)
            took = time.perf_counter() - due
            slate = response.json()
            if response.status_code == 429 or set(slate.get("degraded", ())) & set(EFFORT_DEGRADATIONS):
                return None
            if response.status_code != 200 or slate["degraded"] or slate["candidates"] < 500:
                raise RuntimeError(f"not a full answer ({response.status_code}): {response.text[:300]}")
            return took

        return list(await asyncio.gather(*(ask(place, int(user)) for place, user in enumerate(users))))
