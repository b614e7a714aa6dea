"""materialize: 200,000 rows of ten numbers from Parquet into Redis, beside Feast's own Redis store."""

import time
from statistics import median
from typing import Any

from online.repository import FEAST_ENGINE, PACKED_ENGINE, materialize, pair
from recsys.stores.redis.shop_claim import connect

ROWS = 200_000
ROUNDS = 3
VIEW = "item_numbers"


def rows() -> list[dict[str, Any]]:
    """One row: both stores with the engine of the feature repository, wall time of `feast materialize`."""
    ours, peer = measure(PACKED_ENGINE)
    ratio = peer / ours
    return [
        {
            "name": "materialize",
            "unit": "s",
            "ours": ours,
            "peer": "Feast's own Redis store, same engine",
            "peer_value": peer,
            "ratio": ratio,
            "at_least": 1.5,
            "aim": 5.0,
            "ok": ratio >= 1.5,
        }
    ]


def measure(engine: str = FEAST_ENGINE) -> tuple[float, float]:
    """Median seconds, ours and the peer's turn about on an empty server, both with `engine`."""
    times: tuple[list[float], list[float]] = ([], [])
    with (
        pair(users=1, items=ROWS, engine=engine, peer_engine=engine) as stores,
        connect(stores.settings) as redis,
    ):
        for _ in range(ROUNDS):
            for store, taken in zip((stores.ours, stores.peer), times, strict=True):
                redis.flushall()
                began = time.perf_counter()
                materialize(store, [VIEW])
                taken.append(time.perf_counter() - began)
                assert redis.dbsize() - redis.exists(f"ours:{VIEW}:schema") == ROWS
    return median(times[0]), median(times[1])
