"""`/v1/search` and `/v1/suggest` of a real service on an imported shop with a bundle: `--home DIR`.

Queries are pieces of the shop's own titles, a tenth with a typing error; each names a user and asks for
facets. An open loop: a request leaves at its time whether or not the last one came back.
"""

import asyncio
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
from online.bounded_row import bounded_row
from online.served_process import cpu_seconds, serving

from recsys.config import Settings, load_settings
from recsys.stores.bundles.files import read_items
from recsys.stores.lake.event_lake import open_lake
from recsys.stores.registry.registry import Registry

RATE = 20.0  # requests a second
WARM_UP_SECONDS, SECONDS, ROUNDS = 5.0, 20.0, 3
ERRORS = 0.1  # queries with a typing error
FACETS = ["category", "brand", "price"]
USERS = 500


def rows() -> list[dict[str, object]]:
    """CPU a search, and latency from the moment a request was due; medians of three rounds.

    Raises:
        RuntimeError: there is no bundle, or an answer was not what it should be.
    """
    settings = load_settings()
    titles, users = _titles(settings), _users(settings)
    with serving(settings.root, settings.paths.home) as (address, pid):
        asyncio.run(_load(address, titles, users, WARM_UP_SECONDS, 0, _search))
        rounds = [_round(address, pid, titles, users, number) for number in range(1, ROUNDS + 1)]
        suggested = [
            asyncio.run(_load(address, titles, users, SECONDS, number, _suggest)) for number in range(ROUNDS)
        ]
    cpu, half, tail = (median(values) for values in zip(*rounds, strict=True))
    suggest_tail = median(1e3 * float(np.quantile(latencies, 0.99)) for latencies in suggested)
    return [
        bounded_row("search-cpu", "ms CPU a request", cpu, at_least=25.0, aim=8.0),
        bounded_row("search-p50", "ms", half, at_least=25.0, aim=8.0),
        bounded_row("search-p99", "ms", tail, at_least=80.0, aim=25.0),
        bounded_row("suggest-p99", "ms", suggest_tail, at_least=20.0, aim=5.0),
    ]


def _round(
    address: str, pid: int, titles: list[str], users: list[str], seed: int
) -> tuple[float, float, float]:
    """Server CPU a request, median and 99th percentile of latency; milliseconds."""
    before = cpu_seconds(pid)
    latencies = asyncio.run(_load(address, titles, users, SECONDS, seed, _search))
    cpu = (cpu_seconds(pid) - before) / len(latencies)
    return 1e3 * cpu, 1e3 * float(np.median(latencies)), 1e3 * float(np.quantile(latencies, 0.99))


async def _load(
    address: str, titles: list[str], users: list[str], seconds: float, seed: int, ask: Any
) -> list[float]:
    """Seconds from when each request was due to its answer."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE)
    queries = [_query(titles[place], rng) for place in rng.integers(0, len(titles), count).tolist()]
    asking = [users[place] for place in rng.integers(0, len(users), count).tolist()]
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=10) as client:
        started = time.perf_counter() + 0.1

        async def at_its_time(place: int) -> float:
            due = started + place / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await ask(client, queries[place], asking[place])
            return time.perf_counter() - due

        return list(await asyncio.gather(*(at_its_time(place) for place in range(count))))


async def _search(client: httpx.AsyncClient, query: str, user: str) -> None:
    body = {"query": query, "user_id": user, "facets": FACETS, "k": 20}
    response = await client.post("/v1/search", json=body)
    answer = response.json()
    if response.status_code != 200 or "meaning_unavailable" in answer["degraded"]:
        raise RuntimeError(f"not a full answer ({response.status_code}): {response.text[:300]}")


async def _suggest(client: httpx.AsyncClient, query: str, user: str) -> None:
    response = await client.get("/v1/suggest", params={"q": query[:4], "user_id": user})
    if response.status_code != 200:
        raise RuntimeError(f"not an answer ({response.status_code}): {response.text[:300]}")


def _query(title: str, rng: np.random.Generator) -> str:
    """One to three words of `title` that follow one another, now and then with two letters swapped."""
    words = title.split()
    length = int(rng.integers(1, 4))
    start = int(rng.integers(0, max(1, len(words) - length + 1)))
    query = " ".join(words[start : start + length])
    if rng.random() < ERRORS and len(query) > 4:
        place = int(rng.integers(1, len(query) - 2))
        query = query[:place] + query[place + 1] + query[place] + query[place + 2 :]
    return query


def _titles(settings: Settings) -> list[str]:
    with Registry.open(settings) as registry:
        record = registry.production()
    if record is None:
        raise RuntimeError(f"{settings.paths.home} has no bundle in production. Name a home with --home.")
    return [title for title in read_items(Path(record.path) / "items.parquet").titles if title]


def _users(settings: Settings) -> list[str]:
    table = open_lake(settings.paths).read(["user_id"])
    return table["user_id"].unique().to_pylist()[:USERS] or ["visitor"]
