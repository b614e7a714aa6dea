"""Events accepted by a real service over HTTP, durable when answered: batches of 100, client beside it."""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median
from uuid import uuid4

import httpx
import orjson
from online import random_shop
from online.bounded_row import bounded_row
from online.served_process import serving

from recsys.config import Settings, load_settings
from recsys.http import json_headers
from recsys.instants import utc_now

BATCH = 100
CONNECTIONS = 4
WARM_UP_SECONDS = 2.0
SECONDS = 5.0
ROUNDS = 3
ITEMS = 500
USERS = 500


def rows() -> list[dict[str, object]]:
    """Events a second; the median of three rounds. No worker runs, so nothing may be turned away."""
    root = load_settings().root
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        settings = Settings(home=Path(folder), root=root)
        patient = {"RECSYS_STREAM__MAX_LAG": "1000000000"}
        with (
            random_shop.open_shop(settings, ITEMS, USERS),
            serving(root, Path(folder), patient) as (address, _),
        ):
            asyncio.run(_load(address, WARM_UP_SECONDS))
            rates = [asyncio.run(_load(address, SECONDS)) for _ in range(ROUNDS)]
    ours = median(rates)
    return [bounded_row("events-accept", "events/s", ours, 3000.0, 10_000.0)]


async def _load(address: str, seconds: float) -> float:
    """Accepted events a second over `seconds`.

    Raises:
        RuntimeError: an answer was not what it should be.
    """
    async with httpx.AsyncClient(base_url=address, headers=json_headers(None), timeout=10) as client:
        started = time.perf_counter()

        async def send(number: int) -> int:
            accepted = 0
            while time.perf_counter() - started < seconds:
                response = await client.post("/v1/events", content=_batch(number))
                number += BATCH
                if response.status_code != 200 or response.json()["accepted"] != BATCH:
                    raise RuntimeError(f"not accepted ({response.status_code}): {response.text[:300]}")
                accepted += BATCH
            return accepted

        total = sum(await asyncio.gather(*(send(1000 * place) for place in range(CONNECTIONS))))
        return total / (time.perf_counter() - started)


def _batch(number: int) -> bytes:
    now = utc_now().isoformat()
    return orjson.dumps(
        [
            {
                "kind": "click",
                "event_id": uuid4().hex,
                "user_id": random_shop.user_id((7 * place) % USERS),
                "item_id": random_shop.item_id(place % ITEMS),
                "at": now,
                "request_id": "0a1b2c3d4e5f6071",
                "position": 1 + place % 10,
            }
            for place in range(number, number + BATCH)
        ]
    )
